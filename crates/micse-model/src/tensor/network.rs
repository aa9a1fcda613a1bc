//! The whole network: embeddings, layers, and the leaves that a pass requests.

use candle_core::{DType, Device, Tensor};

use super::attention::{Angles, Extras, Packing, SelfAttention, averaging_matrix};
use super::layers::{FeedForward, LayerNorm, Linear, hidden_dropout};
use crate::distance;
use crate::dropout::Site;
use crate::encoder::{Leaves, Mode, Pass, Taps, check_map_entries};
use crate::family::Linears;
use crate::{Batch, BertConfig, Error, Family, Pooling, Result};

struct Layer {
    attention: SelfAttention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    output_norm: LayerNorm,
}

pub(super) struct Network {
    words: Tensor,
    /// `None` with rotary positions.
    positions: Option<Tensor>,
    /// `None` if the family has no token types.
    types: Option<Tensor>,
    /// The attention bias by distance `[BUCKETS, H]`, if the family has one.
    distances: Option<Tensor>,
    embedding_norm: LayerNorm,
    /// From the width of the embeddings to the hidden size, if they differ.
    projection: Option<Linear>,
    /// Those with parameters of their own.
    layers: Vec<Layer>,
}

impl Network {
    /// Expects the tensors in the order of [`crate::weights::parameter_layout`].
    pub(super) fn new(config: &BertConfig, tensors: &mut dyn Iterator<Item = Tensor>) -> Result<Self> {
        let mut next =
            || tensors.next().ok_or_else(|| Error::Input("the parameter list is too short".into()));
        let epsilon = config.layer_norm_eps;
        let words = next()?;
        let positions = config.rotary.is_none().then(&mut next).transpose()?;
        let types = (config.type_vocab_size > 0).then(&mut next).transpose()?;
        let distances = config.family.biases_by_distance().then(&mut next).transpose()?;
        let family = config.family;
        let norm = |next: &mut dyn FnMut() -> Result<Tensor>| -> Result<LayerNorm> {
            Ok(LayerNorm { gain: next()?, offset: family.has_offsets().then(next).transpose()?, epsilon })
        };
        let linear = |next: &mut dyn FnMut() -> Result<Tensor>, has_bias: bool| -> Result<Linear> {
            Ok(Linear { weight: next()?, bias: has_bias.then(next).transpose()? })
        };
        let embedding_norm = norm(&mut next)?;
        let projection = config.projects_embeddings().then(|| linear(&mut next, true)).transpose()?;
        let [attention, intermediate, output] =
            [Linears::Attention, Linears::Intermediate, Linears::Output].map(|of| family.has_bias(of));
        let mut layers = Vec::with_capacity(config.own_layers());
        for _ in 0..config.own_layers() {
            let (query, mut key) = (linear(&mut next, attention)?, linear(&mut next, attention)?);
            let (value, attention_output) = (linear(&mut next, attention)?, linear(&mut next, attention)?);
            // A key bias adds the same value to all scores of a query, and the softmax cancels it. Its
            // gradient is exactly zero; computed, it would be rounding noise, which Adam scales up to full
            // steps.
            key.bias = key.bias.map(|bias| bias.detach());
            layers.push(Layer {
                attention: SelfAttention { query, key, value, heads: config.num_attention_heads },
                attention_output,
                attention_norm: norm(&mut next)?,
                feed_forward: FeedForward {
                    intermediate: linear(&mut next, intermediate)?,
                    gate: family.is_gated().then(|| linear(&mut next, intermediate)).transpose()?,
                    output: linear(&mut next, output)?,
                    activation: config.hidden_act,
                },
                output_norm: norm(&mut next)?,
            });
        }
        Ok(Self { words, positions, types, distances, embedding_norm, projection, layers })
    }

    pub(super) fn embed(
        &self,
        batch: &Batch,
        pass: &Pass,
        config: &BertConfig,
        device: &Device,
    ) -> Result<Tensor> {
        let mut sum = self.words.index_select(&Tensor::new(batch.ids(), device)?, 0)?;
        if let Some(positions) = &self.positions {
            let rows = Tensor::new(batch.position_rows(config), device)?;
            sum = (sum + positions.index_select(&rows, 0)?)?;
        }
        if let Some(types) = &self.types {
            sum = sum.broadcast_add(&types.narrow(0, 0, 1)?)?;
        }
        let normed = self.embedding_norm.forward(&sum)?;
        let rows = all_rows(batch);
        let dropped = hidden_dropout(normed, pass.mode, (0, Site::Embeddings), batch, &rows, device)?;
        match &self.projection {
            Some(projection) => projection.forward(&dropped),
            None => Ok(dropped),
        }
    }

    /// The bias added to the scores of all sentences, `[1, H, n, n]`.
    fn distance_bias(&self, width: usize, config: &BertConfig, device: &Device) -> Result<Option<Tensor>> {
        let Some(table) = &self.distances else { return Ok(None) };
        let rows = table.index_select(&Tensor::new(distance::pairs(width), device)?, 0)?;
        let bias = rows.reshape((width, width, config.num_attention_heads))?.permute((2, 0, 1))?;
        Ok(Some(bias.contiguous()?.unsqueeze(0)?))
    }

    pub(super) fn encode(
        &self,
        embeddings: &Tensor,
        batch: &Batch,
        pass: &Pass,
        config: &BertConfig,
        device: &Device,
    ) -> Result<Leaves> {
        let taps = &pass.taps;
        taps.check(batch, config)?;
        let packing = Packing::new(batch, device)?;
        let rows = all_rows(batch);
        let depth = config.num_hidden_layers;
        let mut values = ValueTap::new(taps, batch, config)?;
        let mut maps = Vec::new();
        // States that pooling or a tap needs; all others are dropped once the next layer is done.
        let mut kept: Vec<(usize, Tensor)> = Vec::new();
        let pooled_layers = taps.pooled.map(|p| p.layers(depth)).unwrap_or_default();
        let wanted = |layer: usize| pooled_layers.contains(&layer) || taps.states.contains(&layer);
        // If only [CLS] pooling is requested, the last layer's token-wise part runs only for [CLS] rows.
        let wants_tokens = !taps.tokens.is_empty();
        let cls_only = taps.pooled == Some(Pooling::Cls) && !taps.states.contains(&depth) && !wants_tokens;

        let bias = self.distance_bias(batch.width(), config, device)?;
        let rotary = config.rotary.as_ref().map(|rotary| {
            let angles = |theta, factor| Angles::new((theta, factor), config.head_size(), batch, device);
            let local = rotary.local.as_ref().map(|local| {
                Ok::<_, Error>((angles(local.theta, 1.0)?, packing.local(local.window, device)?))
            });
            Ok::<_, Error>((rotary, angles(rotary.theta, rotary.factor)?, local.transpose()?))
        });
        let rotary = rotary.transpose()?;
        // The input of a layer, and the sum that its blocks add to: the same, unless LayerNorm is before a block.
        let (mut x, mut stream) = (embeddings.clone(), embeddings.clone());
        if wanted(0) {
            kept.push((0, x.clone()));
        }
        for index in 0..depth {
            let layer = &self.layers[config.own_layer(index)];
            let mut extras = Extras { bias: bias.as_ref(), ..Extras::default() };
            if let Some((rotary, global_angles, local)) = &rotary {
                let local = local.as_ref().filter(|_| rotary.local_at(index).is_some());
                extras.angles = Some(local.map_or(global_angles, |(angles, _)| angles));
                extras.local = local.map(|(_, local)| local);
            }
            let (context, layer_maps) =
                layer.attention.forward(&x, index, pass.mode, batch, &packing, extras)?;
            values.record(index, &layer_maps)?;
            if let Some(stage) = taps.attention_maps {
                maps.push(layer_maps.at(stage).clone());
            }
            let work = TokenWise { index, mode: pass.mode, family: config.family, batch, device };
            (x, stream) = if cls_only && index + 1 == depth {
                let first: Vec<u32> = batch.first_rows().iter().map(|&r| r as u32).collect();
                let first = Tensor::new(first, device)?;
                let cls: Vec<_> = (0..batch.sentences()).map(|b| (b, 0)).collect();
                let (stream, context) = (stream.index_select(&first, 0)?, context.index_select(&first, 0)?);
                layer.after_attention(&stream, &context, &cls, work)?
            } else {
                layer.after_attention(&stream, &context, &rows, work)?
            };
            if wanted(index + 1) {
                // Between layers, the state is the sum, as in transformers.
                kept.push((index + 1, if index + 1 == depth { x.clone() } else { stream.clone() }));
            }
        }

        let tokens = if wants_tokens {
            Some(x.index_select(&Tensor::new(&taps.tokens[..], device)?, 0)?)
        } else {
            None
        };
        let state = |layer: usize| {
            let found = kept.iter().find(|(l, _)| *l == layer).map(|(_, x)| x.clone());
            found.ok_or_else(|| Error::Input(format!("states of layer {layer} were not kept")))
        };
        let pooled = match taps.pooled {
            None => None,
            Some(Pooling::Cls) if cls_only => Some(x),
            Some(pooling) => Some(pool(pooling, depth, &state, batch, device)?),
        };
        Ok(Leaves {
            pooled,
            attention_values: values.finish(device)?,
            attention_maps: if maps.is_empty() { None } else { Some(Tensor::stack(&maps, 0)?) },
            states: taps.states.iter().map(|&layer| state(layer)).collect::<Result<_>>()?,
            tokens,
        })
    }
}

/// The part of a layer after its attention.
#[derive(Clone, Copy)]
struct TokenWise<'a> {
    index: usize,
    mode: Mode,
    family: Family,
    batch: &'a Batch,
    device: &'a Device,
}

impl Layer {
    /// Output projection, residual and LayerNorm, then the feed-forward block with its own: the layer's normed output
    /// and the stream after it. If LayerNorm is after the sum, both are the same.
    fn after_attention(
        &self,
        stream: &Tensor,
        context: &Tensor,
        rows: &[(usize, usize)],
        work: TokenWise<'_>,
    ) -> Result<(Tensor, Tensor)> {
        let TokenWise { index, mode, family, batch, device } = work;
        let first = family.normalizes_first();
        let drop = |x: Tensor, site: Site| {
            let mode = if family.drops(site) { mode } else { Mode::Evaluation };
            hidden_dropout(x, mode, (index, site), batch, rows, device)
        };
        let step = |stream: &Tensor, block: Tensor, norm: &LayerNorm| -> Result<(Tensor, Tensor)> {
            let sum = (stream + block)?;
            let normed = norm.forward(&sum)?;
            Ok((normed.clone(), if first { sum } else { normed }))
        };
        let attended = self.attention_output.forward(context)?;
        let attended = drop(attended, Site::AttentionOutput)?;
        let (x, stream) = step(stream, attended, &self.attention_norm)?;
        let output = self.feed_forward.forward(&x, &|gated| drop(gated, Site::Gate))?;
        step(&stream, drop(output, Site::Output)?, &self.output_norm)
    }
}

fn all_rows(batch: &Batch) -> Vec<(usize, usize)> {
    (0..batch.sentences()).flat_map(|b| (0..batch.rows_of(b)).map(move |t| (b, t))).collect()
}

fn pool(
    pooling: Pooling,
    depth: usize,
    state: &dyn Fn(usize) -> Result<Tensor>,
    batch: &Batch,
    device: &Device,
) -> Result<Tensor> {
    let layers = pooling.layers(depth);
    let mut sum = state(layers[0])?;
    for &layer in &layers[1..] {
        sum = (sum + state(layer)?)?;
    }
    let x = if layers.len() > 1 { (sum / layers.len() as f64)? } else { sum };
    if pooling == Pooling::Cls {
        let first: Vec<u32> = batch.first_rows().iter().map(|&r| r as u32).collect();
        return Ok(x.index_select(&Tensor::new(first, device)?, 0)?);
    }
    Ok(averaging_matrix(batch, pooling, DType::F32, device)?.matmul(&x)?)
}

/// Collects attention values layer by layer and returns them in the requested order.
struct ValueTap<'a> {
    taps: &'a Taps,
    /// For each layer, the indices in its flattened map and the indices in the result.
    wanted: Vec<(Vec<u32>, Vec<u32>)>,
    parts: Vec<Tensor>,
    order: Vec<u32>,
}

impl<'a> ValueTap<'a> {
    fn new(taps: &'a Taps, batch: &Batch, config: &BertConfig) -> Result<Self> {
        if taps.attention_values.is_some() {
            let entries = batch.sentences() * config.num_attention_heads * batch.width() * batch.width();
            check_map_entries(batch.sentences(), entries)?;
        }
        let mut wanted = vec![(Vec::new(), Vec::new()); config.num_hidden_layers];
        let (heads, n) = (config.num_attention_heads as u32, batch.width() as u32);
        for (slot, p) in taps.attention_values.iter().flat_map(|v| &v.at).enumerate() {
            let (places, slots) = &mut wanted[p.layer as usize];
            places.push(((p.sentence * heads + p.head) * n + p.query) * n + p.key);
            slots.push(slot as u32);
        }
        Ok(Self { taps, wanted, parts: Vec::new(), order: Vec::new() })
    }

    fn record(&mut self, layer: usize, maps: &super::attention::Maps) -> Result<()> {
        let (places, slots) = std::mem::take(&mut self.wanted[layer]);
        if let (Some(values), false) = (&self.taps.attention_values, places.is_empty()) {
            self.parts.push(maps.values(values.stage, places)?);
            self.order.extend(slots);
        }
        Ok(())
    }

    fn finish(self, device: &Device) -> Result<Option<Tensor>> {
        let Some(values) = &self.taps.attention_values else { return Ok(None) };
        if values.at.is_empty() {
            return Ok(Some(Tensor::zeros(0, DType::F32, device)?));
        }
        let mut inverse = vec![0_u32; self.order.len()];
        for (place, &slot) in self.order.iter().enumerate() {
            inverse[slot as usize] = place as u32;
        }
        let parts = Tensor::cat(&self.parts, 0)?;
        Ok(Some(parts.index_select(&Tensor::new(inverse, device)?, 0)?))
    }
}

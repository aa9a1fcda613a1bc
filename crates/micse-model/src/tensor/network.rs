//! The whole network: embeddings, layers, and the leaves that a pass requests.

use candle_core::{DType, Device, Tensor};

use super::attention::{Packing, SelfAttention, averaging_matrix};
use super::layers::{FeedForward, LayerNorm, Linear, hidden_dropout};
use crate::distance;
use crate::dropout::Site;
use crate::encoder::{Leaves, Mode, Pass, Taps};
use crate::{Batch, BertConfig, Error, Pooling, Result};

struct Layer {
    attention: SelfAttention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    output_norm: LayerNorm,
}

pub(super) struct Network {
    words: Tensor,
    positions: Tensor,
    /// `None` if the family has no token types.
    types: Option<Tensor>,
    /// The attention bias by distance `[BUCKETS, H]`, if the family has one.
    distances: Option<Tensor>,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
    drops_attention_output: bool,
}

impl Network {
    /// Expects the tensors in the order of [`crate::weights::parameter_layout`].
    pub(super) fn new(config: &BertConfig, tensors: &mut dyn Iterator<Item = Tensor>) -> Result<Self> {
        let mut next =
            || tensors.next().ok_or_else(|| Error::Input("the parameter list is too short".into()));
        let epsilon = config.layer_norm_eps;
        let (words, positions) = (next()?, next()?);
        let types = (config.type_vocab_size > 0).then(&mut next).transpose()?;
        let distances = config.family.biases_by_distance().then(&mut next).transpose()?;
        let embedding_norm = LayerNorm { gain: next()?, offset: next()?, epsilon };
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for _ in 0..config.num_hidden_layers {
            let mut linear = || -> Result<Linear> { Ok(Linear { weight: next()?, bias: next()? }) };
            let (query, mut key, value, attention_output) = (linear()?, linear()?, linear()?, linear()?);
            // A key bias adds the same value to all scores of a query, and the softmax cancels it. Its
            // gradient is exactly zero; computed, it would be rounding noise, which Adam scales up to full
            // steps.
            key.bias = key.bias.detach();
            let attention_norm = LayerNorm { gain: next()?, offset: next()?, epsilon };
            let mut linear = || -> Result<Linear> { Ok(Linear { weight: next()?, bias: next()? }) };
            let (intermediate, output) = (linear()?, linear()?);
            let output_norm = LayerNorm { gain: next()?, offset: next()?, epsilon };
            layers.push(Layer {
                attention: SelfAttention { query, key, value, heads: config.num_attention_heads },
                attention_output,
                attention_norm,
                feed_forward: FeedForward { intermediate, output, activation: config.hidden_act },
                output_norm,
            });
        }
        let drops_attention_output = config.family.drops_attention_output();
        Ok(Self { words, positions, types, distances, embedding_norm, layers, drops_attention_output })
    }

    pub(super) fn embed(
        &self,
        batch: &Batch,
        pass: &Pass,
        config: &BertConfig,
        device: &Device,
    ) -> Result<Tensor> {
        let words = self.words.index_select(&Tensor::new(batch.ids(), device)?, 0)?;
        let positions = Tensor::new(batch.position_rows(config), device)?;
        let mut sum = (words + self.positions.index_select(&positions, 0)?)?;
        if let Some(types) = &self.types {
            sum = sum.broadcast_add(&types.narrow(0, 0, 1)?)?;
        }
        let normed = self.embedding_norm.forward(&sum)?;
        hidden_dropout(normed, pass.mode, (0, Site::Embeddings), batch, &all_rows(batch), device)
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
        let depth = self.layers.len();
        let mut values = ValueTap::new(taps, batch, config);
        let mut maps = Vec::new();
        // States that pooling or a tap needs; all others are dropped once the next layer is done.
        let mut kept: Vec<(usize, Tensor)> = Vec::new();
        let pooled_layers = taps.pooled.map(|p| p.layers(depth)).unwrap_or_default();
        let wanted = |layer: usize| pooled_layers.contains(&layer) || taps.states.contains(&layer);
        // If only [CLS] pooling is requested, the last layer's token-wise part runs only for [CLS] rows.
        let wants_tokens = !taps.tokens.is_empty();
        let cls_only = taps.pooled == Some(Pooling::Cls) && !taps.states.contains(&depth) && !wants_tokens;

        let attention_output = if self.drops_attention_output { pass.mode } else { Mode::Evaluation };
        let modes = (attention_output, pass.mode);
        let bias = self.distance_bias(batch.width(), config, device)?;
        let mut x = embeddings.clone();
        if wanted(0) {
            kept.push((0, x.clone()));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let (context, layer_maps) =
                layer.attention.forward(&x, index, pass.mode, batch, &packing, bias.as_ref())?;
            values.record(index, &layer_maps)?;
            if let Some(stage) = taps.attention_maps {
                maps.push(layer_maps.at(stage).clone());
            }
            x = if cls_only && index + 1 == depth {
                let first: Vec<u32> = batch.first_rows().iter().map(|&r| r as u32).collect();
                let first = Tensor::new(first, device)?;
                let cls: Vec<_> = (0..batch.sentences()).map(|b| (b, 0)).collect();
                let (x, context) = (x.index_select(&first, 0)?, context.index_select(&first, 0)?);
                layer.after_attention(&x, &context, index, modes, batch, &cls, device)?
            } else {
                layer.after_attention(&x, &context, index, modes, batch, &rows, device)?
            };
            if wanted(index + 1) {
                kept.push((index + 1, x.clone()));
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

impl Layer {
    /// Output projection, residual and LayerNorm, then the feed-forward block with its own. Both apply
    /// dropout according to the mode.
    #[allow(clippy::too_many_arguments)] // a layer needs its position, mode and rows in addition to its input
    fn after_attention(
        &self,
        x: &Tensor,
        context: &Tensor,
        layer: usize,
        (attention_mode, mode): (Mode, Mode),
        batch: &Batch,
        rows: &[(usize, usize)],
        device: &Device,
    ) -> Result<Tensor> {
        let attended = self.attention_output.forward(context)?;
        let attended =
            hidden_dropout(attended, attention_mode, (layer, Site::AttentionOutput), batch, rows, device)?;
        let x = self.attention_norm.forward(&(x + attended)?)?;
        let output = self.feed_forward.forward(&x)?;
        let output = hidden_dropout(output, mode, (layer, Site::Output), batch, rows, device)?;
        self.output_norm.forward(&(x + output)?)
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
    fn new(taps: &'a Taps, batch: &Batch, config: &BertConfig) -> Self {
        let mut wanted = vec![(Vec::new(), Vec::new()); config.num_hidden_layers];
        let (heads, n) = (config.num_attention_heads as u32, batch.width() as u32);
        for (slot, p) in taps.attention_values.iter().flat_map(|v| &v.at).enumerate() {
            let (places, slots) = &mut wanted[p.layer as usize];
            places.push(((p.sentence * heads + p.head) * n + p.query) * n + p.key);
            slots.push(slot as u32);
        }
        Self { taps, wanted, parts: Vec::new(), order: Vec::new() }
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

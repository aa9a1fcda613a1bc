//! The encoder's passes over a step's batch, in chunks (gradient caching, Gao et al. 2021).
//!
//! The objectives read only a few leaves: pooled rows, attention values and, for some methods, token states. A step
//! therefore encodes each view, copies its leaves into variables, and runs the objectives and their backward pass on
//! these variables alone. A leaf's gradient g then enters the encoder as the gradient of sum(leaf * g). If the batch is
//! a single chunk, the view's graph is kept for that backward pass. With several chunks, the first encoding keeps no
//! graph; each chunk is encoded again, with the same dropout, for its own backward pass, so that the graph never covers
//! more than one chunk.

use std::num::NonZeroUsize;
use std::rc::Rc;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use micse_model::{
    AttentionPosition, AttentionStage, AttentionValues, Batch, Encoder, Leaves, Mode, Pass, Pooling, Taps,
};

use super::views::Input;
use crate::Result;

/// What the objectives read from a pass.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) pooling: Option<Pooling>,
    /// Token states of these layers.
    pub(super) states: Vec<usize>,
    /// Attention values before dropout at these positions of the batch.
    pub(super) attention: Rc<Vec<AttentionPosition>>,
}

/// A step's batch in chunks, with the requested leaves of each.
pub(super) struct Chunks {
    parts: Vec<Chunk>,
    pooling: Option<Pooling>,
    states: Vec<usize>,
    /// The index of each attention value of the batch among the concatenated values of all chunks; `None`: with one chunk
    /// their order is the same, or no values are requested.
    order: Option<Tensor>,
}

struct Chunk {
    batch: Batch,
    /// This chunk's part of the input mask.
    mask: Option<Tensor>,
    at: Vec<AttentionPosition>,
    /// Indices of the values at these positions among the values of the batch; `None`: these are all of them, or there
    /// are none.
    slots: Option<Tensor>,
}

/// The networks that run a pass.
#[derive(Clone, Copy)]
pub(super) struct Towers<'a> {
    pub(super) embeds: &'a dyn Encoder,
    pub(super) encodes: &'a dyn Encoder,
}

/// How a pass runs.
#[derive(Clone, Copy, Default)]
pub(super) struct How<'a> {
    pub(super) mode: Mode,
    /// Whether a backward pass follows.
    pub(super) trained: bool,
    /// Noise added to the embeddings `[rows, D]`; single-chunk batches only.
    pub(super) noise: Option<&'a Tensor>,
    /// Whether the backward pass is split between the embedding layer and the layers after it, because they belong to
    /// two networks or the gradient between them is needed. Only for a trained single-chunk pass.
    pub(super) cut: bool,
}

/// The networks that a backward pass reaches.
pub(super) struct Reached<'a> {
    pub(super) encodes: &'a mut dyn Encoder,
    /// The network whose embedding layer started the pass, if it is a different one.
    pub(super) embeds: Option<&'a mut dyn Encoder>,
}

/// The leaves of a pass in the encoder's graph.
struct Graph {
    leaves: Leaves,
    cut: Option<Cut>,
}

/// A cut in a graph: the embedding layer's output in its own graph, and the variable that the layers read instead.
struct Cut {
    embedded: Tensor,
    seen: Var,
}

/// One view's leaves for the whole batch. The leaves of a trained pass are variables, where the objectives' backward
/// pass ends; other leaves are constants.
pub(super) struct View {
    mode: Mode,
    trained: bool,
    noise: Option<Tensor>,
    /// `[B, D]`.
    pub(super) rows: Option<Tensor>,
    /// `[rows, D]` for each requested layer.
    pub(super) states: Vec<Tensor>,
    /// `[positions]`, in the requested order.
    pub(super) values: Option<Tensor>,
    /// Kept for a trained pass of a single chunk.
    graph: Option<Graph>,
}

impl View {
    /// Whether a backward pass follows.
    pub(super) fn trained(&self) -> bool {
        self.trained
    }

    /// A view whose leaves stay in the encoder's graph: the objectives' backward pass continues through them.
    pub(super) fn connected(leaves: Leaves) -> Self {
        Self {
            mode: Mode::Evaluation,
            trained: false,
            noise: None,
            rows: leaves.pooled,
            states: leaves.states,
            values: leaves.attention_values,
            graph: None,
        }
    }
}

impl Chunks {
    /// Splits the batch into chunks of `size` sentences (the last one may be smaller); `None`: one chunk.
    pub(super) fn new(
        input: &Input,
        size: Option<NonZeroUsize>,
        wanted: &Wanted,
        device: &Device,
    ) -> Result<Self> {
        let batch = &input.batch;
        let count = batch.sentences();
        let size = size.map_or(count, |size| size.get().min(count));
        let all = &wanted.attention;
        if size == count {
            let part =
                Chunk { batch: Batch::clone(batch), mask: input.mask.clone(), at: all.to_vec(), slots: None };
            return Ok(Self {
                parts: vec![part],
                pooling: wanted.pooling,
                states: wanted.states.clone(),
                order: None,
            });
        }
        let mut parts: Vec<(Vec<AttentionPosition>, Vec<u32>)> =
            vec![Default::default(); count.div_ceil(size)];
        for (slot, position) in all.iter().enumerate() {
            let chunk = position.sentence as usize / size;
            let (at, slots) = &mut parts[chunk];
            at.push(AttentionPosition { sentence: position.sentence - (chunk * size) as u32, ..*position });
            slots.push(slot as u32);
        }
        let mut order = vec![0_u32; all.len()];
        for (place, &slot) in parts.iter().flat_map(|(_, slots)| slots).enumerate() {
            order[slot as usize] = place as u32;
        }
        let indices = |values: Vec<u32>| -> Result<Option<Tensor>> {
            Ok(if values.is_empty() { None } else { Some(Tensor::new(values, device)?) })
        };
        let chunk = |(i, (at, slots)): (usize, (Vec<_>, Vec<u32>))| {
            let sentences = i * size..((i + 1) * size).min(count);
            let first = batch.first_rows()[sentences.start];
            let part = batch.chunk(sentences);
            let mask = input.mask.as_ref().map(|mask| mask.narrow(0, first, part.rows())).transpose()?;
            Ok(Chunk { batch: part, mask, at, slots: indices(slots)? })
        };
        Ok(Self {
            parts: parts.into_iter().enumerate().map(chunk).collect::<Result<_>>()?,
            pooling: wanted.pooling,
            states: wanted.states.clone(),
            order: indices(order)?,
        })
    }

    /// Whether no token states are requested.
    pub(super) fn plain(&self) -> bool {
        self.states.is_empty()
    }

    /// Encodes a view.
    pub(super) fn encode(&self, towers: Towers<'_>, how: How<'_>) -> Result<View> {
        let keep = how.trained && self.parts.len() == 1;
        let (mut rows, mut values, mut graph) = (Vec::new(), Vec::new(), None);
        let mut states = vec![Vec::new(); self.states.len()];
        for chunk in &self.parts {
            let pass = chunk.pass(towers, self, how, keep)?;
            rows.extend(pass.leaves.pooled.as_ref().map(Tensor::detach));
            values.extend(pass.leaves.attention_values.as_ref().map(Tensor::detach));
            for (all, own) in states.iter_mut().zip(&pass.leaves.states) {
                all.push(own.detach());
            }
            graph = keep.then_some(pass);
        }
        let leaf = |tensor: Tensor| -> Result<Tensor> {
            Ok(if how.trained { Var::from_tensor(&tensor)?.into_inner() } else { tensor })
        };
        let joined = |parts: &[Tensor]| -> Result<Option<Tensor>> {
            if parts.is_empty() { Ok(None) } else { Ok(Some(leaf(Tensor::cat(parts, 0)?)?)) }
        };
        let values = match &self.order {
            Some(order) => Some(leaf(Tensor::cat(&values, 0)?.index_select(order, 0)?)?),
            None => joined(&values)?,
        };
        Ok(View {
            mode: how.mode,
            trained: how.trained,
            noise: how.noise.cloned(),
            rows: joined(&rows)?,
            states: states.iter().filter_map(|parts| joined(parts).transpose()).collect::<Result<_>>()?,
            values,
            graph,
        })
    }

    /// Propagates the gradients of a view's leaves into the networks, which collect them. Returns the gradient with
    /// respect to the embedding layer's output, `[rows, D]`, if the pass is cut there.
    pub(super) fn backward(
        &self,
        networks: Reached<'_>,
        view: View,
        leaves: &GradStore,
    ) -> Result<Option<Tensor>> {
        let Reached { encodes, mut embeds } = networks;
        // Detached: the graph of the leaves' gradients is no longer needed.
        let gradient = |leaf: &Tensor| leaves.get(leaf).map(Tensor::detach);
        let rows = view.rows.as_ref().and_then(gradient);
        let values = view.values.as_ref().and_then(gradient);
        let states: Vec<Option<Tensor>> = view.states.iter().map(gradient).collect();
        let how = How { mode: view.mode, trained: true, noise: view.noise.as_ref(), cut: false };
        let (mut graph, mut by_embeddings) = (view.graph, None);
        let (mut first, mut first_row) = (0, 0);
        for chunk in &self.parts {
            let (count, count_rows) = (chunk.batch.sentences(), chunk.batch.rows());
            let Graph { leaves: again, cut } = if let Some(graph) = graph.take() {
                graph
            } else {
                if embeds.is_some() {
                    let reason = "a pass through two networks cannot be split into chunks";
                    return Err(micse_model::Error::Input(reason.into()).into());
                }
                let same: &dyn Encoder = encodes;
                chunk.pass(Towers { embeds: same, encodes: same }, self, how, true)?
            };
            let mut products = Vec::new();
            if let (Some(gradient), Some(own)) = (&rows, &again.pooled) {
                products.push((own * gradient.narrow(0, first, count)?)?.sum_all()?);
            }
            if let (Some(gradient), Some(own)) = (&values, &again.attention_values) {
                let product = match &chunk.slots {
                    Some(slots) => own * gradient.index_select(slots, 0)?,
                    None => own * gradient,
                };
                products.push(product?.sum_all()?);
            }
            for (gradient, own) in states.iter().zip(&again.states) {
                if let Some(gradient) = gradient {
                    products.push((own * gradient.narrow(0, first_row, count_rows)?)?.sum_all()?);
                }
            }
            if let Some(sum) = sum_of(products)? {
                let gradients = sum.backward()?;
                encodes.collect_gradients(&gradients)?;
                if let Some(cut) = cut
                    && let Some(gradient) = gradients.get(&cut.seen).map(Tensor::detach)
                {
                    let onwards = (cut.embedded * &gradient)?.sum_all()?.backward()?;
                    match &mut embeds {
                        Some(other) => other.collect_gradients(&onwards)?,
                        None => encodes.collect_gradients(&onwards)?,
                    }
                    by_embeddings = Some(gradient);
                }
            }
            first += count;
            first_row += count_rows;
        }
        Ok(by_embeddings)
    }

    /// A pass whose embeddings are the returned variable, to compute the loss's gradient with respect to them. The
    /// batch must be a single chunk.
    pub(super) fn probe(&self, towers: Towers<'_>, mode: Mode) -> Result<(Var, View)> {
        let chunk = &self.parts[0];
        let taps = chunk.taps(self);
        let constants = Pass { mode, gradients: false, taps: Taps::default() };
        let embeddings = Var::from_tensor(&towers.embeds.embed(&chunk.batch, &constants)?)?;
        let seen = chunk.masked(embeddings.as_tensor().clone())?;
        let leaves = towers.encodes.encode(&seen, &chunk.batch, &Pass { mode, gradients: true, taps })?;
        Ok((embeddings, View::connected(leaves)))
    }
}

impl Chunk {
    fn taps(&self, chunks: &Chunks) -> Taps {
        let values = AttentionValues { stage: AttentionStage::BeforeDropout, at: self.at.clone() };
        Taps {
            pooled: chunks.pooling,
            states: chunks.states.clone(),
            attention_values: (!self.at.is_empty()).then_some(values),
            ..Taps::default()
        }
    }

    fn masked(&self, embeddings: Tensor) -> Result<Tensor> {
        Ok(match &self.mask {
            Some(mask) => embeddings.broadcast_mul(mask)?,
            None => embeddings,
        })
    }

    fn pass(&self, towers: Towers<'_>, chunks: &Chunks, how: How<'_>, gradients: bool) -> Result<Graph> {
        let pass = Pass { mode: how.mode, gradients, taps: self.taps(chunks) };
        let embedded = towers.embeds.embed(&self.batch, &pass)?;
        let cut = if gradients && how.cut {
            let seen = Var::from_tensor(&embedded.detach())?;
            Some(Cut { embedded: embedded.clone(), seen })
        } else {
            None
        };
        let seen = cut.as_ref().map_or(embedded, |cut| cut.seen.as_tensor().clone());
        let mut embeddings = self.masked(seen)?;
        if let Some(noise) = how.noise {
            embeddings = (embeddings + noise)?;
        }
        Ok(Graph { leaves: towers.encodes.encode(&embeddings, &self.batch, &pass)?, cut })
    }
}

/// The sum of the scalars; `None` if there are none.
fn sum_of(scalars: Vec<Tensor>) -> Result<Option<Tensor>> {
    let mut scalars = scalars.into_iter();
    let Some(mut sum) = scalars.next() else { return Ok(None) };
    for next in scalars {
        sum = (sum + next)?;
    }
    Ok(Some(sum))
}

//! The encoder's passes over a step's batch, in chunks (gradient caching, Gao et al. 2021).
//!
//! The objectives read a few leaves: pooled rows, attention values. So a step encodes each view, puts its
//! leaves into variables, and takes the objectives and their backward pass on these alone. A leaf's gradient
//! g then goes on into the encoder as that of sum(leaf * g). Where the batch is one chunk, the view's
//! graph is still there. Where there are several, they are encoded without one first, and once more, with the
//! same dropout, chunk by chunk for the backward pass: memory is that of one chunk.

use std::num::NonZeroUsize;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use micse_losses::Selection;
use micse_model::{
    AttentionPosition, AttentionStage, AttentionValues, Batch, Dropout, Encoder, Leaves, Mode, Pass, Pooling,
    Taps,
};

use super::attention::positions;
use crate::Result;

/// A step's batch in chunks, with the leaves that are wanted of each.
pub(super) struct Chunks {
    parts: Vec<Chunk>,
    pooling: Pooling,
    /// Where each attention value of the whole batch lies behind one another's chunks; `None`: none is wanted.
    order: Option<Tensor>,
}

struct Chunk {
    batch: Batch,
    at: Vec<AttentionPosition>,
    /// Where the values at these positions lie among those of the whole batch.
    slots: Option<Tensor>,
}

/// One view's leaves over the whole batch, as variables at which the objectives' backward pass ends.
pub(super) struct View {
    dropout: Dropout,
    /// `[B, D]`.
    pub(super) rows: Var,
    /// `[positions]`, in the selections' order.
    pub(super) values: Option<Var>,
    /// The leaves in the encoder's graph, where the batch is one chunk.
    graph: Option<Leaves>,
}

impl Chunks {
    /// Cuts the batch into chunks of `size` sentences, the last one shorter; `None`: one chunk.
    pub(super) fn new(
        batch: &Batch,
        size: Option<NonZeroUsize>,
        pooling: Pooling,
        selections: &[Selection],
        device: &Device,
    ) -> Result<Self> {
        let count = batch.sentences();
        let size = size.map_or(count, |size| size.get().min(count));
        let all: Vec<AttentionPosition> = selections.iter().flat_map(positions).collect();
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
            let end = ((i + 1) * size).min(count);
            Ok(Chunk { batch: batch.chunk(i * size..end), at, slots: indices(slots)? })
        };
        Ok(Self {
            parts: parts.into_iter().enumerate().map(chunk).collect::<Result<_>>()?,
            pooling,
            order: indices(order)?,
        })
    }

    /// Encodes a view.
    pub(super) fn encode(&self, encoder: &dyn Encoder, dropout: Dropout) -> Result<View> {
        let keep = self.parts.len() == 1;
        let (mut rows, mut values, mut graph) = (Vec::new(), Vec::new(), None);
        for chunk in &self.parts {
            let leaves = chunk.pass(encoder, self.pooling, dropout, keep)?;
            rows.push(pooled(&leaves)?.detach());
            values.extend(leaves.attention_values.as_ref().map(Tensor::detach));
            graph = keep.then_some(leaves);
        }
        let values = match &self.order {
            Some(order) => Some(Var::from_tensor(&Tensor::cat(&values, 0)?.index_select(order, 0)?)?),
            None => None,
        };
        Ok(View { dropout, rows: Var::from_tensor(&Tensor::cat(&rows, 0)?)?, values, graph })
    }

    /// The batch's pooled rows `[B, D]` in the given mode, as constants.
    pub(super) fn rows(&self, encoder: &dyn Encoder, mode: Mode) -> Result<Tensor> {
        let taps = Taps { pooled: Some(self.pooling), ..Taps::default() };
        let pass = Pass { mode, gradients: false, taps };
        let rows: Result<Vec<Tensor>> =
            self.parts.iter().map(|chunk| pooled(&encoder.forward(&chunk.batch, &pass)?)).collect();
        Ok(Tensor::cat(&rows?, 0)?)
    }

    /// Takes the gradients of a view's leaves on into the encoder's parameters, which collect them.
    pub(super) fn backward(&self, encoder: &mut dyn Encoder, view: View, leaves: &GradStore) -> Result<()> {
        // The leaves' gradients are constants here: their own graph is done with.
        let rows = leaves.get(&view.rows).map(Tensor::detach);
        let values = view.values.as_ref().and_then(|values| leaves.get(values)).map(Tensor::detach);
        let (dropout, mut graph) = (view.dropout, view.graph);
        let mut first = 0;
        for chunk in &self.parts {
            let count = chunk.batch.sentences();
            let again = match graph.take() {
                Some(leaves) => leaves,
                None => chunk.pass(encoder, self.pooling, dropout, true)?,
            };
            let mut sum = match &rows {
                Some(gradient) => (pooled(&again)? * gradient.narrow(0, first, count)?)?.sum_all()?,
                None => Tensor::zeros((), DType::F32, pooled(&again)?.device())?,
            };
            if let (Some(gradient), Some(slots), Some(own)) = (&values, &chunk.slots, &again.attention_values)
            {
                sum = (sum + (own * gradient.index_select(slots, 0)?)?.sum_all()?)?;
            }
            encoder.collect_gradients(&sum.backward()?)?;
            first += count;
        }
        Ok(())
    }
}

impl Chunk {
    fn pass(
        &self,
        encoder: &dyn Encoder,
        pooling: Pooling,
        dropout: Dropout,
        gradients: bool,
    ) -> Result<Leaves> {
        let values = AttentionValues { stage: AttentionStage::BeforeDropout, at: self.at.clone() };
        let attention_values = (!self.at.is_empty()).then_some(values);
        let taps = Taps { pooled: Some(pooling), attention_values, ..Taps::default() };
        Ok(encoder.forward(&self.batch, &Pass { mode: Mode::Training(dropout), gradients, taps })?)
    }
}

fn pooled(leaves: &Leaves) -> Result<Tensor> {
    let missing = || micse_model::Error::Input("the encoder gave no pooled rows".into());
    Ok(leaves.pooled.clone().ok_or_else(missing)?)
}

//! From token IDs to rows: sorted, batched, encoded on all threads.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::encoder::{Encoder, Leaves, Pass, Taps};
use crate::head::{TokenConvolution, mean_of_tokens};
use crate::{Batch, BertConfig, Error, Padding, Pooling, Result};

/// Default tokens per evaluation batch: enough to keep the matrix products busy, few enough to fit in the caches.
pub(super) const BATCH_TOKENS: usize = 2048;

/// How token states become one row per sentence in evaluation.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The pooling, used without a convolution.
    pub(crate) pooling: Pooling,
    /// A convolution over token states, whose mean is the embedding.
    pub(crate) convolution: Option<&'a TokenConvolution>,
    /// Sentences are padded to this many tokens for a pooling that counts pads; otherwise 0.
    pub(crate) pad_to: usize,
    /// Leading tokens that the pooling skips: `[CLS]` and a prompt.
    pub(crate) skip: usize,
}

impl Reading<'_> {
    pub(super) fn taps(&self, config: &BertConfig) -> Taps {
        match self.convolution {
            Some(_) => TokenConvolution::taps(config),
            None if self.skip > 0 => Taps { states: vec![config.num_hidden_layers], ..Taps::default() },
            None => Taps { pooled: Some(self.pooling), ..Taps::default() },
        }
    }

    pub(super) fn batch<S: AsRef<[u32]>>(&self, ids: &[S], config: &BertConfig) -> Result<Batch> {
        let padding = if self.pad_to > 0 { Padding::Keep } else { Padding::Drop };
        Batch::padded_to(ids, config.pad_token_id, padding, self.pad_to)
    }

    pub(super) fn rows(&self, leaves: Leaves, batch: &Batch) -> Result<Tensor> {
        if let Some(convolution) = self.convolution {
            return convolution.embeddings(&leaves, batch);
        }
        if self.skip > 0 {
            return self.rows_behind_prompt(&leaves, batch);
        }
        leaves.pooled.ok_or_else(|| Error::Input("the encoder returned no pooled rows".into()))
    }

    /// Pools the tokens from `skip` on. If none is left, returns zeros for mean and the first token for cls,
    /// as sentence-transformers does.
    fn rows_behind_prompt(&self, leaves: &Leaves, batch: &Batch) -> Result<Tensor> {
        let states = leaves.states.first();
        let states = states.ok_or_else(|| Error::Input("the encoder returned no token states".into()))?;
        let mut first = 0;
        let mut rows = Vec::with_capacity(batch.sentences());
        for b in 0..batch.sentences() {
            let length = batch.rows_of(b);
            let left = length.saturating_sub(self.skip);
            rows.push(match self.pooling {
                Pooling::Cls => states.narrow(0, first + if left == 0 { 0 } else { self.skip }, 1)?,
                _ if left == 0 => states.narrow(0, first, 1)?.zeros_like()?,
                _ => mean_of_tokens(&states.narrow(0, first + self.skip, left)?, &[left])?,
            });
            first += length;
        }
        Ok(Tensor::cat(&rows, 0)?)
    }
}

/// Called after each batch of an encoding with its number of sentences, on the threads that encode; returns whether to
/// go on.
pub type Watch<'a> = dyn Fn(usize) -> bool + Sync + 'a;

/// Encodes tokenized sentences in evaluation mode: one row per sentence, in the given order.
///
/// Sentences are sorted by length and batched, so that there is hardly any padding. Except for rounding, a
/// sentence's embedding does not depend on its batch.
pub(crate) fn encode_ids(
    encoder: &dyn Encoder,
    sentences: &[Vec<u32>],
    reading: Reading<'_>,
    batch_tokens: usize,
    watch: &Watch<'_>,
) -> Result<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by_key(|&i| sentences[i].len());
    let pass = Pass { taps: reading.taps(encoder.config()), ..Pass::default() };
    let mut batches = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        // Lengths ascend, so the batch's width is the length of its last sentence.
        let tokens = |i: usize| sentences[i].len().max(reading.pad_to);
        while end < order.len() && (end + 1 - start) * tokens(order[end]) <= batch_tokens {
            end += 1;
        }
        batches.push(&order[start..end]);
        start = end;
    }
    let encode = |members: &&[usize]| -> Result<Vec<Vec<f32>>> {
        let ids: Vec<&Vec<u32>> = members.iter().map(|&i| &sentences[i]).collect();
        let batch = reading.batch(&ids, encoder.config())?;
        let rows = reading.rows(encoder.forward(&batch, &pass)?, &batch)?;
        let rows = rows.to_device(&Device::Cpu)?.to_vec2::<f32>()?;
        if watch(members.len()) { Ok(rows) } else { Err(Error::Stopped) }
    };
    // Threads process whole batches, so they hardly ever wait for each other.
    let encoded: Vec<Vec<Vec<f32>>> =
        batches.par_iter().with_max_len(1).map(encode).collect::<Result<_>>()?;
    let mut rows = vec![Vec::new(); sentences.len()];
    for (members, encoded) in batches.iter().zip(encoded) {
        for (&i, row) in members.iter().zip(encoded) {
            rows[i] = row;
        }
    }
    Ok(rows)
}

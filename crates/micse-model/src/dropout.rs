//! Dropout as a pure function of an activation's position.
//!
//! An activation is kept if and only if `hash32(key) >= floor(rate * 2^32)`. The key is (stream of run seed,
//! step, tower and view; layer; site; sentence in the whole batch; position; channel); for attention, (...;
//! head; query; key token) replaces the last two. Masks therefore do not depend on padding, chunks, threads
//! or engine, and a resumed run draws the same masks.

use candle_core::{Device, Tensor};
use micse_random::{Lane, Stream, dropout_threshold};
use rayon::prelude::*;

use crate::{Batch, Result};

/// A place in the encoder where dropout is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Embeddings, after their LayerNorm and before a projection.
    Embeddings = 0,
    /// Attention probabilities.
    Attention = 1,
    /// The attention output, before the residual.
    AttentionOutput = 2,
    /// The feed-forward output, before the residual.
    Output = 3,
    /// The gated activations, before the last product of the feed-forward layer.
    Gate = 4,
}

/// The lane of one token row at a site; its index is the channel.
pub fn hidden_lane(stream: Stream, layer: usize, site: Site, sentence: usize, position: usize) -> Lane {
    stream.with(layer as u64).with(site as u64).with(sentence as u64).with(position as u64).lane()
}

/// The stream of one sentence's attention in a layer.
pub(crate) fn attention_stream(stream: Stream, layer: usize, sentence: usize) -> Stream {
    stream.with(layer as u64).with(Site::Attention as u64).with(sentence as u64)
}

/// The lane of one row of attention probabilities; its index is the key token.
pub fn attention_lane(stream: Stream, layer: usize, sentence: usize, head: usize, query: usize) -> Lane {
    attention_stream(stream, layer, sentence).with(head as u64).with(query as u64).lane()
}

/// Whether dropout at `rate` keeps one attention probability.
pub fn attention_kept(
    stream: Stream,
    rate: f64,
    layer: usize,
    sentence: usize,
    head: usize,
    query: usize,
    key: usize,
) -> bool {
    attention_lane(stream, layer, sentence, head, query).draw(key as u32) >= dropout_threshold(rate)
}

fn fill(row: &mut [f32], lane: Lane, threshold: u32, scale: f32) {
    for (channel, value) in row.iter_mut().enumerate() {
        *value = if lane.draw(channel as u32) >= threshold { scale } else { 0.0 };
    }
}

/// The mask of hidden states: 0 or 1 / (1 - rate).
///
/// `rows` contains (sentence of the batch, position) of every row; the result is `[rows, width]`.
pub(crate) fn hidden_mask(
    stream: Stream,
    rate: f64,
    (layer, site): (usize, Site),
    batch: &Batch,
    rows: &[(usize, usize)],
    width: usize,
    device: &Device,
) -> Result<Tensor> {
    let (threshold, scale) = (dropout_threshold(rate), (1.0 / (1.0 - rate)) as f32);
    let mut mask = vec![0.0_f32; rows.len() * width];
    mask.par_chunks_mut(width).zip(rows).with_min_len(64).for_each(|(row, &(sentence, position))| {
        fill(
            row,
            hidden_lane(stream, layer, site, batch.sentence_number(sentence), position),
            threshold,
            scale,
        );
    });
    Ok(Tensor::from_vec(mask, (rows.len(), width), device)?)
}

/// The mask of attention probabilities `[B, heads, n, n]`: 0 or 1 / (1 - rate).
pub(crate) fn attention_mask(
    stream: Stream,
    rate: f64,
    layer: usize,
    batch: &Batch,
    heads: usize,
    device: &Device,
) -> Result<Tensor> {
    let (threshold, scale) = (dropout_threshold(rate), (1.0 / (1.0 - rate)) as f32);
    let n = batch.width();
    let mut mask = vec![0.0_f32; batch.sentences() * heads * n * n];
    mask.par_chunks_mut(n).enumerate().with_min_len(64).for_each(|(index, row)| {
        let (query, head, sentence) = (index % n, index / n % heads, index / n / heads);
        fill(
            row,
            attention_lane(stream, layer, batch.sentence_number(sentence), head, query),
            threshold,
            scale,
        );
    });
    Ok(Tensor::from_vec(mask, (batch.sentences(), heads, n, n), device)?)
}

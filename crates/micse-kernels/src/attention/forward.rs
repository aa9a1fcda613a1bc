//! The forward pass of attention.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    AttentionDropout, DistanceBias, HeadDropout, Layout, Rows, SCRATCH, Scratch, Tile, copy, first_distance,
    parts,
};
use crate::bf16::RoundedRows;
use crate::exp::exp_not_positive;
use crate::grid::{Block, Grid};
use crate::simd::{LANES, fold, highest_of, padded, vectorised};
use crate::small::{Left, small_product};

/// With fewer sentences than this, the heads of a sentence are tasks of their own.
const FEW_SENTENCES: usize = 16;

/// Scores are computed by blocks of queries with about this many scores, which stay in the cache, and whole tiles of
/// the product.
const BLOCK: usize = 1 << 13;
const BLOCK_ROWS: usize = 24;

/// Up to so many rows, products read queries and values where they are. Copies of more rows cost nothing that could be
/// measured, and are not spread over as many pages of memory.
const IN_PLACE: usize = 48;

/// One head of one tile of a sentence.
struct Head<'a> {
    /// The sentence's rows of queries, keys and values: `[rows, 3 D]`.
    qkv: &'a [f32],
    tile: Tile,
    window: Option<usize>,
    /// Position of every query of the tile.
    positions: &'a [u32],
    /// The head's first column among D.
    column: usize,
    hidden: usize,
    size: usize,
    dropout: Option<HeadDropout>,
    /// The head's bias by distance.
    bias: Option<&'a [f32]>,
}

impl<'a> Head<'a> {
    /// The tile's queries, and the distance of their rows: where they are if their rows are neighbours and few, else
    /// copied.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn queries(&self, copies: &'a mut Rows, columns: Range<usize>, width: usize) -> (&'a [f32], usize) {
        match self.positions {
            [first, .., last]
                if (last - first) as usize + 1 == self.positions.len()
                    && self.positions.len() <= IN_PLACE =>
            {
                (&self.qkv[*first as usize * width + columns.start..], width)
            }
            positions => {
                copies.gather(self.qkv, width, columns, positions.iter().map(|&p| p as usize));
                (&copies.data, copies.stride)
            }
        }
    }

    /// Likewise the values of its keys, whose rows must be whole vectors.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn values(&self, copies: &'a mut Rows, columns: Range<usize>, width: usize) -> (&'a [f32], usize) {
        if self.size.is_multiple_of(LANES) && self.tile.keys <= IN_PLACE {
            return (&self.qkv[self.tile.key * width + columns.start..], width);
        }
        copies.gather(self.qkv, width, columns, self.tile.key..self.tile.key + self.tile.keys);
        (&copies.data, copies.stride)
    }
}

/// Turns x, whole vectors, into softmax(s x) over the entries `seen`, and zero elsewhere.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn softmax(row: &mut [f32], seen: Range<usize>, scale: f32) {
    debug_assert!(row.len().is_multiple_of(LANES));
    if seen.is_empty() {
        return row.fill(0.0);
    }
    row[..seen.start].fill(f32::NEG_INFINITY);
    row[seen.end..].fill(f32::NEG_INFINITY);
    // Loops over whole vectors, because a row often has only one.
    let vectors = row.as_chunks_mut::<LANES>().0;
    let mut highest = [f32::NEG_INFINITY; LANES];
    for vector in &*vectors {
        for (highest, &x) in highest.iter_mut().zip(vector) {
            *highest = if x > *highest { x } else { *highest };
        }
    }
    let highest = highest_of(highest);
    for vector in vectors {
        for x in vector {
            *x = exp_not_positive((*x - highest) * scale);
        }
    }
    row[..seen.start].fill(0.0);
    row[seen.end..].fill(0.0);
    let vectors = row.as_chunks_mut::<LANES>().0;
    let mut sums = [0.0_f32; LANES];
    for vector in &*vectors {
        for (sum, &x) in sums.iter_mut().zip(vector) {
            *sum += x;
        }
    }
    let inverse = 1.0 / fold(sums);
    // A loop inside a loop would be compiled to one that gathers and scatters strided elements.
    for x in vectors.as_flattened_mut() {
        *x *= inverse;
    }
}

vectorised! {
    /// `context`: the head's columns of the sentence's rows, of which the tile's are written. `map`: `[queries, stride]`,
    /// if it is kept.
    fn head_forward(context: &mut Block<'_>, map: Option<&mut [f32]>, head: &Head<'_>, scratch: &mut Scratch) {
        let (tile, size, width) = (head.tile, head.size, 3 * head.hidden);
        let (stride, keys) = (tile.stride(), tile.keys);
        let at = |part: usize| part * head.hidden + head.column..part * head.hidden + head.column + size;
        let Scratch { query, turned, value, scores, dropped, out, .. } = scratch;
        let (queries, query_stride) = head.queries(query, at(0), width);
        turned.transpose(&head.qkv[tile.key * width..], width, at(1), keys);
        let (values, value_stride) = head.values(value, at(2), width);
        let scale = 1.0 / (size as f32).sqrt();
        let block = (BLOCK / stride).max(1).next_multiple_of(BLOCK_ROWS);
        let mut maps = map.map(|map| map.chunks_mut(block * stride));
        for (number, positions) in head.positions.chunks(block).enumerate() {
            let (first, count) = (number * block, positions.len());
            let scores = match maps.as_mut().and_then(Iterator::next) {
                Some(map) => map,
                None => scores.room(count, keys),
            };
            let left = Left::Rows { data: &queries[first * query_stride..], stride: query_stride };
            small_product(scores, stride, left, &turned.data, turned.stride, (count, size, stride));
            if let Some(bias) = head.bias {
                // The softmax scales its input.
                let inverse = (size as f32).sqrt();
                for (row, &p) in scores.chunks_exact_mut(stride).zip(positions) {
                    for (x, &b) in row.iter_mut().zip(&bias[first_distance(bias, p) + tile.key..][..keys]) {
                        *x = b.mul_add(inverse, *x);
                    }
                }
            }
            for (row, &p) in scores.chunks_exact_mut(stride).zip(positions) {
                softmax(row, tile.seen(head.window, p), scale);
            }
            let weights = match head.dropout {
                None => &*scores,
                Some(d) => {
                    let dropped = dropped.room(count, keys);
                    for ((row, scores), &p) in
                        dropped.chunks_exact_mut(stride).zip(scores.chunks_exact(stride)).zip(positions)
                    {
                        let lane = d.stream.with(u64::from(p)).lane();
                        for (key, (out, &value)) in row.iter_mut().zip(scores).enumerate() {
                            let keeps = lane.draw((tile.key + key) as u32) >= d.threshold;
                            *out = value * if keeps { d.scale } else { 0.0 };
                        }
                    }
                    &*dropped
                }
            };
            let out_stride = padded(size);
            let out = out.room(count, size);
            let left = Left::Rows { data: weights, stride };
            small_product(out, out_stride, left, values, value_stride, (count, keys, out_stride));
            for (row, out) in out.chunks_exact(out_stride).enumerate() {
                let row = tile.query + first + row;
                copy(context.row(row, head.column..head.column + size), &out[..size]);
            }
        }
    }
}

/// Attention of all heads and sentences.
///
/// `qkv` is `[rows, 3 D]`: queries, keys and values, biases included. Writes `[queries, D]` to `context`, the same in
/// bfloat16 to `rounded`, and the attention before dropout to `maps` ([`Layout::map_elements`]), if given.
pub fn attention(
    context: &mut [f32],
    rounded: Option<RoundedRows<'_>>,
    maps: Option<&mut [f32]>,
    qkv: &[f32],
    layout: &Layout,
    dropout: Option<AttentionDropout<'_>>,
    bias: Option<DistanceBias<'_>>,
) {
    let hidden = layout.hidden();
    assert_eq!(qkv.len(), layout.rows() * 3 * hidden, "queries, keys and values of all rows");
    let contexts = parts(context, layout.places.iter().map(|p| p.queries * hidden));
    let maps = of_each(maps, layout.places.iter().map(|p| layout.heads * p.map_len));
    // Sentences alone are enough tasks if there are many.
    let fewest = if contexts.len() < FEW_SENTENCES { 1 } else { layout.heads };
    assert!(rounded.as_ref().is_none_or(|rounded| rounded.rows() == layout.queries()), "one row per query");
    let rounded = RoundedRows::parts(rounded, layout.places.iter().map(|p| p.queries));
    contexts.into_par_iter().zip(rounded).zip(maps).enumerate().for_each(
        |(sentence, ((rows, rounded), maps))| {
            let place = layout.places[sentence];
            if place.queries == 0 {
                return;
            }
            let context = Grid::new(rows, place.queries, hidden);
            let maps = of_each(maps, std::iter::repeat_n(place.map_len, layout.heads));
            maps.into_par_iter().with_min_len(fewest).enumerate().for_each(|(h, mut map)| {
                let column = h * layout.head_size;
                let columns = column..column + layout.head_size;
                // SAFETY: every head has its own columns.
                #[allow(unsafe_code)]
                let mut context = unsafe { context.columns(columns.clone()) };
                for tile in layout.tiles(&place) {
                    if tile.keys == 0 {
                        for row in tile.query..tile.query + tile.queries {
                            context.row(row, columns.clone()).fill(0.0);
                        }
                        continue;
                    }
                    let head = Head {
                        qkv: &qkv[place.row * 3 * hidden..(place.row + place.rows) * 3 * hidden],
                        tile: *tile,
                        window: layout.window(),
                        positions: layout.positions(&place, tile),
                        column,
                        hidden,
                        size: layout.head_size,
                        dropout: HeadDropout::new(dropout, sentence, h),
                        bias: bias.map(|bias| bias.of(h)),
                    };
                    let map = map.as_mut().map(|map| &mut map[tile.map()]);
                    SCRATCH.with_borrow_mut(|scratch| head_forward(&mut context, map, &head, scratch));
                }
            });
            if let Some(mut rounded) = rounded {
                rows.chunks_exact(hidden).enumerate().for_each(|(r, row)| rounded.round(r, row));
            }
        },
    );
}

/// [`parts`] of a buffer that may be absent.
fn of_each(buffer: Option<&mut [f32]>, lengths: impl Iterator<Item = usize>) -> Vec<Option<&mut [f32]>> {
    match buffer {
        Some(buffer) => parts(buffer, lengths).into_iter().map(Some).collect(),
        None => lengths.map(|_| None).collect(),
    }
}

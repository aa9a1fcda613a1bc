//! The backward pass of attention.

use rayon::prelude::*;

use super::{AttentionDropout, HeadDropout, Layout, SCRATCH, Scratch, Tile, copy, first_distance, parts};
use crate::bf16::RoundedRows;
use crate::simd::{LANES, fold, padded, vectorised};
use crate::small::{Left, small_product};

/// Gradients that reach single map entries from outside (attention values read by a loss).
#[derive(Clone, Copy, Debug, Default)]
pub struct Taps<'a> {
    /// Whether the values were read after dropout.
    pub after_dropout: bool,
    /// (index in the buffer of maps, gradient), one map's entries after the other; entries with the same index add
    /// up in order.
    pub entries: &'a [(u32, f32)],
    /// Where the entries of each map begin, with maps in the order of sentence and head, and the end of the last
    /// ones. Empty if there are no entries.
    pub maps: &'a [u32],
}

impl Head<'_> {
    /// Adds the gradients of the taps in this tile.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn add_taps(&self, slope: &mut [f32]) {
        for &(place, gradient) in self.taps {
            let own = (place as usize).checked_sub(self.map_start).and_then(|at| slope.get_mut(at));
            if let Some(slope) = own {
                *slope += gradient;
            }
        }
    }
}

impl<'a> Taps<'a> {
    /// The entries of one map.
    fn of(&self, map: usize) -> &'a [(u32, f32)] {
        match self.maps {
            [] => &[],
            maps => &self.entries[maps[map] as usize..maps[map + 1] as usize],
        }
    }
}

/// One head of one tile of a sentence.
struct Head<'a> {
    /// The sentence's rows: `[rows, 3 D]`.
    qkv: &'a [f32],
    /// The tile's rows of the context's gradient: `[queries, D]`.
    gradient: &'a [f32],
    /// The tile's part of P: `[queries, stride]`.
    map: &'a [f32],
    /// Start of that part in the buffer of maps.
    map_start: usize,
    /// The taps of the head, in this and in other tiles.
    taps: &'a [(u32, f32)],
    taps_after_dropout: bool,
    tile: Tile,
    /// Whether other tiles of the sentence share its keys, so that gradients of keys and values add up.
    shares_keys: bool,
    positions: &'a [u32],
    column: usize,
    hidden: usize,
    size: usize,
    dropout: Option<HeadDropout>,
}

vectorised! {
    /// `out`: the sentence's rows `[rows, 3 D]`; writes the head's columns. `bias`: the head's sums by distance.
    fn head_backward(out: &mut [f32], bias: Option<&mut [f32]>, head: &Head<'_>, scratch: &mut Scratch) {
        let (tile, size, hidden, width) = (head.tile, head.size, head.hidden, 3 * head.hidden);
        let (stride, queries, keys, wide) = (tile.stride(), tile.queries, tile.keys, padded(head.size));
        let key_rows = tile.key..tile.key + keys;
        let at = |part: usize| part * hidden + head.column..part * hidden + head.column + size;
        let Scratch { query, key, context, turned, dropped, slope, out: room, .. } = scratch;
        query.gather(head.qkv, width, at(0), head.positions.iter().map(|&p| p as usize));
        key.gather(head.qkv, width, at(1), key_rows.clone());
        turned.transpose(&head.qkv[tile.key * width..], width, at(2), keys);
        context.gather(head.gradient, hidden, head.column..head.column + size, 0..queries);

        let slope = slope.room(queries, keys);
        let left = Left::Rows { data: &context.data, stride: wide };
        small_product(slope, stride, left, &turned.data, turned.stride, (queries, size, stride));
        if head.taps_after_dropout {
            head.add_taps(slope);
        }
        let weights = match head.dropout {
            None => head.map,
            Some(d) => {
                let dropped = dropped.room(queries, keys);
                for (((row, slope), map), &p) in dropped
                    .chunks_exact_mut(stride)
                    .zip(slope.chunks_exact_mut(stride))
                    .zip(head.map.chunks_exact(stride))
                    .zip(head.positions)
                {
                    let lane = d.stream.with(u64::from(p)).lane();
                    for (key, ((out, slope), &value)) in row.iter_mut().zip(slope).zip(map).enumerate() {
                        let key = (tile.key + key) as u32;
                        let factor = if lane.draw(key) >= d.threshold { d.scale } else { 0.0 };
                        *out = value * factor;
                        *slope *= factor;
                    }
                }
                &*dropped
            }
        };
        if !head.taps_after_dropout {
            head.add_taps(slope);
        }

        // dV
        let rows = room.room(keys, size);
        let left = Left::Columns { data: weights, stride };
        small_product(rows, wide, left, &context.data, wide, (keys, queries, wide));
        write(out, width, at(2), rows, wide, key_rows.clone(), head.shares_keys);
        // dS
        let scale = 1.0 / (size as f32).sqrt();
        for (slope, map) in slope.chunks_exact_mut(stride).zip(head.map.chunks_exact(stride)) {
            let mut sums = [0.0_f32; LANES];
            for (slope, map) in slope.as_chunks::<LANES>().0.iter().zip(map.as_chunks::<LANES>().0) {
                for ((sum, &slope), &p) in sums.iter_mut().zip(slope).zip(map) {
                    *sum = slope.mul_add(p, *sum);
                }
            }
            let mean = fold(sums);
            for (slope, &p) in slope.iter_mut().zip(map) {
                *slope = p * (*slope - mean) * scale;
            }
        }
        if let Some(sums) = bias {
            let inverse = (size as f32).sqrt();
            for (row, &p) in slope.chunks_exact(stride).zip(head.positions) {
                let first = first_distance(sums, p) + tile.key;
                for (sum, &slope) in sums[first..][..keys].iter_mut().zip(row) {
                    *sum = slope.mul_add(inverse, *sum);
                }
            }
        }
        // dQ
        let rows = room.room(queries, size);
        let left = Left::Rows { data: slope, stride };
        small_product(rows, wide, left, &key.data, wide, (queries, keys, wide));
        write(out, width, at(0), rows, wide, head.positions.iter().map(|&p| p as usize), false);
        // dK
        let rows = room.room(keys, size);
        let left = Left::Columns { data: slope, stride };
        small_product(rows, wide, left, &query.data, wide, (keys, queries, wide));
        write(out, width, at(1), rows, wide, key_rows, head.shares_keys);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn write(
    out: &mut [f32],
    width: usize,
    columns: std::ops::Range<usize>,
    rows: &[f32],
    stride: usize,
    to: impl Iterator<Item = usize>,
    adds: bool,
) {
    for (row, to) in rows.chunks_exact(stride).zip(to) {
        let out = &mut out[to * width + columns.start..to * width + columns.end];
        if adds {
            out.iter_mut().zip(row).for_each(|(out, &value)| *out += value);
        } else {
            copy(out, &row[..columns.len()]);
        }
    }
}

/// Backward pass of [`super::attention`]: `out` receives the gradients of queries, keys and values `[rows, 3 D]`,
/// computed from the gradient of the context `[queries, D]`, the maps written by the forward pass, and the taps.
/// `bias` receives the gradient of a [`super::DistanceBias`] per sentence, `[sentences, heads, 2 reach - 1]`; it
/// is empty without one. `rounded` receives `out` in bfloat16.
#[allow(clippy::too_many_arguments)] // kernels take their buffers and sizes one by one
pub fn attention_backward(
    out: &mut [f32],
    rounded: Option<RoundedRows<'_>>,
    bias: &mut [f32],
    gradient: &[f32],
    maps: &[f32],
    qkv: &[f32],
    layout: &Layout,
    dropout: Option<AttentionDropout<'_>>,
    taps: Taps<'_>,
) {
    let hidden = layout.hidden();
    let outs = parts(out, layout.places.iter().map(|p| p.rows * 3 * hidden));
    bias.fill(0.0);
    let own = bias.len() / layout.places.len().max(1);
    let biases = parts(bias, layout.places.iter().map(|_| own));
    assert!(
        rounded.as_ref().is_none_or(|rounded| rounded.rows() == layout.rows()),
        "one row per row of the batch"
    );
    let rounded = RoundedRows::parts(rounded, layout.places.iter().map(|p| p.rows));
    outs.into_par_iter().zip(rounded).zip(biases).enumerate().for_each(
        |(sentence, ((out, rounded), bias))| {
            let place = layout.places[sentence];
            let tiles = layout.tiles(&place);
            if place.queries < place.rows || place.keys < place.rows || tiles.len() > 1 {
                // Rows that are not queries, and rows that are not keys, have no gradient there.
                out.fill(0.0);
            }
            for tile in tiles.iter().filter(|tile| tile.keys > 0) {
                let first_query = place.first_query + tile.query;
                SCRATCH.with_borrow_mut(|scratch| {
                    for h in 0..layout.heads {
                        let map = place.map + h * place.map_len..place.map + (h + 1) * place.map_len;
                        let head = Head {
                            qkv: &qkv[place.row * 3 * hidden..(place.row + place.rows) * 3 * hidden],
                            gradient: &gradient[first_query * hidden..(first_query + tile.queries) * hidden],
                            map_start: map.start + tile.map().start,
                            map: &maps[map][tile.map()],
                            taps: taps.of(sentence * layout.heads + h),
                            taps_after_dropout: taps.after_dropout,
                            tile: *tile,
                            shares_keys: tiles.len() > 1,
                            positions: layout.positions(&place, tile),
                            column: h * layout.head_size,
                            hidden,
                            size: layout.head_size,
                            dropout: HeadDropout::new(dropout, sentence, h),
                        };
                        let width = bias.len() / layout.heads;
                        let sums = (width > 0).then(|| &mut bias[h * width..(h + 1) * width]);
                        head_backward(out, sums, &head, scratch);
                    }
                });
            }
            if let Some(mut rounded) = rounded {
                out.chunks_exact(3 * hidden).enumerate().for_each(|(r, row)| rounded.round(r, row));
            }
        },
    );
}

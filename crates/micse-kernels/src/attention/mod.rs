//! Multi-head self-attention of packed sentences, each at its true length, forward and backward.
//!
//! For a sentence of n rows and a head of width d, with scale s = 1 / sqrt(d) and a dropout mask M (0 or
//! 1 / (1 - rate)):
//!
//! ```text
//! P = softmax(s Q K^T)             context = (P M) V
//! dV = (P M)^T dC                  dP = (dC V^T) M + taps
//! dS = P (dP - rowsum(P dP)) s     dQ = dS K      dK = dS^T Q
//! ```
//!
//! With a bias by distance ([`DistanceBias`]), P = softmax(s Q K^T + B), and dB = dS / s.
//!
//! With a window, P is 0 for keys that are too far from their query. A sentence is then computed in tiles of
//! neighbouring queries, each with the keys that these see, so that time and memory grow with the window, not with
//! the length of the sentence. A query without any key in its window (a pad row) has a context of zero.
//!
//! The maps P of a pass, if they are kept, are stored one after the other in one buffer, tile by tile, each row padded
//! with zeros to full vectors; [`Layout::place`] locates an entry.

mod backward;
mod forward;
mod layout;
#[cfg(target_arch = "x86_64")]
mod transpose_avx512;

use std::cell::RefCell;
use std::ops::Range;

use micse_random::Stream;

#[cfg(target_arch = "x86_64")]
use crate::simd::has_wide_registers;
use crate::simd::{LANES, padded};

pub use backward::{Taps, attention_backward};
pub use forward::attention;
pub use layout::Layout;
use layout::Tile;

/// Dropout of attention: P(query, key) of a head is kept if and only if
/// `stream.with(head).with(query).lane().draw(key) >= threshold`, with the sentence's stream and the query's
/// position in the sentence.
#[derive(Clone, Copy, Debug)]
pub struct AttentionDropout<'a> {
    /// One stream per sentence.
    pub streams: &'a [Stream],
    /// `floor(rate * 2^32)`.
    pub threshold: u32,
    /// 1 / (1 - rate).
    pub scale: f32,
}

/// Added to the scores of each head, by the distance from query to key (Raffel et al. 2020; MPNet, Song et al.
/// 2020).
#[derive(Clone, Copy, Debug)]
pub struct DistanceBias<'a> {
    /// `[heads, 2 reach - 1]`: the bias of a query and a key is at `reach - 1 + key - query`.
    pub table: &'a [f32],
    /// Larger than every position in the batch.
    pub reach: usize,
}

impl<'a> DistanceBias<'a> {
    /// Entries per head.
    pub fn width(reach: usize) -> usize {
        2 * reach - 1
    }

    fn of(self, head: usize) -> &'a [f32] {
        let width = Self::width(self.reach);
        &self.table[head * width..(head + 1) * width]
    }
}

/// Start of the entries of one query's keys in a head's part of the distance table.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn first_distance(table: &[f32], query: u32) -> usize {
    table.len() / 2 - query as usize
}

/// Dropout of one head: an [`AttentionDropout`] with its stream.
#[derive(Clone, Copy)]
struct HeadDropout {
    stream: Stream,
    threshold: u32,
    scale: f32,
}

impl HeadDropout {
    fn new(dropout: Option<AttentionDropout<'_>>, sentence: usize, head: usize) -> Option<Self> {
        dropout.map(|d| Self {
            stream: d.streams[sentence].with(head as u64),
            threshold: d.threshold,
            scale: d.scale,
        })
    }
}

/// Copies of one head's operands: rows of a matrix, padded with zeros to full vectors.
#[derive(Default)]
struct Rows {
    data: Vec<f32>,
    stride: usize,
}

impl Rows {
    /// Copies columns of the given rows of a matrix with `stride` columns.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn gather(
        &mut self,
        matrix: &[f32],
        stride: usize,
        columns: Range<usize>,
        rows: impl Iterator<Item = usize>,
    ) {
        self.stride = padded(columns.len());
        self.data.clear();
        for row in rows {
            let start = row * stride + columns.start;
            let at = self.data.len();
            self.data.resize(at + self.stride, 0.0);
            copy(&mut self.data[at..at + columns.len()], &matrix[start..start + columns.len()]);
        }
    }

    /// Space for `rows` rows of `columns` columns; contains data from earlier uses.
    fn room(&mut self, rows: usize, columns: usize) -> &mut [f32] {
        self.stride = padded(columns);
        if self.data.len() < rows * self.stride {
            self.data.resize(rows * self.stride, 0.0);
        }
        &mut self.data[..rows * self.stride]
    }

    /// Transposes columns of the first `rows` rows of a matrix into `columns.len()` rows, padded with zeros. The stride
    /// is an odd number of vectors: with a power of 2, all rows would compete for a few places of the cache.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn transpose(&mut self, matrix: &[f32], stride: usize, columns: Range<usize>, rows: usize) {
        let width = (rows.div_ceil(LANES) | 1) * LANES;
        let room = self.room(columns.len(), width);
        #[cfg(target_arch = "x86_64")]
        if has_wide_registers() && columns.len().is_multiple_of(LANES) {
            let (from, size) = (&matrix[columns.start..], (rows, columns.len()));
            // SAFETY: the CPU has AVX-512.
            #[allow(unsafe_code)]
            unsafe {
                transpose_avx512::transpose(room, width, from, stride, size);
            }
            return;
        }
        // By blocks of rows, so that whole cache lines are written.
        for first in (0..rows).step_by(LANES) {
            let sources = matrix[first * stride..].chunks(stride).take(LANES.min(rows - first));
            let mut block = [&[][..]; LANES];
            for (block, source) in block.iter_mut().zip(sources) {
                *block = &source[columns.clone()];
            }
            for (c, out) in room.chunks_exact_mut(width).enumerate() {
                for (out, source) in out[first..][..LANES].iter_mut().zip(block) {
                    *out = source.get(c).copied().unwrap_or(0.0);
                }
            }
        }
    }
}

/// `copy_from_slice` for the columns of a head, without a call for the usual sizes.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn copy(to: &mut [f32], from: &[f32]) {
    if let (Some(to), Some(from)) = (to.as_mut_array::<32>(), from.as_array::<32>()) {
        *to = *from;
    } else if let (Some(to), Some(from)) = (to.as_mut_array::<64>(), from.as_array::<64>()) {
        *to = *from;
    } else {
        to.copy_from_slice(from);
    }
}

/// Buffers per thread.
#[derive(Default)]
struct Scratch {
    query: Rows,
    key: Rows,
    value: Rows,
    context: Rows,
    turned: Rows,
    scores: Rows,
    dropped: Rows,
    slope: Rows,
    out: Rows,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// Splits a buffer into the sentences' parts, of the given lengths.
fn parts(mut buffer: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let mut parts = Vec::new();
    for length in lengths {
        let (part, rest) = buffer.split_at_mut(length);
        parts.push(part);
        buffer = rest;
    }
    parts
}

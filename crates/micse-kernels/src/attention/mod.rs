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
//! The maps P of a pass are stored one after the other in one buffer, each row padded with zeros to full vectors;
//! [`Layout::place`] locates an entry.

mod backward;
mod forward;

use std::cell::RefCell;
use std::ops::Range;

use micse_random::Stream;

use crate::simd::padded;

pub use backward::{Taps, attention_backward};
pub use forward::attention;

/// One sentence of a batch.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its first row.
    row: usize,
    /// Number of rows.
    rows: usize,
    /// Number of rows that are keys.
    keys: usize,
    /// First entry in the list of queries, and so first row of the context.
    first_query: usize,
    queries: usize,
    /// Start of its maps.
    map: usize,
}

impl Place {
    /// Elements from one row of a map to the next.
    fn stride(&self) -> usize {
        padded(self.keys)
    }

    /// Elements of one head's map.
    fn map_len(&self) -> usize {
        self.queries * self.stride()
    }
}

/// Positions of a batch's sentences, and which rows are queries.
#[derive(Clone, Debug)]
pub struct Layout {
    heads: usize,
    head_size: usize,
    places: Vec<Place>,
    /// Position of every query in its sentence.
    queries: Vec<u32>,
    rows: usize,
    maps: usize,
}

impl Layout {
    /// A layout of consecutive sentences, each with (rows, keys): its first `keys` rows are keys, and all rows are
    /// queries.
    pub fn new(heads: usize, head_size: usize, sentences: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut layout = Self { heads, head_size, places: Vec::new(), queries: Vec::new(), rows: 0, maps: 0 };
        for (rows, keys) in sentences {
            assert!(keys <= rows && keys > 0, "{keys} keys in a sentence of {rows} rows");
            layout.push(rows, keys, (0..rows as u32).collect::<Vec<_>>().as_slice());
        }
        layout
    }

    /// The same sentences, with only the given rows of the batch (ascending) as queries: the context has one row
    /// for each.
    #[must_use]
    pub fn asking(&self, rows: &[u32]) -> Self {
        let mut layout = Self {
            heads: self.heads,
            head_size: self.head_size,
            places: Vec::new(),
            queries: Vec::new(),
            rows: 0,
            maps: 0,
        };
        let mut rest = rows;
        for place in &self.places {
            let end = rest.partition_point(|&r| (r as usize) < place.row + place.rows);
            let (own, later) = rest.split_at(end);
            let positions: Vec<u32> = own.iter().map(|&r| r - place.row as u32).collect();
            layout.push(place.rows, place.keys, &positions);
            rest = later;
        }
        assert!(rest.is_empty(), "query rows must be ascending and within the batch");
        layout
    }

    fn push(&mut self, rows: usize, keys: usize, positions: &[u32]) {
        let place = Place {
            row: self.rows,
            rows,
            keys,
            first_query: self.queries.len(),
            queries: positions.len(),
            map: self.maps,
        };
        self.queries.extend_from_slice(positions);
        self.rows += rows;
        self.maps += self.heads * place.map_len();
        self.places.push(place);
    }

    /// Number of rows in the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of queries, which is the number of context rows.
    pub fn queries(&self) -> usize {
        self.queries.len()
    }

    /// Number of elements in the buffer of all maps.
    pub fn map_elements(&self) -> usize {
        self.maps
    }

    /// Number of maps: sentences times heads.
    pub fn maps(&self) -> usize {
        self.places.len() * self.heads
    }

    /// Index of P of (sentence, head, query, key) in the buffer of maps; `query` counts only the sentence's
    /// queries.
    pub fn place(&self, sentence: usize, head: usize, query: usize, key: usize) -> usize {
        let place = &self.places[sentence];
        place.map + head * place.map_len() + query * place.stride() + key
    }

    fn hidden(&self) -> usize {
        self.heads * self.head_size
    }

    fn positions(&self, place: &Place) -> &[u32] {
        &self.queries[place.first_query..place.first_query + place.queries]
    }
}

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
            self.data.extend_from_slice(&matrix[start..start + columns.len()]);
            self.data.resize(self.data.len() + self.stride - columns.len(), 0.0);
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

    /// Transposes columns of the first `rows` rows of a matrix into `columns.len()` rows, padded with zeros.
    #[inline(always)]
    #[allow(clippy::inline_always)] // part of vectorised bodies
    fn transpose(&mut self, matrix: &[f32], stride: usize, columns: Range<usize>, rows: usize) {
        let width = padded(rows);
        let room = self.room(columns.len(), rows);
        room.fill(0.0);
        for row in 0..rows {
            let source = &matrix[row * stride + columns.start..][..columns.len()];
            for (c, &value) in source.iter().enumerate() {
                room[c * width + row] = value;
            }
        }
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

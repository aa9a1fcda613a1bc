//! The scan: compares every row with every query.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::rows::Rows;
use crate::{Error, Npy, Result};

/// Bytes of rows that a thread reads at a time: they stay in its cache while all queries are compared with them.
const BLOCK_BYTES: usize = 1 << 18;
/// Number of partial sums of an inner product.
const LANES: usize = 16;

/// A row found by a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Row number in the file, from 0.
    pub row: usize,
    /// Cosine with the query, between -1 and 1 up to rounding.
    pub cosine: f64,
}

/// A better hit is greater: first by cosine, then by a smaller row number.
#[derive(PartialEq)]
struct Ranked(Hit);

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cosine.total_cmp(&other.0.cosine).then(other.0.row.cmp(&self.0.row))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The best hits so far; the top of the heap is the worst of them.
#[derive(Default)]
struct Best(BinaryHeap<Reverse<Ranked>>);

impl Best {
    fn offer(&mut self, hit: Hit, top: usize) {
        let hit = Ranked(hit);
        if self.0.len() < top {
            self.0.push(Reverse(hit));
        } else if let Some(mut worst) = self.0.peek_mut()
            && hit > worst.0
        {
            *worst = Reverse(hit);
        }
    }

    fn into_hits(self) -> Vec<Hit> {
        // `Reverse` sorts the best first.
        self.0.into_sorted_vec().into_iter().map(|Reverse(Ranked(hit))| hit).collect()
    }
}

/// Rows with their norms, ready for searching.
#[derive(Debug)]
pub struct Index {
    rows: Rows,
    norms: Vec<f64>,
}

impl Index {
    /// Reads the file once to compute the norms of its rows: 8 bytes of memory per row.
    ///
    /// # Errors
    /// The file cannot be read or has no rows, or a row contains NaN or infinity.
    pub fn new(rows: Npy) -> Result<Self> {
        if rows.rows() == 0 {
            return Err(Error::format(rows.path(), "it has no rows; encode a text with sentences"));
        }
        Self::of(Rows::File(rows))
    }

    /// An index of rows in memory, which are copied.
    ///
    /// # Errors
    /// There are no rows, they differ in length, or one contains NaN or infinity.
    pub fn from_rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self> {
        Self::of(Rows::in_memory(rows)?)
    }

    fn of(rows: Rows) -> Result<Self> {
        let blocks: Vec<Vec<f64>> = blocks(&rows)
            .into_par_iter()
            .map(|(first, count)| {
                let values = rows.read(first, count)?;
                Ok(values.chunks_exact(rows.columns()).map(norm).collect())
            })
            .collect::<Result<_>>()?;
        let norms = blocks.concat();
        match norms.iter().position(|norm| !norm.is_finite()) {
            Some(row) => Err(rows.not_finite(row)),
            None => Ok(Self { rows, norms }),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries per row.
    pub fn dimension(&self) -> usize {
        self.rows.columns()
    }

    /// A row's entries.
    ///
    /// # Errors
    /// The row cannot be read.
    ///
    /// # Panics
    /// If `row` is not below [`len`](Self::len).
    pub fn row(&self, row: usize) -> Result<Vec<f32>> {
        Ok(self.rows.read(row, 1)?.into_owned())
    }

    /// The `top` rows with the largest cosine for each query, best first, or all rows if there are fewer. Equal
    /// cosines are ordered by row number. A zero vector has cosine 0 with everything.
    ///
    /// The cosine is `q.x / (|q| |x|)`, with sums in f64 in a fixed order. Products of two f32 are exact in f64,
    /// so the result does not depend on CPU, threads, or the other queries.
    ///
    /// # Errors
    /// A query has a different length than the rows, or contains NaN or infinity; the file cannot be read.
    pub fn search<Q: AsRef<[f32]>>(&self, queries: &[Q], top: usize) -> Result<Vec<Vec<Hit>>> {
        let queries: Vec<(Vec<f64>, f64)> = queries
            .iter()
            .enumerate()
            .map(|(i, query)| self.query(i, query.as_ref()))
            .collect::<Result<_>>()?;
        let top = top.min(self.len());
        let none = || -> Vec<Best> { queries.iter().map(|_| Best::default()).collect() };
        // The order of hits has no ties, so the result does not depend on which thread finds a hit.
        let best = blocks(&self.rows)
            .into_par_iter()
            .try_fold(none, |mut best, (first, count)| {
                let values = self.rows.read(first, count)?;
                for (best, (query, query_norm)) in best.iter_mut().zip(&queries) {
                    for (i, row) in values.chunks_exact(self.dimension()).enumerate() {
                        let norms = query_norm * self.norms[first + i];
                        // Adding 0 turns -0 into 0.
                        let cosine = if norms > 0.0 { dot(query, row) / norms + 0.0 } else { 0.0 };
                        best.offer(Hit { row: first + i, cosine }, top);
                    }
                }
                Ok(best)
            })
            .try_reduce(none, |mut all, more| {
                for (all, more) in all.iter_mut().zip(more) {
                    more.0.into_iter().for_each(|Reverse(Ranked(hit))| all.offer(hit, top));
                }
                Ok(all)
            })?;
        Ok(best.into_iter().map(Best::into_hits).collect())
    }

    /// A query in f64, and its norm.
    fn query(&self, number: usize, query: &[f32]) -> Result<(Vec<f64>, f64)> {
        if query.len() != self.dimension() {
            let reason = format!(
                "it has {} entries, but {} have {}; use the model that encoded them",
                query.len(),
                self.rows.name(),
                self.dimension()
            );
            return Err(Error::Query { query: number, reason });
        }
        let norm = norm(query);
        if !norm.is_finite() {
            return Err(Error::Query { query: number, reason: "it contains NaN or infinity".into() });
        }
        Ok((query.iter().map(|&value| f64::from(value)).collect(), norm))
    }
}

/// First row and number of rows of each block.
fn blocks(rows: &Rows) -> Vec<(usize, usize)> {
    let size = (BLOCK_BYTES / (size_of::<f32>() * rows.columns())).max(1);
    (0..rows.rows()).step_by(size).map(|first| (first, size.min(rows.rows() - first))).collect()
}

fn norm(row: &[f32]) -> f64 {
    let wide: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
    dot(&wide, row).sqrt()
}

/// The inner product, in partial sums that the compiler keeps in vector registers.
fn dot(a: &[f64], b: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * f64::from(b);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, &b)| a * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

//! The left operand: rows of bfloat16.

use super::isa::Isa;
use super::pack::{Block, Element, Source};
use super::rows::RoundedRows;
use super::view::Bf16View;
use crate::View;
use crate::line::{Line, WORDS, as_halves};
use rayon::prelude::*;

/// Rows per packing task.
const TASK_ROWS: usize = 64;

/// Lines packed from each row before continuing with the next lines. A transposed source then spans so few pages
/// at a time that the CPU keeps their addresses.
const CHUNK_LINES: usize = 32;

/// A left operand, m x k: bfloat16 rows at a stride of whole cache lines. Reuses its buffer between packings.
#[derive(Clone, Debug)]
pub struct Lhs {
    lines: Vec<Line>,
    rows: usize,
    depth: usize,
    isa: Isa,
}

impl Default for Lhs {
    fn default() -> Self {
        Self::new()
    }
}

impl Lhs {
    /// An empty operand (0 x 0).
    #[must_use]
    pub fn new() -> Self {
        Self { lines: Vec::new(), rows: 0, depth: 0, isa: Isa::best() }
    }

    /// An empty operand that portable code packs on every CPU. The packed bits are identical.
    #[must_use]
    pub fn portable() -> Self {
        Self { isa: Isa::Portable, ..Self::new() }
    }

    /// Packs `view`, m x k, as bfloat16. Fast if rows or columns are contiguous.
    pub fn pack(&mut self, view: View<'_>) {
        self.fill(Source::<f32>::by_rows(view.transposed()));
    }

    /// Copies `view`, m x k; useful if the view is transposed, because the kernel uses rows in place.
    pub fn pack_bf16(&mut self, view: Bf16View<'_>) {
        self.fill(Source::<u16>::by_rows(view.transposed()));
    }

    /// Space for m x k values that the caller rounds row by row. Rows that are not written are left over from
    /// earlier use.
    pub fn room(&mut self, rows: usize, depth: usize) -> RoundedRows<'_> {
        (self.rows, self.depth) = (rows, depth);
        let stride = row_lines(depth);
        let lines = rows * stride;
        if self.lines.len() < lines {
            // Not `resize`, which would copy values that nothing reads. Allocates a little more than requested,
            // because batches differ in size.
            self.lines = Vec::new();
            self.lines = vec![Line::ZERO; lines + lines / 8];
        }
        RoundedRows::new(&mut self.lines[..lines], stride, depth, self.isa)
    }

    /// The packed matrix, m x k.
    #[must_use]
    pub fn view(&self) -> Bf16View<'_> {
        Bf16View::new(as_halves(&self.lines), self.rows, self.depth, row_lines(self.depth) * 2 * WORDS)
    }

    fn fill<T: Element>(&mut self, source: Source<'_, T>) {
        (self.rows, self.depth) = (source.width(), source.depth());
        let row_lines = row_lines(self.depth);
        self.lines.resize(self.rows * row_lines, Line::ZERO);
        if self.lines.is_empty() {
            return;
        }
        // By rows, there is no reason to leave a row before its end.
        let chunk = if source.depth_stride() == 1 { row_lines } else { CHUNK_LINES };
        let isa = self.isa;
        for first in (0..row_lines).step_by(chunk) {
            let pairs = chunk.min(row_lines - first) * WORDS;
            self.lines.par_chunks_mut(TASK_ROWS * row_lines).enumerate().for_each(|(task, lines)| {
                let block = Block {
                    first_pair: first * WORDS,
                    pairs,
                    first_width: task * TASK_ROWS,
                    widths: lines.len() / row_lines,
                    pair_step: 1,
                    width_step: row_lines * WORDS,
                };
                source.fill(isa, &mut lines[first..], block);
            });
        }
    }
}

/// Lines per row: an odd number, so that adjacent rows map to different cache sets.
fn row_lines(depth: usize) -> usize {
    depth.div_ceil(2 * WORDS) | 1
}

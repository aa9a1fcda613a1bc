//! The left operand: rows of bfloat16.

use super::isa::Isa;
use super::line::{Line, WORDS, as_halves};
use super::pack::{Block, Element, Source};
use super::view::Bf16View;
use crate::View;
use rayon::prelude::*;

/// Rows of one packing task.
const TASK_ROWS: usize = 64;

/// Lines of each row that are packed before those that follow: a transposed source then lies in so few pages at a
/// time that the processor keeps their addresses.
const CHUNK_LINES: usize = 32;

/// A left operand, m x k: bfloat16 rows at a stride of whole cache lines. The buffer is kept between packings.
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

    /// An empty operand that is packed by portable code on every processor. The packed bits are the same.
    #[must_use]
    pub fn portable() -> Self {
        Self { isa: Isa::Portable, ..Self::new() }
    }

    /// Becomes the bfloat16 of `view`, m x k. Fast where rows or columns are contiguous.
    pub fn pack(&mut self, view: View<'_>) {
        self.fill(Source::<f32>::by_rows(view.transposed()));
    }

    /// Becomes a copy of `view`, m x k; of use where the view is transposed, since rows are used as they are.
    pub fn pack_bf16(&mut self, view: Bf16View<'_>) {
        self.fill(Source::<u16>::by_rows(view.transposed()));
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
        // By rows there is no reason to leave a row before its end.
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

/// Lines of one row: an odd number, so that neighbouring rows fall into different sets of the cache.
fn row_lines(depth: usize) -> usize {
    depth.div_ceil(2 * WORDS) | 1
}

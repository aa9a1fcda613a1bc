//! The right operand: panels of columns in pairs of rows, in the order in which the kernel reads them.

use super::isa::Isa;
use super::pack::{Block, Element, Source};
use super::view::Bf16View;
use crate::View;
use crate::line::{Line, WORDS};
use rayon::prelude::*;

/// Columns per panel.
pub(super) const PANEL: usize = 2 * WORDS;

/// Maximum pairs of rows per block of the depth; a panel's block then fits into the first-level cache.
const BLOCK_PAIRS: usize = 256;

/// Panels per packing task.
const TASK_PANELS: usize = 2;

/// A right operand, k x n. Reuses its buffer between packings.
///
/// The depth k is divided into blocks of equal size (the last can be shorter). A block contains its panels one
/// after the other, a panel its pairs of rows, and a pair 32 words (columns) of two bfloat16 values. Columns
/// beyond n and a row beyond an odd k are zero.
#[derive(Clone, Debug)]
pub struct Rhs {
    lines: Vec<Line>,
    depth: usize,
    columns: usize,
    isa: Isa,
}

impl Default for Rhs {
    fn default() -> Self {
        Self::new()
    }
}

impl Rhs {
    /// An empty operand (0 x 0).
    #[must_use]
    pub fn new() -> Self {
        Self { lines: Vec::new(), depth: 0, columns: 0, isa: Isa::best() }
    }

    /// An empty operand that portable code packs and multiplies on every CPU.
    #[must_use]
    pub fn portable() -> Self {
        Self::with(Isa::Portable)
    }

    pub(super) fn with(isa: Isa) -> Self {
        Self { isa, ..Self::new() }
    }

    /// Packs `view`, k x n, as bfloat16. Fast if rows or columns are contiguous.
    pub fn pack(&mut self, view: View<'_>) {
        self.fill(Source::<f32>::by_rows(view));
    }

    /// Copies `view`, k x n.
    pub fn pack_bf16(&mut self, view: Bf16View<'_>) {
        self.fill(Source::<u16>::by_rows(view));
    }

    /// The depth k.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Number of columns n.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    /// The blocks of the depth: first element, number of elements, and the panels' lines.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, usize, std::slice::ChunksExact<'_, Line>)> {
        let (block_pairs, panels) = (block_pairs(self.depth), self.panels());
        // At least one line per chunk, because a chunk size of 0 panics even for an empty slice.
        self.lines.chunks((block_pairs * panels * PANEL / WORDS).max(1)).enumerate().map(move |(i, lines)| {
            let first = 2 * i * block_pairs;
            let depth = (self.depth - first).min(2 * block_pairs);
            (first, depth, lines.chunks_exact(lines.len() / panels))
        })
    }

    /// Number of panels.
    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(PANEL)
    }

    fn fill<T: Element>(&mut self, source: Source<'_, T>) {
        (self.depth, self.columns) = (source.depth(), source.width());
        let (block_pairs, panels) = (block_pairs(self.depth), self.panels());
        self.lines.resize(self.depth.div_ceil(2) * panels * PANEL / WORDS, Line::ZERO);
        if self.lines.is_empty() {
            return;
        }
        let isa = self.isa;
        let block_lines = block_pairs * panels * PANEL / WORDS;
        self.lines.par_chunks_mut(block_lines).enumerate().for_each(|(i, lines)| {
            let panel_lines = lines.len() / panels;
            let pairs = panel_lines * WORDS / PANEL;
            lines.par_chunks_mut(TASK_PANELS * panel_lines).enumerate().for_each(|(task, lines)| {
                for (panel, lines) in lines.chunks_mut(panel_lines).enumerate() {
                    let block = Block {
                        first_pair: i * block_pairs,
                        pairs,
                        first_width: (task * TASK_PANELS + panel) * PANEL,
                        widths: PANEL,
                        pair_step: PANEL,
                        width_step: 1,
                    };
                    source.fill(isa, lines, block);
                }
            });
        });
    }
}

/// Pairs of rows in each block of a depth, except the last block.
fn block_pairs(depth: usize) -> usize {
    let pairs = depth.div_ceil(2);
    pairs.div_ceil(pairs.div_ceil(BLOCK_PAIRS).max(1)).max(1)
}

//! Products that end in a non-linearity and in 8 bits: the first product of a feed-forward layer. The wide rows between
//! its two linear layers exist only as integers; in f32, a task has a block of them in the cache.

use std::cell::RefCell;

use rayon::prelude::*;

use super::activation::activate_row;
use super::product::{multiply, product};
use super::rows::{Part, Rounded, Rows, Values, parts, task_rows};
use super::weights::Weights;
use crate::activation::Activation;
use crate::grid::Grid;

/// With fewer tasks than this, the product is divided by columns too, so that all threads take part.
const FEW_TASKS: usize = 2;

thread_local! {
    /// A task's rows of the product.
    static BLOCK: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `y = f(x W^T + bias)` in 8 bits, `[rows, outputs]`, after multiplying each output channel by its factor
/// ([`Rows::round`]). Has the bits of a product, an [activation](super::activate) and a rounding one after the other.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// As in [`product`](super::product); or there is not one factor per output channel.
pub fn product_activated(
    activation: Activation,
    y: &mut Rows,
    factors: Option<&[f32]>,
    rows: &Rows,
    weights: &Weights,
    bias: &[f32],
) {
    let outputs = weights.outputs();
    assert!(rows.rows() == 0 || rows.inputs == weights.inputs(), "rows and weights have different inputs");
    assert!(outputs > 0 && bias.len() == outputs, "a bias needs one value per output channel");
    assert!(factors.is_none_or(|f| f.len() == outputs), "one factor per output channel");
    y.resize(rows.rows(), outputs);
    let (ranges, cuts) = (&mut y.ranges, &mut y.cuts);
    let work = Work { activation, factors, rows, weights, bias };
    let task = if work.is_small() { task_rows(outputs) } else { weights.isa.task_rows(rows.rows()) };
    match &mut y.values {
        Values::Halves(values) => work.run(task, parts(values, ranges, cuts, outputs, task)),
        Values::Bytes(values) => work.run(task, parts(values, ranges, cuts, outputs, task)),
    }
}

struct Work<'a> {
    activation: Activation,
    factors: Option<&'a [f32]>,
    rows: &'a Rows,
    weights: &'a Weights,
    bias: &'a [f32],
}

impl Work<'_> {
    fn is_small(&self) -> bool {
        self.rows.rows() < FEW_TASKS * self.weights.isa.task_rows(self.rows.rows())
    }

    /// Computes all parts, of up to `task` rows each.
    fn run<'a, L: Rounded + 'a>(&self, task: usize, parts: impl IndexedParallelIterator<Item = Part<'a, L>>) {
        let outputs = self.weights.outputs();
        if self.is_small() {
            let mut all = vec![0.0; self.rows.rows() * outputs];
            product(&mut all, self.rows, self.weights, None);
            parts.zip(all.par_chunks_mut(task * outputs)).for_each(|(part, block)| self.finish(part, block));
            return;
        }
        parts.enumerate().for_each(|(number, part)| {
            BLOCK.with_borrow_mut(|block| {
                let count = part.len() * outputs;
                if block.len() < count {
                    block.resize(count, 0.0);
                }
                let block = &mut block[..count];
                let mut grid = Grid::new(block, part.len(), outputs);
                multiply(grid.whole(), number * task, self.rows, self.weights, None);
                self.finish(part, block);
            });
        });
    }

    /// Applies the non-linearity to rows of the product and rounds them, each while it is in the first-level cache.
    fn finish<L: Rounded>(&self, part: Part<'_, L>, block: &mut [f32]) {
        let outputs = self.weights.outputs();
        let mut scaled = Vec::new();
        for (row, x) in part.rows(outputs).zip(block.chunks_exact_mut(outputs)) {
            activate_row(self.activation, x, self.bias);
            row.round(x, self.factors, &mut scaled);
        }
    }
}

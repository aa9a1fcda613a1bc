//! Products that end in a non-linearity and in 8 bits: the first product of a feed-forward layer. The wide rows between
//! its two linear layers exist only as integers; in f32, a task has a block of them in the cache.

use std::cell::RefCell;

use rayon::prelude::*;

use super::product::{TASK_ROWS, multiply, product};
use super::rows::{Part, Rounded, Rows, Values, parts};
use super::weights::Weights;
use crate::activation::{Activation, activate, activate_rows};
use crate::grid::Grid;

/// With fewer rows than this, the product is divided by columns too, so that all threads take part.
const FEW_ROWS: usize = 2 * TASK_ROWS;

thread_local! {
    /// A task's rows of the product.
    static BLOCK: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// `y = f(x W^T + bias)` in 8 bits, `[rows, outputs]`, after multiplying each output channel by its factor
/// ([`Rows::round`]). Has the bits of a product, an activation and a rounding one after the other.
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
    if rows.rows() < FEW_ROWS {
        let mut block = vec![0.0; rows.rows() * outputs];
        product(&mut block, rows, weights, None);
        activate(activation, &mut block, bias);
        return y.round(&block, outputs, factors);
    }
    y.resize(rows.rows(), outputs);
    let work = Work { activation, factors, rows, weights, bias };
    let (ranges, cuts) = (&mut y.ranges, &mut y.cuts);
    match &mut y.values {
        Values::Halves(values) => work.run(parts(values, ranges, cuts, outputs, TASK_ROWS)),
        Values::Bytes(values) => work.run(parts(values, ranges, cuts, outputs, TASK_ROWS)),
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
    fn run<'a, L: Rounded + 'a>(&self, parts: impl IndexedParallelIterator<Item = Part<'a, L>>) {
        let outputs = self.weights.outputs();
        parts.enumerate().for_each(|(task, part)| {
            BLOCK.with_borrow_mut(|block| {
                let count = part.rows() * outputs;
                if block.len() < count {
                    block.resize(count, 0.0);
                }
                let block = &mut block[..count];
                let mut grid = Grid::new(block, part.rows(), outputs);
                multiply(grid.whole(), task * TASK_ROWS, self.rows, self.weights, None);
                activate_rows(self.activation, block, self.bias);
                part.round(block, outputs, self.factors);
            });
        });
    }
}

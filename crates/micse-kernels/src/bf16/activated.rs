//! Products that end in a non-linearity, or in its slopes: the inner products of a feed-forward layer. The wide rows
//! between its two linear layers exist only in bfloat16; in f32, a task has a block of them in the cache.

use super::lhs::Lhs;
use super::product::{Start, check, multiply, task_rows};
use super::rhs::Rhs;
use super::round::widen;
use super::rows::RoundedRows;
use super::view::Bf16View;
use crate::activation::{Activation, activate_row};
use crate::simd::vectorised;
use crate::sums::add_rows;
use rayon::prelude::*;
use std::cell::RefCell;

thread_local! {
    /// A task's rows of the product, and one row of slopes.
    static BLOCK: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// `y = f(lhs . rhs + bias)` in bfloat16, m x n. With `slopes`, also writes the slopes `f'(lhs . rhs + bias)`, which
/// [`product_activated_backward`] reads.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// As in [`product`](super::product).
pub fn product_activated(
    activation: Activation,
    y: &mut Lhs,
    slopes: Option<&mut Lhs>,
    lhs: Bf16View<'_>,
    rhs: &Rhs,
    bias: &[f32],
) {
    check(lhs, rhs, Start::Bias(bias));
    let (rows, columns) = (lhs.rows(), rhs.columns());
    let task = task_rows(rows);
    let y = RoundedRows::tasks(Some(y.room(rows, columns)), rows, task);
    let slopes = RoundedRows::tasks(slopes.map(|slopes| slopes.room(rows, columns)), rows, task);
    y.into_par_iter().zip(slopes).enumerate().for_each(|(i, (y, mut slopes))| {
        let Some(mut y) = y else { return };
        let first = i * task;
        BLOCK.with_borrow_mut(|(block, slope)| {
            let block = room(block, y.rows() * columns);
            multiply(block, columns, first..first + y.rows(), lhs, rhs, Start::Bias(bias));
            let slope = room(slope, columns);
            for (r, row) in block.chunks_exact_mut(columns).enumerate() {
                activate_row(activation, row, slope);
                y.round(r, row);
                if let Some(slopes) = &mut slopes {
                    slopes.round(r, slope);
                }
            }
        });
    });
}

/// `gradient = (lhs . rhs) slopes` in bfloat16, m x n, element by element; adds the column sums, which are not rounded,
/// to the bias's gradient. `parts` is a buffer for partial sums over tasks, which depend on the shapes alone.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// As in [`product`](super::product); or `slopes` are not m x n.
pub fn product_activated_backward(
    gradient: &mut Lhs,
    bias_gradient: &mut [f32],
    slopes: Bf16View<'_>,
    lhs: Bf16View<'_>,
    rhs: &Rhs,
    parts: &mut Vec<f32>,
) {
    check(lhs, rhs, Start::Zero);
    let (rows, columns) = (lhs.rows(), rhs.columns());
    assert!(slopes.rows() == rows && slopes.columns() == columns && bias_gradient.len() == columns);
    let task = task_rows(rows);
    let gradient = RoundedRows::tasks(Some(gradient.room(rows, columns)), rows, task);
    parts.resize(gradient.len() * columns, 0.0);
    gradient.into_par_iter().zip(parts.par_chunks_mut(columns)).enumerate().for_each(
        |(i, (gradient, sums))| {
            let Some(mut gradient) = gradient else { return };
            let first = i * task;
            sums.fill(0.0);
            BLOCK.with_borrow_mut(|(block, _)| {
                let block = room(block, gradient.rows() * columns);
                multiply(block, columns, first..first + gradient.rows(), lhs, rhs, Start::Zero);
                for (r, row) in block.chunks_exact_mut(columns).enumerate() {
                    scale_row(row, slopes.row(first + r), sums);
                    gradient.round(r, row);
                }
            });
        },
    );
    add_rows(bias_gradient, parts);
}

vectorised! {
    /// `row *= slopes`, `sums += row`.
    fn scale_row(row: &mut [f32], slopes: &[u16], sums: &mut [f32]) {
        for ((value, &slope), sum) in row.iter_mut().zip(slopes).zip(sums) {
            *value *= widen(slope);
            *sum += *value;
        }
    }
}

/// Space for `len` values, left over from earlier use.
fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

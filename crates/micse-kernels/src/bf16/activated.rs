//! Products that end in a non-linearity, or in its slopes: the inner products of a feed-forward layer. The wide rows
//! between its two linear layers exist only in bfloat16; in f32, a task has a part of them in the cache.

use super::lhs::Lhs;
use super::product::{Start, check, multiply};
use super::rhs::{PANEL, Rhs};
use super::round::widen;
use super::rows::RoundedRows;
use super::view::Bf16View;
use crate::activation::{Activation, activate_row};
use crate::simd::vectorised;
use crate::sums::add_rows;
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Tasks of a backward product, if there are enough rows.
const TASKS: usize = 8;

/// Panels per part of a task.
const PART: usize = 8;

thread_local! {
    /// A part of a task's rows, and space for a part of one row.
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
    let task = rhs.isa().task_rows(rows, rayon::current_num_threads());
    let y = RoundedRows::tasks(Some(y.room(rows, columns)), rows, task);
    let slopes = RoundedRows::tasks(slopes.map(|slopes| slopes.room(rows, columns)), rows, task);
    y.into_par_iter().zip(slopes).enumerate().for_each(|(i, (y, mut slopes))| {
        let Some(mut y) = y else { return };
        let rows = i * task..i * task + y.rows();
        by_parts(rows, lhs, rhs, Start::Bias(bias), |r, first, part, slope| {
            activate_row(activation, part, slope);
            y.round_part(r, first, part);
            if let Some(slopes) = &mut slopes {
                slopes.round_part(r, first, slope);
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
    // Partial sums follow the tasks, so these must not depend on the number of threads.
    let task = rhs.isa().task_rows(rows, TASKS);
    let gradient = RoundedRows::tasks(Some(gradient.room(rows, columns)), rows, task);
    if columns == 0 {
        return;
    }
    parts.resize(gradient.len() * columns, 0.0);
    gradient.into_par_iter().zip(parts.par_chunks_mut(columns)).enumerate().for_each(
        |(i, (gradient, sums))| {
            let Some(mut gradient) = gradient else { return };
            let first_row = i * task;
            sums.fill(0.0);
            by_parts(first_row..first_row + gradient.rows(), lhs, rhs, Start::Zero, |r, first, part, _| {
                let slopes = &slopes.row(first_row + r)[first..][..part.len()];
                scale_part(part, slopes, &mut sums[first..]);
                gradient.round_part(r, first, part);
            });
        },
    );
    add_rows(bias_gradient, parts);
}

vectorised! {
    /// `part *= slopes`, `sums += part`.
    fn scale_part(part: &mut [f32], slopes: &[u16], sums: &mut [f32]) {
        for ((value, &slope), sum) in part.iter_mut().zip(slopes).zip(sums) {
            *value *= widen(slope);
            *sum += *value;
        }
    }
}

/// Computes rows of a product, a few panels at a time, and calls `then(r, first, part, space)` for each row's part: of the
/// r-th of these rows, from column `first` on, with space of the same length. A part of all rows stays in the cache;
/// whole rows would leave it for the right operand.
fn by_parts(
    rows: Range<usize>,
    lhs: Bf16View<'_>,
    rhs: &Rhs,
    start: Start<'_>,
    mut then: impl FnMut(usize, usize, &mut [f32], &mut [f32]),
) {
    BLOCK.with_borrow_mut(|(block, space)| {
        for panel in (0..rhs.panels()).step_by(PART) {
            let panels = panel..rhs.panels().min(panel + PART);
            let first = panel * PANEL;
            let width = rhs.columns().min(panels.end * PANEL) - first;
            let (block, space) = (room(block, rows.len() * width), room(space, width));
            multiply(block, width, rows.clone(), panels, lhs, rhs, start);
            for (r, part) in block.chunks_exact_mut(width).enumerate() {
                then(r, first, part, space);
            }
        }
    });
}

/// Space for `len` values, left over from earlier use.
fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

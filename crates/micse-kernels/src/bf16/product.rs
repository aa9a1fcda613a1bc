//! The product: blocks, tasks, and the choice of the kernel for a tile.

use super::isa::Isa;
#[cfg(target_arch = "x86_64")]
use super::kernel_avx512;
use super::kernel_portable;
use super::rhs::{PANEL, Rhs};
use super::view::Bf16View;
use crate::line::Line;
use rayon::prelude::*;
use std::ops::Range;

/// Maximum rows per tile.
pub(super) const TILE_ROWS: usize = 12;

/// Maximum rows per task: enough to use each panel several times while it is in the first-level cache.
const TASK_ROWS: usize = 4 * TILE_ROWS;

/// Target number of tasks, if there are enough rows.
const TASKS: usize = 16;

/// The start value of a product's sums.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// Zero: the product replaces the content of the output.
    Zero,
    /// One value per column, n in total.
    Bias(&'a [f32]),
    /// The content of the output, to which the product is added.
    Out,
}

/// Up to 12 rows and one panel of the output: the sums over one block of the depth.
pub(super) struct Tile<'a> {
    /// 1 to [`TILE_ROWS`].
    pub(super) rows: usize,
    /// Row i of the left operand is `lhs[i * lhs_stride..][..depth]`.
    pub(super) lhs: &'a [u16],
    pub(super) lhs_stride: usize,
    pub(super) depth: usize,
    /// The pairs of rows of the panel.
    pub(super) rhs: &'a [Line],
    /// Row i of the tile is `out[i * out_stride..][..width]`.
    pub(super) out: &'a mut [f32],
    pub(super) out_stride: usize,
    /// 1 to [`PANEL`] columns.
    pub(super) width: usize,
    /// The start value of the sums; a bias has `width` values.
    pub(super) add: Start<'a>,
}

/// `out = start + lhs . rhs`, m x n, with row i at `out[i * out_stride..][..n]`; other elements are unchanged.
///
/// Runs on rayon's current pool.
///
/// # Panics
/// Mismatched shapes: `lhs` does not have k columns or its columns are not contiguous, the bias does not have n
/// values, or `out` is too short.
pub fn product(out: &mut [f32], out_stride: usize, lhs: Bf16View<'_>, rhs: &Rhs, start: Start<'_>) {
    check(lhs, rhs, start);
    let (rows, columns) = (lhs.rows, rhs.columns());
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(
        columns <= out_stride && (rows - 1) * out_stride + columns <= out.len(),
        "{rows} x {columns} with stride {out_stride} does not fit into {} elements",
        out.len()
    );
    let out = &mut out[..(rows - 1) * out_stride + columns];
    let task = task_rows(rows);
    out.par_chunks_mut(task * out_stride).enumerate().for_each(|(i, out)| {
        let rows = i * task..rows.min((i + 1) * task);
        multiply(out, out_stride, rows, 0..rhs.panels(), lhs, rhs, start);
    });
}

/// Checks the shapes of a product.
///
/// # Panics
/// They do not match.
pub(super) fn check(lhs: Bf16View<'_>, rhs: &Rhs, start: Start<'_>) {
    let (depth, columns) = (rhs.depth(), rhs.columns());
    assert_eq!(lhs.columns, depth, "the left operand's columns must be the right operand's rows");
    assert!(
        lhs.column_stride == 1 || depth <= 1,
        "the left operand's rows are not contiguous; pack it first"
    );
    if let Start::Bias(bias) = start {
        assert_eq!(bias.len(), columns, "a bias needs one value per column");
    }
}

/// Rows per task of a product with this many rows; at least 1.
pub(super) fn task_rows(rows: usize) -> usize {
    rows.div_ceil(TASKS).max(1).next_multiple_of(TILE_ROWS).min(TASK_ROWS)
}

/// Computes some rows and panels of the product into `out`, which begins with the first of them.
pub(super) fn multiply(
    out: &mut [f32],
    out_stride: usize,
    rows: Range<usize>,
    panels: Range<usize>,
    lhs: Bf16View<'_>,
    rhs: &Rhs,
    start: Start<'_>,
) {
    let columns = panels.start * PANEL..rhs.columns().min(panels.end * PANEL);
    let start = match start {
        Start::Bias(bias) => Start::Bias(&bias[columns.clone()]),
        start => start,
    };
    if rhs.depth() == 0 {
        return fill(out, out_stride, columns.len(), start);
    }
    let lhs = Bf16View { data: lhs.data.get(rows.start * lhs.row_stride..).unwrap_or(&[]), ..lhs };
    let rows = rows.len();
    for (first_depth, depth, all) in rhs.blocks() {
        for (panel, panel_lines) in all.skip(panels.start).take(panels.len()).enumerate() {
            let first_column = panel * PANEL;
            let width = (columns.len() - first_column).min(PANEL);
            let add = match start {
                _ if first_depth > 0 => Start::Out,
                Start::Bias(bias) => Start::Bias(&bias[first_column..first_column + width]),
                start => start,
            };
            for first_row in (0..rows).step_by(TILE_ROWS) {
                let tile = Tile {
                    rows: (rows - first_row).min(TILE_ROWS),
                    lhs: &lhs.data[first_row * lhs.row_stride + first_depth..],
                    lhs_stride: lhs.row_stride,
                    depth,
                    rhs: panel_lines,
                    out: &mut out[first_row * out_stride + first_column..],
                    out_stride,
                    width,
                    add,
                };
                match rhs.isa() {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512Bf16(token) => kernel_avx512::run(token, tile),
                    Isa::Portable => kernel_portable::run(tile),
                }
            }
        }
    }
}

/// The sums of an empty depth.
fn fill(out: &mut [f32], out_stride: usize, columns: usize, start: Start<'_>) {
    for row in out.chunks_mut(out_stride) {
        match start {
            Start::Zero => row[..columns].fill(0.0),
            Start::Bias(bias) => row[..columns].copy_from_slice(bias),
            Start::Out => {}
        }
    }
}

//! The product: blocks, tasks, and the choice of the kernel for a tile.

use super::isa::Isa;
use super::kernel_portable;
use super::rhs::{PANEL, Rhs};
use super::view::Bf16View;
#[cfg(target_arch = "x86_64")]
use super::{kernel_amx, kernel_avx512};
#[cfg(target_arch = "x86_64")]
use crate::amx::Tiles;
use crate::line::Line;
use rayon::prelude::*;
use std::ops::Range;

/// Maximum rows per tile.
pub(super) const TILE_ROWS: usize = 12;

/// Panels that tiles multiply by some rows before the next rows: they stay in the second-level cache. With all rows first,
/// the outputs of a panel would be on as many memory pages as there are rows.
#[cfg(target_arch = "x86_64")]
const TILE_PANELS: usize = 16;

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

/// Some rows and one panel of the output: the sums over one block of the depth.
pub(super) struct Tile<'a> {
    /// At least one; at most [`TILE_ROWS`] for the kernels on vectors.
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

impl Tile<'_> {
    /// Calls `run` for up to [`TILE_ROWS`] rows at a time.
    fn each_part(&mut self, mut run: impl FnMut(Tile<'_>)) {
        for first in (0..self.rows).step_by(TILE_ROWS) {
            run(Tile {
                rows: TILE_ROWS.min(self.rows - first),
                lhs: &self.lhs[first * self.lhs_stride..],
                out: &mut self.out[first * self.out_stride..],
                ..*self
            });
        }
    }
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
    let task = rhs.isa().task_rows(rows, rayon::current_num_threads());
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
    let (rows, lhs_stride) = (rows.len(), lhs.row_stride);
    if rows == 0 {
        return;
    }
    for (first_depth, depth, lines) in rhs.blocks() {
        let start = if first_depth > 0 { Start::Out } else { start };
        let lhs = &lhs.data[first_depth..];
        let mut block =
            Block { rows, columns: columns.len(), lhs, lhs_stride, depth, out, out_stride, start };
        let panels = lines.skip(panels.start).take(panels.len());
        match rhs.isa() {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx(amx, token) => {
                let panels: Vec<&[Line]> = panels.collect();
                let mut tiles = Tiles::new(amx, rows);
                for first in (0..panels.len()).step_by(TILE_PANELS) {
                    for span in tiles.spans() {
                        for (panel, lines) in (first..).zip(panels[first..].iter().take(TILE_PANELS)) {
                            kernel_amx::run(&mut tiles, token, span, block.tile(panel, lines));
                        }
                    }
                }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16(token) => {
                for (panel, lines) in panels.enumerate() {
                    block.tile(panel, lines).each_part(|part| kernel_avx512::run(token, part));
                }
            }
            Isa::Portable => {
                for (panel, lines) in panels.enumerate() {
                    block.tile(panel, lines).each_part(kernel_portable::run);
                }
            }
        }
    }
}

/// Rows of the output: the sums over one block of the depth.
struct Block<'a> {
    rows: usize,
    columns: usize,
    lhs: &'a [u16],
    lhs_stride: usize,
    depth: usize,
    out: &'a mut [f32],
    out_stride: usize,
    start: Start<'a>,
}

impl Block<'_> {
    /// All rows and one panel, which has these lines.
    fn tile<'t>(&'t mut self, panel: usize, rhs: &'t [Line]) -> Tile<'t> {
        let first = panel * PANEL;
        let width = (self.columns - first).min(PANEL);
        let add = match self.start {
            Start::Bias(bias) => Start::Bias(&bias[first..first + width]),
            start => start,
        };
        let &mut Self { rows, lhs, lhs_stride, depth, ref mut out, out_stride, .. } = self;
        Tile { rows, lhs, lhs_stride, depth, rhs, out: &mut out[first..], out_stride, width, add }
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

#[cfg(test)]
mod tests {
    use super::super::{Lhs, widen};
    use super::*;
    use crate::View;
    use micse_random::Stream;

    /// All kernels that this CPU can run, for sizes around those of tiles, against sums in f64; and no row may depend
    /// on how many there are.
    #[test]
    fn every_instruction_set() {
        let mut draws = Stream::new(43).draws();
        let shapes = [1, 7, 15, 16, 17, 31, 33, 48, 70, 200].into_iter().flat_map(|rows| {
            [(rows, 1, 1), (rows, 31, 33), (rows, 32, 32), (rows, 99, 47), (rows, 600, 70), (rows, 1536, 64)]
        });
        for (m, k, n) in shapes {
            let mut normal = |count| -> Vec<f32> { (0..count).map(|_| draws.normal() as f32).collect() };
            let (x, w, bias) = (normal(m * k), normal(k * n), normal(n));
            let half = |x: f32| f64::from(widen(super::super::round(x)));
            let want = |i: usize, j: usize| {
                f64::from(bias[j]) + (0..k).map(|l| half(x[i * k + l]) * half(w[l * n + j])).sum::<f64>()
            };
            for isa in Isa::usable() {
                let (mut lhs, mut rhs) = (Lhs::new(), Rhs::with(isa));
                rhs.pack(View::new(&w, k, n, n));
                let mut run = |first: usize, rows: usize| {
                    lhs.pack(View::new(&x[first * k..], rows, k, k));
                    let mut out = vec![f32::NAN; rows * n];
                    product(&mut out, n, lhs.view(), &rhs, Start::Bias(&bias));
                    out
                };
                let all = run(0, m);
                for (i, &got) in all.iter().enumerate() {
                    let (row, column) = (i / n, i % n);
                    let error = (f64::from(got) - want(row, column)).abs();
                    assert!(
                        error < 1e-5 * k as f64,
                        "{m} x {k} x {n}, {isa:?}: ({row}, {column}) is off by {error}"
                    );
                }
                for row in [0, m / 2, m - 1] {
                    assert_eq!(run(row, 1), all[row * n..][..n], "{m} x {k} x {n}, {isa:?}: row {row} alone");
                }
            }
        }
    }
}

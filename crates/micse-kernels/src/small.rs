//! Small products for attention: a few dozen rows and columns, where the set-up of a general product would cost
//! more than the arithmetic.

use crate::simd::{LANES, has_wide_registers};

/// The left operand: element (i, k) is `data[i * row + k * column]`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// `out[i, j] = sum_k left(i, k) * right[k, j]` for i < m and j < width, the sum over k < depth.
///
/// `right` has rows of `right_stride`, `out` of `out_stride`; width is a multiple of [`LANES`].
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn small_product(
    out: &mut [f32],
    out_stride: usize,
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    (m, depth, width): (usize, usize, usize),
) {
    debug_assert_eq!(width % LANES, 0);
    // The sums of a tile must fit into the registers: 32 of 16 lanes, or 16 of 8 lanes.
    if has_wide_registers() {
        tiles::<4, { 2 * LANES }>(out, out_stride, left, right, right_stride, (m, depth, width));
    } else {
        tiles::<6, LANES>(out, out_stride, left, right, right_stride, (m, depth, width));
    }
}

/// Tiles of R rows and W columns, and smaller ones at the end.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn tiles<const R: usize, const W: usize>(
    out: &mut [f32],
    out_stride: usize,
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    (m, depth, width): (usize, usize, usize),
) {
    let mut i = 0;
    while i + R <= m {
        columns::<R, W>(out, out_stride, left, right, right_stride, (i, depth, width));
        i += R;
    }
    while i + 2 <= m {
        columns::<2, W>(out, out_stride, left, right, right_stride, (i, depth, width));
        i += 2;
    }
    if i < m {
        columns::<1, W>(out, out_stride, left, right, right_stride, (i, depth, width));
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn columns<const R: usize, const W: usize>(
    out: &mut [f32],
    out_stride: usize,
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    (i, depth, width): (usize, usize, usize),
) {
    let mut j = 0;
    while j + W <= width {
        tile::<R, W>(out, out_stride, left, right, right_stride, (i, j, depth));
        j += W;
    }
    if j < width {
        tile::<R, LANES>(out, out_stride, left, right, right_stride, (i, j, depth));
    }
}

/// Computes R rows and W columns, kept in registers over the full sum.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn tile<const R: usize, const W: usize>(
    out: &mut [f32],
    out_stride: usize,
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    (i, j, depth): (usize, usize, usize),
) {
    let mut sums = [[0.0_f32; W]; R];
    for k in 0..depth {
        let row: &[f32; W] = right[k * right_stride + j..][..W].try_into().expect("W columns");
        for (r, sums) in sums.iter_mut().enumerate() {
            let factor = left.data[(i + r) * left.row + k * left.column];
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum = factor.mul_add(value, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(i + r) * out_stride + j..][..W].copy_from_slice(sums);
    }
}

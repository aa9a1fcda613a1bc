//! Small products for attention: a few dozen rows and columns, where the set-up of a general product would cost
//! more than the arithmetic.

use crate::simd::{LANES, has_wide_registers};

/// The left operand, with elements (i, k).
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// Element (i, k) is `data[i * stride + k]`.
    Rows { data: &'a [f32], stride: usize },
    /// Element (i, k) is `data[k * stride + i]`.
    Columns { data: &'a [f32], stride: usize },
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
        tiles::<8, { 2 * LANES }>(out, out_stride, left, right, right_stride, (m, depth, width));
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
    while i + 4 <= m {
        columns::<4, W>(out, out_stride, left, right, right_stride, (i, depth, width));
        i += 4;
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
#[allow(clippy::inline_always, unsafe_code)] // part of vectorised bodies
fn tile<const R: usize, const W: usize>(
    out: &mut [f32],
    out_stride: usize,
    left: Left<'_>,
    right: &[f32],
    right_stride: usize,
    (i, j, depth): (usize, usize, usize),
) {
    let mut sums = [[0.0_f32; W]; R];
    if let Some(last) = depth.checked_sub(1) {
        // Checked once: in the loop, the checks would take the registers of the pointers.
        assert!(right.len() >= last * right_stride + j + W);
        match left {
            Left::Rows { data, stride } => {
                assert!(data.len() >= (i + R - 1) * stride + depth);
                for k in 0..depth {
                    // SAFETY: `k <= last`, and the first assertion.
                    let row = unsafe { columns_of::<W>(right, k * right_stride + j) };
                    for (r, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: `r < R` and `k < depth`, and the assertion.
                        add(sums, unsafe { *data.get_unchecked((i + r) * stride + k) }, &row);
                    }
                }
            }
            Left::Columns { data, stride } => {
                assert!(data.len() >= last * stride + i + R);
                for k in 0..depth {
                    // SAFETY: as above.
                    let row = unsafe { columns_of::<W>(right, k * right_stride + j) };
                    for (r, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: as above.
                        add(sums, unsafe { *data.get_unchecked(k * stride + i + r) }, &row);
                    }
                }
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(i + r) * out_stride + j..][..W].copy_from_slice(sums);
    }
}

/// W values.
///
/// # Safety
/// `data` has `at + W` values.
#[inline(always)]
#[allow(clippy::inline_always, unsafe_code)] // part of vectorised bodies
unsafe fn columns_of<const W: usize>(data: &[f32], at: usize) -> [f32; W] {
    // SAFETY: the caller's promise.
    unsafe { data.as_ptr().add(at).cast::<[f32; W]>().read() }
}

/// `sums += factor * row`.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn add<const W: usize>(sums: &mut [f32; W], factor: f32, row: &[f32; W]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum = factor.mul_add(value, *sum);
    }
}

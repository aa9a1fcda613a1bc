//! LayerNorm (Ba et al. 2016) and its adjacent operations in a transformer, forward and backward.
//!
//! ```text
//! n = (h - mean h) / sqrt(var h + eps)        y = gain n + offset
//! dn = gain dy        dh = (dn - mean dn - n mean(n dn)) / sqrt(var h + eps)
//! dgain = sum over rows of n dy               doffset = sum over rows of dy
//! ```
//!
//! [`add_norm`] computes h = residual + dropout(x + bias), in one pass over memory; [`norm_drop`] applies dropout
//! after the norm, as BERT's embeddings do.

use rayon::prelude::*;

use crate::bf16::RoundedRows;
use crate::dropout::{RowDropout, drop_row};
use crate::simd::{LANES, fold, vectorised};
use crate::sums::add_rows;

/// Rows per task.
pub(crate) const TASK_ROWS: usize = 16;

/// Gain, offset and epsilon of a LayerNorm.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// `[D]`.
    pub gain: &'a [f32],
    /// `[D]`.
    pub offset: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

/// Where a forward pass writes what its backward pass needs: n `[rows, D]` and 1 / sqrt(var + eps) `[rows]`.
#[derive(Debug)]
pub struct Keep<'a> {
    /// `[rows, D]`.
    pub normed: &'a mut [f32],
    /// `[rows]`.
    pub inverse: &'a mut [f32],
}

/// The contents of a [`Keep`].
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// `[rows, D]`.
    pub normed: &'a [f32],
    /// `[rows]`.
    pub inverse: &'a [f32],
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    fold(lanes) + rest.iter().sum::<f32>()
}

#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane = x.mul_add(y, *lane);
        }
    }
    fold(lanes) + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// Turns h into n in place; returns 1 / sqrt(var + eps).
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn standardise(h: &mut [f32], epsilon: f32) -> f32 {
    let scale = 1.0 / h.len() as f32;
    let mean = sum(h) * scale;
    for h in h.iter_mut() {
        *h -= mean;
    }
    let inverse = 1.0 / dot(h, h).mul_add(scale, epsilon).sqrt();
    for h in h.iter_mut() {
        *h *= inverse;
    }
    inverse
}

/// LayerNorm of row r in place. The standardised row and its inverse deviation are kept in row r of `normed` and
/// `inverse`, unless these are empty.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn norm_row(y: &mut [f32], normed: &mut [f32], inverse: &mut [f32], r: usize, norm: &Norm<'_>) {
    let value = standardise(y, norm.epsilon);
    if !normed.is_empty() {
        inverse[r] = value;
        normed[r * y.len()..(r + 1) * y.len()].copy_from_slice(y);
    }
    for ((y, &gain), &offset) in y.iter_mut().zip(norm.gain).zip(norm.offset) {
        *y = y.mul_add(gain, offset);
    }
}

vectorised! {
    fn add_norm_rows(
        y: &mut [f32],
        normed: &mut [f32],
        inverse: &mut [f32],
        x: &[f32],
        bias: &[f32],
        residual: &[f32],
        norm: &Norm<'_>,
        dropout: Option<RowDropout<'_>>,
        rounded: Option<RoundedRows<'_>>,
    ) {
        let mut rounded = rounded;
        let width = bias.len();
        for (r, y) in y.chunks_exact_mut(width).enumerate() {
            let at = r * width;
            let (x, residual) = (&x[at..at + width], &residual[at..at + width]);
            match &dropout {
                Some(d) => {
                    let lane = d.lanes[r];
                    for (c, y) in y.iter_mut().enumerate() {
                        let factor = if lane.draw(c as u32) >= d.threshold { d.scale } else { 0.0 };
                        *y = (x[c] + bias[c]).mul_add(factor, residual[c]);
                    }
                }
                None => {
                    for (c, y) in y.iter_mut().enumerate() {
                        *y = x[c] + bias[c] + residual[c];
                    }
                }
            }
            norm_row(y, normed, inverse, r, norm);
            if let Some(rounded) = &mut rounded {
                rounded.round(r, y);
            }
        }
    }
}

/// `y = LayerNorm(residual + dropout(x + bias))`, all `[rows, D]`, bias `[D]`. With `keep`, also writes what the
/// backward pass needs; with `rounded`, also y in bfloat16.
#[allow(clippy::too_many_arguments)] // kernels take their buffers one by one
pub fn add_norm(
    y: &mut [f32],
    rounded: Option<RoundedRows<'_>>,
    keep: Option<Keep<'_>>,
    x: &[f32],
    bias: &[f32],
    residual: &[f32],
    norm: Norm<'_>,
    dropout: Option<RowDropout<'_>>,
) {
    assert!(x.len() == y.len() && residual.len() == y.len() && y.len().is_multiple_of(bias.len()));
    let task = TASK_ROWS * bias.len();
    let rounded = RoundedRows::tasks(rounded, y.len() / bias.len(), TASK_ROWS);
    let work = |index: usize, y: &mut [f32], rounded, normed: &mut [f32], inverse: &mut [f32]| {
        let (at, end) = (index * task, index * task + y.len());
        let rows = RowDropout::rows(dropout, index * TASK_ROWS, y.len() / bias.len());
        add_norm_rows(y, normed, inverse, &x[at..end], bias, &residual[at..end], &norm, rows, rounded);
    };
    let rows = y.par_chunks_mut(task).zip(rounded);
    match keep {
        Some(keep) => rows
            .zip(keep.normed.par_chunks_mut(task))
            .zip(keep.inverse.par_chunks_mut(TASK_ROWS))
            .enumerate()
            .for_each(|(i, (((y, rounded), normed), inverse))| work(i, y, rounded, normed, inverse)),
        None => rows.enumerate().for_each(|(i, (y, rounded))| work(i, y, rounded, &mut [], &mut [])),
    }
}

/// Turns dy into dh in place; `sums` receives the rows' part of dgain, doffset.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn norm_row_backward(
    dy: &mut [f32],
    normed: &[f32],
    inverse: f32,
    gain: &[f32],
    sums: &mut [f32],
) {
    let width = gain.len();
    let scale = 1.0 / width as f32;
    let (dgain, doffset) = sums.split_at_mut(width);
    let (mut total, mut weighted) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let whole = width - width % LANES;
    for at in (0..whole).step_by(LANES) {
        let dy: &mut [f32; LANES] = (&mut dy[at..at + LANES]).try_into().expect("whole lanes");
        let n: &[f32; LANES] = normed[at..at + LANES].try_into().expect("whole lanes");
        let g: &[f32; LANES] = gain[at..at + LANES].try_into().expect("whole lanes");
        let sum_gain: &mut [f32; LANES] = (&mut dgain[at..at + LANES]).try_into().expect("whole lanes");
        let sum_offset: &mut [f32; LANES] = (&mut doffset[at..at + LANES]).try_into().expect("whole lanes");
        for i in 0..LANES {
            sum_gain[i] = dy[i].mul_add(n[i], sum_gain[i]);
            sum_offset[i] += dy[i];
            dy[i] *= g[i];
            total[i] += dy[i];
            weighted[i] = dy[i].mul_add(n[i], weighted[i]);
        }
    }
    let (mut total, mut weighted) = (fold(total), fold(weighted));
    for c in whole..width {
        dgain[c] += dy[c] * normed[c];
        doffset[c] += dy[c];
        dy[c] *= gain[c];
        total += dy[c];
        weighted += dy[c] * normed[c];
    }
    let (mean, slope) = (total * scale, weighted * scale);
    for (dy, &n) in dy.iter_mut().zip(normed) {
        *dy = inverse * (*dy - mean - n * slope);
    }
}

vectorised! {
    fn add_norm_rows_backward(
        dy: &mut [f32],
        dx: &mut [f32],
        sums: &mut [f32],
        normed: &[f32],
        inverse: &[f32],
        gain: &[f32],
        dropout: Option<RowDropout<'_>>,
        rounded: Option<RoundedRows<'_>>,
    ) {
        let mut rounded = rounded;
        let width = gain.len();
        sums.fill(0.0);
        let (norm_sums, bias_sums) = sums.split_at_mut(2 * width);
        for (r, (dy, dx)) in dy.chunks_exact_mut(width).zip(dx.chunks_exact_mut(width)).enumerate() {
            let at = r * width;
            norm_row_backward(dy, &normed[at..at + width], inverse[r], gain, norm_sums);
            match &dropout {
                Some(d) => {
                    let lane = d.lanes[r];
                    for (c, ((dx, sum), &dy)) in dx.iter_mut().zip(bias_sums.iter_mut()).zip(dy.iter()).enumerate() {
                        let factor = if lane.draw(c as u32) >= d.threshold { d.scale } else { 0.0 };
                        *dx = dy * factor;
                        *sum += *dx;
                    }
                }
                None => {
                    for ((dx, sum), &dy) in dx.iter_mut().zip(bias_sums.iter_mut()).zip(dy.iter()) {
                        *dx = dy;
                        *sum += dy;
                    }
                }
            }
            if let Some(rounded) = &mut rounded {
                rounded.round(r, dx);
            }
        }
    }
}

/// Backward pass of [`add_norm`]: `dy` becomes the gradient of h (and so of the residual) in place; `dx` receives
/// the gradient of x, and `rounded` the same in bfloat16. The gradients of gain, offset and bias, one after the other,
/// are added to `sums` `[3 D]`. `parts` is a buffer for partial sums over tasks of fixed size.
#[allow(clippy::too_many_arguments)] // kernels take their buffers one by one
pub fn add_norm_backward(
    dy: &mut [f32],
    dx: &mut [f32],
    rounded: Option<RoundedRows<'_>>,
    sums: &mut [f32],
    kept: Kept<'_>,
    gain: &[f32],
    dropout: Option<RowDropout<'_>>,
    parts: &mut Vec<f32>,
) {
    let width = gain.len();
    let task = TASK_ROWS * width;
    let Kept { normed, inverse } = kept;
    assert!(dx.len() == dy.len() && normed.len() == dy.len() && sums.len() == 3 * width);
    parts.resize(dy.len().div_ceil(task) * 3 * width, 0.0);
    let rounded = RoundedRows::tasks(rounded, dy.len() / width, TASK_ROWS);
    dy.par_chunks_mut(task)
        .zip(dx.par_chunks_mut(task))
        .zip(rounded)
        .zip(parts.par_chunks_mut(3 * width))
        .enumerate()
        .for_each(|(i, (((dy, dx), rounded), sums))| {
            let (at, end, rows) = (i * task, i * task + dy.len(), dy.len() / width);
            let first = i * TASK_ROWS;
            let dropout = RowDropout::rows(dropout, first, rows);
            let inverse = &inverse[first..first + rows];
            add_norm_rows_backward(dy, dx, sums, &normed[at..end], inverse, gain, dropout, rounded);
        });
    add_rows(sums, parts);
}

vectorised! {
    fn norm_drop_rows(
        y: &mut [f32],
        normed: &mut [f32],
        inverse: &mut [f32],
        norm: &Norm<'_>,
        dropout: Option<RowDropout<'_>>,
    ) {
        let width = norm.gain.len();
        for (r, y) in y.chunks_exact_mut(width).enumerate() {
            norm_row(y, normed, inverse, r, norm);
            if let Some(d) = &dropout {
                drop_row(y, d.lanes[r], d.threshold, d.scale);
            }
        }
    }
}

/// `y = dropout(LayerNorm(y))` in place, `[rows, D]`.
pub fn norm_drop(y: &mut [f32], keep: Option<Keep<'_>>, norm: Norm<'_>, dropout: Option<RowDropout<'_>>) {
    let width = norm.gain.len();
    let task = TASK_ROWS * width;
    let rows = |i: usize, y: &[f32]| RowDropout::rows(dropout, i * TASK_ROWS, y.len() / width);
    match keep {
        Some(keep) => y
            .par_chunks_mut(task)
            .zip(keep.normed.par_chunks_mut(task))
            .zip(keep.inverse.par_chunks_mut(TASK_ROWS))
            .enumerate()
            .for_each(|(i, ((y, normed), inverse))| {
                let dropout = rows(i, y);
                norm_drop_rows(y, normed, inverse, &norm, dropout);
            }),
        None => y.par_chunks_mut(task).enumerate().for_each(|(i, y)| {
            let dropout = rows(i, y);
            norm_drop_rows(y, &mut [], &mut [], &norm, dropout);
        }),
    }
}

vectorised! {
    fn norm_drop_rows_backward(
        dy: &mut [f32],
        sums: &mut [f32],
        normed: &[f32],
        inverse: &[f32],
        gain: &[f32],
        dropout: Option<RowDropout<'_>>,
    ) {
        let width = gain.len();
        sums.fill(0.0);
        for (r, dy) in dy.chunks_exact_mut(width).enumerate() {
            if let Some(d) = &dropout {
                drop_row(dy, d.lanes[r], d.threshold, d.scale);
            }
            norm_row_backward(dy, &normed[r * width..(r + 1) * width], inverse[r], gain, sums);
        }
    }
}

/// Backward pass of [`norm_drop`]: `dy` becomes the gradient of its input in place. The gradients of gain and
/// offset are added to `sums` `[2 D]`.
pub fn norm_drop_backward(
    dy: &mut [f32],
    sums: &mut [f32],
    kept: Kept<'_>,
    gain: &[f32],
    dropout: Option<RowDropout<'_>>,
    parts: &mut Vec<f32>,
) {
    let width = gain.len();
    let task = TASK_ROWS * width;
    let Kept { normed, inverse } = kept;
    parts.resize(dy.len().div_ceil(task) * 2 * width, 0.0);
    dy.par_chunks_mut(task).zip(parts.par_chunks_mut(2 * width)).enumerate().for_each(|(i, (dy, sums))| {
        let (at, end, rows) = (i * task, i * task + dy.len(), dy.len() / width);
        let first = i * TASK_ROWS;
        let dropout = RowDropout::rows(dropout, first, rows);
        let inverse = &inverse[first..first + rows];
        norm_drop_rows_backward(dy, sums, &normed[at..end], inverse, gain, dropout);
    });
    add_rows(sums, parts);
}

//! The residual stream of a network that normalizes before each block (Xiong et al. 2020), forward and backward.
//!
//! A block adds its output x to the stream h, and the next block reads the stream through a LayerNorm:
//!
//! ```text
//! h <- h + dropout(x)                 y = LayerNorm(h)
//! dh <- dh + LayerNorm'(dy)           dx = dropout(dh)
//! ```

use rayon::prelude::*;

use crate::bf16::RoundedRows;
use crate::dropout::{RowDropout, drop_row};
use crate::norm::{Keep, Kept, Norm, TASK_ROWS, norm_row, norm_row_backward};
use crate::simd::vectorised;
use crate::sums::add_rows;

vectorised! {
    fn stream_norm_rows(
        stream: &mut [f32],
        y: &mut [f32],
        normed: &mut [f32],
        inverse: &mut [f32],
        x: &[f32],
        norm: &Norm<'_>,
        dropout: Option<RowDropout<'_>>,
        rounded: Option<RoundedRows<'_>>,
    ) {
        let mut rounded = rounded;
        let width = norm.gain.len();
        for (r, (stream, y)) in stream.chunks_exact_mut(width).zip(y.chunks_exact_mut(width)).enumerate() {
            let at = r * width;
            y.copy_from_slice(&x[at..at + width]);
            if let Some(d) = &dropout {
                drop_row(y, d.lanes[r], d.threshold, d.scale);
            }
            for (stream, y) in stream.iter_mut().zip(y.iter_mut()) {
                *stream += *y;
                *y = *stream;
            }
            norm_row(y, normed, inverse, r, norm);
            if let Some(rounded) = &mut rounded {
                rounded.round(r, y);
            }
        }
    }
}

/// `stream += dropout(x)`, then `y = LayerNorm(stream)`, all `[rows, D]`. With `keep`, also writes what the backward
/// pass needs; with `rounded`, also y in bfloat16.
#[allow(clippy::too_many_arguments)] // kernels take their buffers one by one
pub fn stream_norm(
    stream: &mut [f32],
    y: &mut [f32],
    rounded: Option<RoundedRows<'_>>,
    keep: Option<Keep<'_>>,
    x: &[f32],
    norm: Norm<'_>,
    dropout: Option<RowDropout<'_>>,
) {
    let width = norm.gain.len();
    assert!(x.len() == y.len() && stream.len() == y.len() && y.len().is_multiple_of(width));
    let task = TASK_ROWS * width;
    let rounded = RoundedRows::tasks(rounded, y.len() / width, TASK_ROWS);
    let work = |index: usize,
                ((stream, y), rounded): ((&mut [f32], &mut [f32]), _),
                normed: &mut [f32],
                inverse: &mut [f32]| {
        let x = &x[index * task..index * task + y.len()];
        let rows = RowDropout::rows(dropout, index * TASK_ROWS, y.len() / width);
        stream_norm_rows(stream, y, normed, inverse, x, &norm, rows, rounded);
    };
    let rows = stream.par_chunks_mut(task).zip(y.par_chunks_mut(task)).zip(rounded);
    match keep {
        Some(keep) => rows
            .zip(keep.normed.par_chunks_mut(task))
            .zip(keep.inverse.par_chunks_mut(TASK_ROWS))
            .enumerate()
            .for_each(|(i, ((rows, normed), inverse))| work(i, rows, normed, inverse)),
        None => rows.enumerate().for_each(|(i, rows)| work(i, rows, &mut [], &mut [])),
    }
}

vectorised! {
    fn stream_norm_rows_backward(
        stream: &mut [f32],
        dy: &mut [f32],
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
        for (r, (stream, dy)) in stream.chunks_exact_mut(width).zip(dy.chunks_exact_mut(width)).enumerate() {
            norm_row_backward(dy, &normed[r * width..(r + 1) * width], inverse[r], gain, sums);
            for (stream, dy) in stream.iter_mut().zip(dy.iter_mut()) {
                *stream += *dy;
                *dy = *stream;
            }
            if let Some(d) = &dropout {
                drop_row(dy, d.lanes[r], d.threshold, d.scale);
            }
            if let Some(rounded) = &mut rounded {
                rounded.round(r, dy);
            }
        }
    }
}

/// Backward pass of [`stream_norm`]: to `stream`, the gradient of the stream after the step, is added that of the
/// LayerNorm, and `dy` becomes the gradient of x, also in bfloat16 with `rounded`. The gradients of gain and offset are
/// added to `sums` `[2 D]`. `parts` is a buffer for partial sums over tasks of fixed size.
#[allow(clippy::too_many_arguments)] // kernels take their buffers one by one
pub fn stream_norm_backward(
    stream: &mut [f32],
    dy: &mut [f32],
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
    assert!(stream.len() == dy.len() && normed.len() == dy.len() && sums.len() == 2 * width);
    parts.resize(dy.len().div_ceil(task) * 2 * width, 0.0);
    let rounded = RoundedRows::tasks(rounded, dy.len() / width, TASK_ROWS);
    stream
        .par_chunks_mut(task)
        .zip(dy.par_chunks_mut(task))
        .zip(rounded)
        .zip(parts.par_chunks_mut(2 * width))
        .enumerate()
        .for_each(|(i, (((stream, dy), rounded), sums))| {
            let (at, end, rows) = (i * task, i * task + dy.len(), dy.len() / width);
            let first = i * TASK_ROWS;
            let dropout = RowDropout::rows(dropout, first, rows);
            let inverse = &inverse[first..first + rows];
            stream_norm_rows_backward(stream, dy, sums, &normed[at..end], inverse, gain, dropout, rounded);
        });
    add_rows(sums, parts);
}

//! The gated non-linearity of a feed-forward layer (Shazeer 2020: GEGLU, ReGLU, SwiGLU), with dropout on its
//! output, forward and backward.
//!
//! A row x has 2 I entries: u, then g. With a dropout mask M (0 or 1 / (1 - rate)):
//!
//! ```text
//! y = f(u) g M            du = dy M g f'(u)            dg = dy M f(u)
//! ```

use rayon::prelude::*;

use crate::activation::{Activation, TASK_ROWS, gelu, gelu_tanh, relu, silu};
use crate::dropout::{RowDropout, drop_row};
use crate::simd::vectorised;

macro_rules! kernels {
    ($forward:ident, $backward:ident, $function:ident) => {
        vectorised! {
            fn $forward(y: &mut [f32], x: &[f32], width: usize, dropout: Option<RowDropout<'_>>) {
                for (r, (y, x)) in y.chunks_exact_mut(width).zip(x.chunks_exact(2 * width)).enumerate() {
                    let (u, gate) = x.split_at(width);
                    for ((y, &u), &gate) in y.iter_mut().zip(u).zip(gate) {
                        *y = $function(u).0 * gate;
                    }
                    if let Some(d) = &dropout {
                        drop_row(y, d.lanes[r], d.threshold, d.scale);
                    }
                }
            }
        }
        vectorised! {
            /// `y`: dy becomes y. `dx` receives du and dg.
            fn $backward(y: &mut [f32], dx: &mut [f32], x: &[f32], width: usize, dropout: Option<RowDropout<'_>>) {
                let rows = y.chunks_exact_mut(width).zip(dx.chunks_exact_mut(2 * width)).zip(x.chunks_exact(2 * width));
                for (r, ((y, dx), x)) in rows.enumerate() {
                    if let Some(d) = &dropout {
                        drop_row(y, d.lanes[r], d.threshold, d.scale);
                    }
                    let ((u, gate), (du, dgate)) = (x.split_at(width), dx.split_at_mut(width));
                    for ((((y, du), dgate), &u), &gate) in y.iter_mut().zip(du).zip(dgate).zip(u).zip(gate) {
                        let (value, slope) = $function(u);
                        *du = *y * gate * slope;
                        *dgate = *y * value;
                        *y = value * gate;
                    }
                    if let Some(d) = &dropout {
                        drop_row(y, d.lanes[r], d.threshold, d.scale);
                    }
                }
            }
        }
    };
}
kernels!(gelu_forward, gelu_backward, gelu);
kernels!(gelu_tanh_forward, gelu_tanh_backward, gelu_tanh);
kernels!(relu_forward, relu_backward, relu);
kernels!(silu_forward, silu_backward, silu);

/// `y = f(u) g`, dropped: `[rows, width]` from `x` = u, g `[rows, 2 width]`.
pub fn gate(activation: Activation, y: &mut [f32], x: &[f32], width: usize, dropout: Option<RowDropout<'_>>) {
    let kernel = match activation {
        Activation::Gelu => gelu_forward,
        Activation::GeluTanh => gelu_tanh_forward,
        Activation::Relu => relu_forward,
        Activation::Silu => silu_forward,
    };
    assert!(x.len() == 2 * y.len() && y.len().is_multiple_of(width));
    let task = TASK_ROWS * width;
    y.par_chunks_mut(task).zip(x.par_chunks(2 * task)).enumerate().for_each(|(i, (y, x))| {
        let dropout = RowDropout::rows(dropout, i * TASK_ROWS, y.len() / width);
        kernel(y, x, width, dropout);
    });
}

/// Backward pass of [`gate`]: `dx` `[rows, 2 width]` from `x` and from dy in `y` `[rows, width]`, which then holds the
/// output y again.
pub fn gate_backward(
    activation: Activation,
    y: &mut [f32],
    dx: &mut [f32],
    x: &[f32],
    width: usize,
    dropout: Option<RowDropout<'_>>,
) {
    let kernel = match activation {
        Activation::Gelu => gelu_backward,
        Activation::GeluTanh => gelu_tanh_backward,
        Activation::Relu => relu_backward,
        Activation::Silu => silu_backward,
    };
    assert!(x.len() == 2 * y.len() && dx.len() == x.len() && y.len().is_multiple_of(width));
    let task = TASK_ROWS * width;
    y.par_chunks_mut(task).zip(dx.par_chunks_mut(2 * task)).zip(x.par_chunks(2 * task)).enumerate().for_each(
        |(i, ((y, dx), x))| {
            let dropout = RowDropout::rows(dropout, i * TASK_ROWS, y.len() / width);
            kernel(y, dx, x, width, dropout);
        },
    );
}

//! The non-linearity of the feed-forward layer with its bias, forward and backward.
//!
//! ```text
//! GELU      y = x Phi(x)                                      dy/dx = Phi(x) + x phi(x)
//! GELU-tanh y = x/2 (1 + tanh(c (x + 0.044715 x^3))),  c = sqrt(2 / pi)
//! ReLU      y = max(0, x)
//! SiLU      y = x s(x),  s(x) = 1 / (1 + exp(-x))             dy/dx = s(x) (1 + x (1 - s(x)))
//! ```
//!
//! The upper tail of Phi is `1/2 t Q(2t - 1) exp(-x^2/2)` with `t = 1 / (1 + 0.35 |x| / sqrt 2)`. Q is a
//! polynomial of degree 9, our own fit to `erfcx`; its relative error is below 1e-8, so f32 rounding dominates.

use rayon::prelude::*;

use crate::exp::exp_not_positive;
use crate::simd::vectorised;

/// The non-linearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU with the exact error function (Hendrycks & Gimpel 2016).
    Gelu,
    /// GELU with its tanh approximation.
    GeluTanh,
    /// max(0, x).
    Relu,
    /// x / (1 + exp(-x)) (Hendrycks & Gimpel 2016; also called swish).
    Silu,
}

/// The coefficients of Q, lowest power first.
const Q: [f32; 10] = [
    0.374_212_74,
    0.302_357_2,
    0.194_224_36,
    0.095_096_93,
    0.031_842_55,
    0.004_578_601,
    -0.001_593_232_8,
    -0.000_850_286_6,
    5.767_654_6e-5,
    7.345_343e-5,
];
/// sqrt(2 / pi).
const TANH_SCALE: f32 = 0.797_884_6;
const TANH_CUBE: f32 = 0.044_715;
/// 1 / sqrt(2 pi).
const NORMAL_SCALE: f32 = 0.398_942_3;

/// Phi(x) and exp(-x^2/2).
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
fn normal(x: f32) -> (f32, f32) {
    let t = 1.0 / (0.35 * std::f32::consts::FRAC_1_SQRT_2).mul_add(x.abs(), 1.0);
    let s = 2.0_f32.mul_add(t, -1.0);
    let mut q = Q[9];
    for power in (0..9).rev() {
        q = q.mul_add(s, Q[power]);
    }
    let bell = exp_not_positive(-0.5 * x * x);
    let tail = 0.5 * t * q * bell;
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

/// y and dy/dx.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn gelu(x: f32) -> (f32, f32) {
    let (phi, bell) = normal(x);
    (x * phi, (x * NORMAL_SCALE).mul_add(bell, phi))
}

/// y and dy/dx.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn gelu_tanh(x: f32) -> (f32, f32) {
    let cube = TANH_CUBE * x * x;
    let inner = TANH_SCALE * x * (1.0 + cube);
    // tanh |u| = (1 - e) / (1 + e) with e = exp(-2 |u|)
    let e = exp_not_positive(-2.0 * inner.abs());
    let tanh = ((1.0 - e) / (1.0 + e)).copysign(inner);
    let slope = TANH_SCALE * (1.0 + 3.0 * cube);
    (0.5 * x * (1.0 + tanh), 0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * slope)
}

/// y and dy/dx.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn relu(x: f32) -> (f32, f32) {
    // NaN stays NaN.
    if x <= 0.0 { (0.0, 0.0) } else { (x, 1.0) }
}

/// y and dy/dx.
#[inline(always)]
#[allow(clippy::inline_always)] // part of vectorised bodies
pub(crate) fn silu(x: f32) -> (f32, f32) {
    let e = exp_not_positive(-x.abs());
    // The sigmoid and 1 minus it, each without cancellation.
    let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
    let (s, rest) = if x < 0.0 { (small, large) } else { (large, small) };
    (x * s, s * (1.0 + x * rest))
}

/// Rows per task.
pub(crate) const TASK_ROWS: usize = 32;

macro_rules! kernels {
    ($forward:ident, $keep:ident, $row:ident, $backward:ident, $function:ident) => {
        vectorised! {
            /// x <- f(x + bias), row by row.
            fn $forward(x: &mut [f32], bias: &[f32]) {
                for row in x.chunks_exact_mut(bias.len()) {
                    for (x, &b) in row.iter_mut().zip(bias) {
                        *x = $function(*x + b).0;
                    }
                }
            }
        }
        vectorised! {
            /// x <- x + bias, y <- f(x).
            fn $keep(y: &mut [f32], x: &mut [f32], bias: &[f32]) {
                for (row, out) in x.chunks_exact_mut(bias.len()).zip(y.chunks_exact_mut(bias.len())) {
                    for ((x, y), &b) in row.iter_mut().zip(out).zip(bias) {
                        *x += b;
                        *y = $function(*x).0;
                    }
                }
            }
        }
        vectorised! {
            /// x <- f(x), slopes <- f'(x).
            fn $row(x: &mut [f32], slopes: &mut [f32]) {
                for (x, slope) in x.iter_mut().zip(slopes) {
                    (*x, *slope) = $function(*x);
                }
            }
        }
        vectorised! {
            /// y <- f(x), gradient <- gradient f'(x), sums <- column sums of the new gradient.
            fn $backward(y: &mut [f32], gradient: &mut [f32], x: &[f32], sums: &mut [f32]) {
                let width = sums.len();
                sums.fill(0.0);
                for ((x, y), gradient) in
                    x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(gradient.chunks_exact_mut(width))
                {
                    for (((&x, y), g), sum) in x.iter().zip(y).zip(gradient).zip(sums.iter_mut()) {
                        let (value, slope) = $function(x);
                        *y = value;
                        *g *= slope;
                        *sum += *g;
                    }
                }
            }
        }
    };
}
kernels!(gelu_forward, gelu_keep, gelu_row, gelu_backward, gelu);
kernels!(gelu_tanh_forward, gelu_tanh_keep, gelu_tanh_row, gelu_tanh_backward, gelu_tanh);
kernels!(relu_forward, relu_keep, relu_row, relu_backward, relu);
kernels!(silu_forward, silu_keep, silu_row, silu_backward, silu);

/// `x <- f(x + bias)` in place: `[rows, width]`, bias `[width]`.
pub fn activate(activation: Activation, x: &mut [f32], bias: &[f32]) {
    x.par_chunks_mut(TASK_ROWS * bias.len()).for_each(|x| activate_rows(activation, x, bias));
}

/// [`activate`] for the rows of one task.
pub(crate) fn activate_rows(activation: Activation, x: &mut [f32], bias: &[f32]) {
    let kernel = match activation {
        Activation::Gelu => gelu_forward,
        Activation::GeluTanh => gelu_tanh_forward,
        Activation::Relu => relu_forward,
        Activation::Silu => silu_forward,
    };
    kernel(x, bias);
}

/// `x <- f(x)` and `slopes <- f'(x)`, for one row.
pub(crate) fn activate_row(activation: Activation, x: &mut [f32], slopes: &mut [f32]) {
    let kernel = match activation {
        Activation::Gelu => gelu_row,
        Activation::GeluTanh => gelu_tanh_row,
        Activation::Relu => relu_row,
        Activation::Silu => silu_row,
    };
    kernel(x, slopes);
}

/// `x <- x + bias`, `y <- f(x)`: keeps x for the backward pass.
pub fn activate_keeping(activation: Activation, y: &mut [f32], x: &mut [f32], bias: &[f32]) {
    let kernel = match activation {
        Activation::Gelu => gelu_keep,
        Activation::GeluTanh => gelu_tanh_keep,
        Activation::Relu => relu_keep,
        Activation::Silu => silu_keep,
    };
    assert!(y.len() == x.len() && x.len().is_multiple_of(bias.len()));
    let task = TASK_ROWS * bias.len();
    y.par_chunks_mut(task).zip(x.par_chunks_mut(task)).for_each(|(y, x)| kernel(y, x, bias));
}

/// From x (bias included) and dy in `gradient`: recomputes `y <- f(x)`, sets `gradient <- dx`, and adds the column
/// sums of dx to the bias's gradient `[width]`.
///
/// `parts` is a buffer for partial sums. Sums run over tasks of fixed size, in order.
pub fn activation_backward(
    activation: Activation,
    y: &mut [f32],
    gradient: &mut [f32],
    x: &[f32],
    bias_gradient: &mut [f32],
    parts: &mut Vec<f32>,
) {
    let kernel = match activation {
        Activation::Gelu => gelu_backward,
        Activation::GeluTanh => gelu_tanh_backward,
        Activation::Relu => relu_backward,
        Activation::Silu => silu_backward,
    };
    let width = bias_gradient.len();
    assert!(y.len() == x.len() && gradient.len() == x.len() && x.len().is_multiple_of(width));
    let task = TASK_ROWS * width;
    parts.resize(x.len().div_ceil(task) * width, 0.0);
    y.par_chunks_mut(task)
        .zip(gradient.par_chunks_mut(task))
        .zip(x.par_chunks(task))
        .zip(parts.par_chunks_mut(width))
        .for_each(|(((y, gradient), x), sums)| kernel(y, gradient, x, sums));
    crate::sums::add_rows(bias_gradient, parts);
}

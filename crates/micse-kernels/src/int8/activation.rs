//! Non-linearities whose results are rounded to 8 bits.
//!
//! GELU is `max(0, x) - h(|x|)`, where `h(a) = a (1 - Phi(a))` is at most 0.17 and vanishes for large a. Here, h is
//!
//! ```text
//! a (1 - a/b)^2 P(a) for a < b, and 0 beyond
//! ```
//!
//! with a polynomial P of degree 6, our own fit. It needs neither an exponential nor a division, and its error is below
//! 1e-4: in most rows, rounding to 256 levels changes results more.

use rayon::prelude::*;

use crate::activation::{Activation, TASK_ROWS, activate_rows};
use crate::simd::vectorised;

/// h of one GELU: b, and the coefficients of P, lowest power first.
#[derive(Clone, Copy)]
struct Bump {
    end: f32,
    series: [f32; 7],
}

/// With the exact error function.
const EXACT: Bump = Bump {
    end: 4.18,
    series: [
        0.498_187_36,
        -0.144_813_02,
        -0.143_587_56,
        0.067_084_42,
        0.000_903_390_64,
        -0.004_285_836_6,
        0.000_552_220_56,
    ],
};
/// With the tanh approximation.
const TANH: Bump = Bump {
    end: 4.08,
    series: [
        0.498_562,
        -0.141_634_57,
        -0.138_080_54,
        0.060_676_973,
        0.003_156_131_8,
        -0.004_641_967,
        0.000_576_710_74,
    ],
};

vectorised! {
    /// x <- GELU(x + bias).
    fn gelu(x: &mut [f32], bias: &[f32], bump: Bump) {
        let inverse = 1.0 / bump.end;
        for (x, &b) in x.iter_mut().zip(bias) {
            let sum = *x + b;
            // Beyond b, h is 0, and the polynomial could overflow.
            let size = if sum.abs() < bump.end { sum.abs() } else { bump.end };
            let rest = (-inverse).mul_add(size, 1.0);
            let mut p = bump.series[6];
            for power in (0..6).rev() {
                p = p.mul_add(size, bump.series[power]);
            }
            // NaN stays NaN.
            let positive = if sum < 0.0 { 0.0 } else { sum };
            *x = (-(size * rest * rest)).mul_add(p, positive);
        }
    }
}

/// `x <- f(x + bias)` in place, as [`product_activated`](super::product_activated) computes it: `[rows, width]`, bias
/// `[width]`. GELU has an error of up to 1e-4; other non-linearities have the bits of
/// [`activation::activate`](crate::activation::activate).
///
/// Runs on rayon's current pool.
///
/// # Panics
/// The bias is empty, or `x` does not have full rows.
pub fn activate(activation: Activation, x: &mut [f32], bias: &[f32]) {
    assert!(x.len().is_multiple_of(bias.len()), "{} values in rows of {}", x.len(), bias.len());
    x.par_chunks_mut(TASK_ROWS * bias.len())
        .for_each(|x| x.chunks_exact_mut(bias.len()).for_each(|row| activate_row(activation, row, bias)));
}

/// [`activate`] for one row.
pub(super) fn activate_row(activation: Activation, row: &mut [f32], bias: &[f32]) {
    match activation {
        Activation::Gelu => gelu(row, bias, EXACT),
        Activation::GeluTanh => gelu(row, bias, TANH),
        Activation::Relu | Activation::Silu => activate_rows(activation, row, bias),
    }
}

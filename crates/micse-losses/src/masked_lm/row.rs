//! One row of scores: computes its loss and replaces it with its gradient.

#![allow(clippy::inline_always, reason = "only inlined code is compiled for the selected vector extension")]

use pulp::Arch;

/// Number of partial results per row, so that loops vectorise. It is fixed, so results are bit-for-bit identical.
const LANES: usize = 16;

/// The two float types of the loss.
pub(super) trait Real: Copy + Send + Sync {
    /// Adds `bias` to `row`. Returns the row's loss for the ID `target`, and whether no score is above the
    /// target's. With a `share`, the row becomes `share (softmax - one-hot)`; without one, its content is
    /// undefined.
    fn walk(row: &mut [Self], bias: &[Self], target: usize, share: Option<f64>) -> (f64, bool);
}

impl Real for f32 {
    fn walk(row: &mut [Self], bias: &[Self], target: usize, share: Option<f64>) -> (f64, bool) {
        // Compiled for each vector extension and chosen at run time. None of them fuses or reorders operations, so
        // all produce bit-for-bit identical results.
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let largest = add_bias(row, bias);
                let own = row[target];
                let sum = exponentials(row, largest);
                let loss = f64::from(largest) + sum.ln() - f64::from(own);
                if let Some(share) = share {
                    let scale = (share / sum) as f32;
                    for x in row.iter_mut() {
                        *x *= scale;
                    }
                    row[target] -= share as f32;
                }
                (loss, own >= largest)
            },
        )
    }
}

/// Adds the bias and returns the largest sum. A NaN is ignored here; it propagates through its exponential.
#[inline(always)]
fn add_bias(row: &mut [f32], bias: &[f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let (rows, row_rest) = row.as_chunks_mut::<LANES>();
    let (biases, bias_rest) = bias.as_chunks::<LANES>();
    for (x, b) in rows.iter_mut().zip(biases) {
        for ((x, b), most) in x.iter_mut().zip(b).zip(&mut largest) {
            *x += b;
            *most = if *x > *most { *x } else { *most };
        }
    }
    for (x, b) in row_rest.iter_mut().zip(bias_rest) {
        *x += b;
        largest[0] = if *x > largest[0] { *x } else { largest[0] };
    }
    largest.into_iter().fold(f32::NEG_INFINITY, |most, x| if x > most { x } else { most })
}

/// Replaces every x with `exp(x - largest)` and returns the sum.
#[inline(always)]
fn exponentials(row: &mut [f32], largest: f32) -> f64 {
    let mut sums = [0.0_f32; LANES];
    let (rows, rest) = row.as_chunks_mut::<LANES>();
    for x in rows {
        for (x, sum) in x.iter_mut().zip(&mut sums) {
            *x = exp_nonpositive(*x - largest);
            *sum += *x;
        }
    }
    let mut sum: f64 = sums.into_iter().map(f64::from).sum();
    for x in rest {
        *x = exp_nonpositive(*x - largest);
        sum += f64::from(*x);
    }
    sum
}

/// exp(x) for x <= 0 with relative error below 2e-7: 2^n times a polynomial on half a binade either side of 0.
/// Below -87, where the result leaves the normal numbers, it is exp(-87). NaN stays NaN.
#[inline(always)]
fn exp_nonpositive(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    // Adding 1.5 * 2^23 rounds to an integer n, which is then in the low bits.
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = shifted - 12_582_912.0;
    // ln 2 in two parts; the first has enough zero bits for an exact product.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let series = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0
                    + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))))));
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

impl Real for f64 {
    fn walk(row: &mut [Self], bias: &[Self], target: usize, share: Option<f64>) -> (f64, bool) {
        let mut largest = f64::NEG_INFINITY;
        for (x, b) in row.iter_mut().zip(bias) {
            *x += b;
            largest = if *x > largest { *x } else { largest };
        }
        let own = row[target];
        let mut sum = 0.0;
        for x in row.iter_mut() {
            *x = (*x - largest).exp();
            sum += *x;
        }
        if let Some(share) = share {
            for x in row.iter_mut() {
                *x *= share / sum;
            }
            row[target] -= share;
        }
        (largest + sum.ln() - own, own >= largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for i in 0..=87_000 {
            let x = -(i as f32) / 1000.0;
            let (got, want) = (f64::from(exp_nonpositive(x)), f64::from(x).exp());
            assert!((got / want - 1.0).abs() < 2e-7, "exp({x}) = {got:e}, not {want:e}");
        }
        assert_eq!(exp_nonpositive(0.0), 1.0);
        assert!(exp_nonpositive(f32::NEG_INFINITY) < 2e-38);
        assert!(exp_nonpositive(f32::NAN).is_nan());
    }
}

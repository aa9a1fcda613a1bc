//! Rounding in which each input channel compensates for the rounding errors of the earlier ones.
//!
//! With inputs x, H = E\[x xᵀ\] and the error e = w - q of one output channel, the output's mean square error is e H eᵀ.
//! Decompose H = (M + I) D (M + I)ᵀ, with M strictly upper triangular and D diagonal. Then choosing
//!
//! ```text
//! q[k] = round(w[k] + sum over j < k of e[j] M[j, k])
//! ```
//!
//! leaves sum over k of D[k] r[k]², where r[k] is the rounding error of step k: at most half a unit (LDLQ, Chee and
//! others 2023; the same result as GPTQ, Frantar and others 2023).

use micse_kernels::int8::{LARGEST, round_row};
use nalgebra::{Cholesky, DMatrix};
use rayon::prelude::*;

/// Added to the diagonal of H, as a share of its mean: directions that the sample hardly has are not overfitted.
const DAMPING: f64 = 0.1;

/// M of an input channel: row k contains `M[j, k]` for j < k.
pub(super) struct Feedback(Vec<Vec<f32>>);

impl Feedback {
    /// From the sum of x xᵀ over the rows, `[inputs, inputs]`. `None` if the matrix is not finite.
    pub(super) fn new(gram: &[f32], inputs: usize) -> Option<Self> {
        let at = |i: usize, j: usize| f64::from(gram[i * inputs + j]);
        let mean = (0..inputs).map(|i| at(i, i)).sum::<f64>() / inputs as f64;
        // A mean of 0 (inputs that are always 0) leaves nothing to compensate for.
        let damping = if mean > 0.0 { DAMPING * mean } else { 1.0 };
        // The upper triangular factor of H is the lower one of H with rows and columns in reverse order.
        let last = inputs - 1;
        let reversed = DMatrix::from_fn(inputs, inputs, |i, j| {
            at(last - i, last - j) + if i == j { damping } else { 0.0 }
        });
        let factor = Cholesky::new(reversed)?.unpack();
        let column = |k: usize| {
            let (k_reversed, diagonal) = (last - k, factor[(last - k, last - k)]);
            (0..k).map(|j| (factor[(last - j, k_reversed)] / diagonal) as f32).collect()
        };
        Some(Self((0..inputs).map(column).collect()))
    }

    /// Rounds the weights of every output channel; returns the values and one scale per channel.
    pub(super) fn round(&self, weights: &[f32]) -> (Vec<i8>, Vec<f32>) {
        let inputs = self.0.len();
        let mut values = vec![0; weights.len()];
        let scales = values
            .par_chunks_mut(inputs)
            .zip(weights.par_chunks(inputs))
            .map(|(values, weights)| {
                let scale = round_row(values, weights);
                if scale > 0.0 {
                    self.round_channel(values, weights, scale);
                }
                scale
            })
            .collect();
        (values, scales)
    }

    fn round_channel(&self, values: &mut [i8], weights: &[f32], scale: f32) {
        let most = f32::from(LARGEST);
        let mut errors = Vec::with_capacity(weights.len());
        for ((value, &weight), feedback) in values.iter_mut().zip(weights).zip(&self.0) {
            let wanted = weight + dot(&errors, feedback);
            let rounded = (wanted / scale).round_ties_even().clamp(-most, most);
            *value = rounded as i8;
            errors.push(weight - scale * rounded);
        }
    }
}

/// The scalar product, in lanes that the compiler can vectorise.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use micse_random::Stream;

    /// e H eᵀ for all output channels, with H from the rows of x.
    fn error(x: &[f32], inputs: usize, weights: &[f32], rounded: &(Vec<i8>, Vec<f32>)) -> f64 {
        let mut total = 0.0;
        for (output, weights) in weights.chunks_exact(inputs).enumerate() {
            let values = &rounded.0[output * inputs..][..inputs];
            for x in x.chunks_exact(inputs) {
                let difference: f64 = (0..inputs)
                    .map(|k| {
                        let rounded = rounded.1[output] * f32::from(values[k]);
                        f64::from(x[k]) * f64::from(weights[k] - rounded)
                    })
                    .sum();
                total += difference * difference;
            }
        }
        total
    }

    #[test]
    fn correlated_inputs_lose_much_less_than_by_plain_rounding() {
        let (inputs, outputs, rows) = (48, 20, 200);
        let mut draws = Stream::new(5).draws();
        let mut normal = |count: usize| -> Vec<f32> { (0..count).map(|_| draws.normal() as f32).collect() };
        // 6 hidden causes, and a little noise.
        let (causes, mixing, noise) = (normal(rows * 6), normal(6 * inputs), normal(rows * inputs));
        let x: Vec<f32> = (0..rows * inputs)
            .map(|i| {
                let (row, k) = (i / inputs, i % inputs);
                (0..6).map(|c| causes[row * 6 + c] * mixing[c * inputs + k]).sum::<f32>() + 0.1 * noise[i]
            })
            .collect();
        let weights = normal(outputs * inputs);
        let gram: Vec<f32> = (0..inputs * inputs)
            .map(|i| x.chunks_exact(inputs).map(|x| x[i / inputs] * x[i % inputs]).sum())
            .collect();
        let mut plain = (vec![0; weights.len()], Vec::new());
        for (values, weights) in plain.0.chunks_exact_mut(inputs).zip(weights.chunks_exact(inputs)) {
            plain.1.push(round_row(values, weights));
        }
        let feedback = Feedback::new(&gram, inputs).expect("a finite matrix");
        let compensated = feedback.round(&weights);
        assert_eq!(compensated.1, plain.1);
        let (before, after) =
            (error(&x, inputs, &weights, &plain), error(&x, inputs, &weights, &compensated));
        assert!(after < 0.2 * before, "{before} became {after}");

        // Without correlation there is nothing to compensate for.
        let identity: Vec<f32> =
            (0..inputs * inputs).map(|i| f32::from(u8::from(i / inputs == i % inputs))).collect();
        assert!(Feedback::new(&identity, inputs).expect("finite").round(&weights) == plain);
    }

    #[test]
    fn inputs_that_are_zero_or_not_finite() {
        let weights = [0.5, -1.0, 0.25, 0.0, 0.0, 0.0];
        let (values, scales) = Feedback::new(&[0.0; 9], 3).expect("finite").round(&weights);
        assert_eq!((values, scales), (vec![64, -127, 32, 0, 0, 0], vec![1.0 / 127.0, 0.0]));
        assert!(Feedback::new(&[f32::NAN; 9], 3).is_none());
    }
}

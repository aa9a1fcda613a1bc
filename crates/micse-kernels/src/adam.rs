//! AdamW (Loshchilov & Hutter 2019), gradient norms and moving averages on flat slices, one pass each.
//!
//! ```text
//! m <- b1 m + (1 - b1) s g          v <- b2 v + (1 - b2) (s g)^2
//! p <- p - (lr wd p + lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps))
//! ```

use rayon::prelude::*;

use crate::simd::vectorised;

/// Elements per task.
const TASK: usize = 1 << 14;

/// The constants of one step, for one group of parameters.
#[derive(Clone, Copy, Debug)]
pub struct AdamRule {
    /// b1 and b2.
    pub betas: (f32, f32),
    /// 1 - b1 and 1 - b2, rounded once from f64.
    pub rests: (f32, f32),
    /// lr / (1 - b1^t).
    pub rate: f32,
    /// 1 / sqrt(1 - b2^t).
    pub root: f32,
    /// eps.
    pub epsilon: f32,
    /// lr wd.
    pub lost: f32,
    /// s, the factor of the gradients (clipping).
    pub scale: f32,
}

vectorised! {
    fn adam_task(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], rule: &AdamRule) {
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let g = g * rule.scale;
            *m = rule.betas.0 * *m + rule.rests.0 * g;
            *v = rule.betas.1 * *v + rule.rests.1 * (g * g);
            // Decay and step are summed first, so that the parameter itself is rounded once.
            *p -= rule.lost * *p + rule.rate * *m / (v.sqrt() * rule.root + rule.epsilon);
        }
    }
}

/// One step on parameters, gradients, first and second moments, all of the same length.
pub fn adam(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], rule: &AdamRule) {
    assert!(g.len() == p.len() && m.len() == p.len() && v.len() == p.len());
    p.par_chunks_mut(TASK)
        .zip(g.par_chunks(TASK))
        .zip(m.par_chunks_mut(TASK))
        .zip(v.par_chunks_mut(TASK))
        .for_each(|(((p, g), m), v)| adam_task(p, g, m, v, rule));
}

vectorised! {
    fn square_norm_task(values: &[f32]) -> f64 {
        let mut sums = [0.0_f64; 16];
        let (chunks, rest) = values.as_chunks::<16>();
        for chunk in chunks {
            for (sum, &value) in sums.iter_mut().zip(chunk) {
                let value = f64::from(value);
                *sum = value.mul_add(value, *sum);
            }
        }
        sums.iter().sum::<f64>() + rest.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>()
    }
}

/// Sum of squares in f64, over tasks of fixed size in order.
pub fn square_norm(values: &[f32]) -> f64 {
    let parts: Vec<f64> = values.par_chunks(TASK).map(square_norm_task).collect();
    parts.iter().sum()
}

vectorised! {
    fn average_task(slow: &mut [f32], fast: &[f32], rest: f32) {
        for (slow, &fast) in slow.iter_mut().zip(fast) {
            *slow += rest * (fast - *slow);
        }
    }
}

/// `slow <- decay slow + (1 - decay) fast`, computed so that equal values stay equal.
pub fn average(slow: &mut [f32], fast: &[f32], decay: f64) {
    assert_eq!(slow.len(), fast.len());
    let rest = (1.0 - decay) as f32;
    slow.par_chunks_mut(TASK)
        .zip(fast.par_chunks(TASK))
        .for_each(|(slow, fast)| average_task(slow, fast, rest));
}

//! The learning rate over the steps.

use crate::recipe::{Optimizer, Schedule};

/// The rate of optimizer step k, counted from 0, of `steps`.
///
/// For k below the warm-up w: `lr k / w`. After it, linear: `lr (steps - k) / (steps - w)`; constant:
/// `lr`. With a warm-up the first step has rate 0.
pub fn learning_rate(optimizer: &Optimizer, k: usize, steps: usize) -> f64 {
    let warmup = optimizer.warmup_steps;
    if k < warmup {
        return optimizer.lr * k as f64 / warmup as f64;
    }
    match optimizer.schedule {
        Schedule::Constant => optimizer.lr,
        Schedule::Linear if steps > warmup => {
            optimizer.lr * steps.saturating_sub(k) as f64 / (steps - warmup) as f64
        }
        Schedule::Linear => 0.0,
    }
}

//! The learning rate over the steps.

use crate::recipe::{Optimizer, Schedule};

/// The learning rate of optimizer step k, counted from 0, of `steps`.
///
/// For k below the warm-up w: `lr k / w`. After the warm-up, linear: `lr (steps - k) / (steps - w)`; constant: `lr`;
/// milestones: `lr` times the share of the last milestone at or before k. With a warm-up, the first step has a learning
/// rate of 0.
pub fn learning_rate(optimizer: &Optimizer, k: usize, steps: usize) -> f64 {
    let warmup = optimizer.warmup_steps;
    if k < warmup {
        return optimizer.lr * k as f64 / warmup as f64;
    }
    match optimizer.schedule {
        Schedule::Milestones => {
            let passed = optimizer.milestones.iter().take_while(|(step, _)| k >= *step).last();
            optimizer.lr * passed.map_or(1.0, |(_, share)| *share)
        }
        Schedule::Constant => optimizer.lr,
        Schedule::Linear if steps > warmup => {
            optimizer.lr * steps.saturating_sub(k) as f64 / (steps - warmup) as f64
        }
        Schedule::Linear => 0.0,
    }
}

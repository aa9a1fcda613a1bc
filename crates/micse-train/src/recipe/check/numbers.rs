//! Values outside their ranges.

use toml::Value;

use crate::recipe::{Optimizer, PerturbationBy, Post, Recipe, Schedule};

/// Rejects NaN and infinity anywhere in a recipe: comparisons with NaN let it pass, and JSON cannot write either. Entries
/// of lists are named as `--set` names them.
pub(super) fn check_finite(key: &str, value: &Value) -> Result<(), String> {
    let inner = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match value {
        Value::Float(number) if !number.is_finite() => Err(format!("{key} is {number}; it must be finite")),
        Value::Table(table) => table.iter().try_for_each(|(name, value)| check_finite(&inner(name), value)),
        Value::Array(entries) => entries.iter().enumerate().try_for_each(|(index, value)| {
            let kind = value.get("kind").and_then(Value::as_str);
            check_finite(&inner(kind.unwrap_or(&index.to_string())), value)
        }),
        _ => Ok(()),
    }
}

/// Checks a share or a dropout rate.
pub(crate) fn check_rate(key: &str, value: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&value) { Ok(()) } else { Err(format!("{key} is {value}; it must be in [0, 1)")) }
}

/// Checks a value that must be above 0.
pub(crate) fn check_positive(key: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(format!("{key} is {value}; it must be above 0"))
    }
}

impl Optimizer {
    fn check(&self) -> Result<(), String> {
        check_positive("optimizer.lr", self.lr)?;
        check_positive("optimizer.eps", self.eps)?;
        if let Some(betas) = self.betas {
            check_rate("optimizer.betas[0]", betas[0])?;
            check_rate("optimizer.betas[1]", betas[1])?;
        }
        check_rate("optimizer.smoothing", self.smoothing.unwrap_or(0.0))?;
        for (key, value) in [("clip", self.clip), ("weight_decay", self.weight_decay)] {
            if value < 0.0 {
                return Err(format!("optimizer.{key} is {value}; it cannot be negative"));
            }
        }
        if self.batch_size == 0 {
            return Err("optimizer.batch_size is 0; it must be at least 1".into());
        }
        if self.milestones.is_empty() == (self.schedule == Schedule::Milestones) {
            return Err(
                "optimizer.milestones and schedule = \"milestones\" require each other: set both or none"
                    .into(),
            );
        }
        if self.milestones.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("optimizer.milestones must be sorted by step".into());
        }
        if let Some((step, share)) = self.milestones.iter().find(|(_, share)| *share < 0.0) {
            return Err(format!(
                "optimizer.milestones: the share from step {step} on is {share}; it cannot be negative"
            ));
        }
        Ok(())
    }
}

impl Recipe {
    pub(super) fn check_numbers(&self) -> Result<(), String> {
        let rate = check_rate;
        for view in &self.views {
            rate("views.dropout", view.dropout)?;
            if view.copies == 0 {
                return Err("views.copies is 0; remove the view instead".into());
            }
            if let Some(op) = &view.text {
                op.check().map_err(|e| e.to_string())?;
            }
            if let Some(op) = &view.tokens {
                op.check().map_err(|e| e.to_string())?;
            }
            if let Some(shape) = &self.convolution {
                shape.check().map_err(|e| e.to_string())?;
            }
            if let Some(cut) = view.cut_off {
                rate("views.cut_off", cut.rate())?;
            }
            if let Some(epsilon) = view.perturbation {
                check_positive("views.perturbation", epsilon)?;
            }
            if view.perturbation.is_none() && view.perturbation_by != PerturbationBy::ThisBatch {
                return Err(
                    "views.perturbation_by needs a size: set views.perturbation, for example to 5e-9".into(),
                );
            }
            let batch = self.optimizer.as_ref().map_or(0, |o| o.batch_size);
            if let Some(pairs) = view.pairs.filter(|p| p.negatives == 0 || p.negatives >= batch) {
                return Err(format!(
                    "views.pairs.negatives is {}; it must be from 1 to optimizer.batch_size - 1 ({})",
                    pairs.negatives,
                    batch.saturating_sub(1)
                ));
            }
        }
        if let Some(momentum) = self.momentum {
            rate("momentum.dropout", momentum.dropout.unwrap_or(0.0))?;
            if momentum.queue_start > momentum.queue {
                return Err(format!(
                    "momentum.queue_start is {}, more than the queue's {} rows",
                    momentum.queue_start, momentum.queue
                ));
            }
            if !(0.0..=1.0).contains(&momentum.decay) {
                return Err(format!("momentum.decay is {}; it must be in [0, 1]", momentum.decay));
            }
        }
        for objective in &self.objectives {
            if let Some(temperature) = objective.temperature() {
                check_positive(&format!("objectives.{}.temperature", objective.name()), temperature)?;
            }
        }
        if self.eval_every == Some(0) {
            return Err("eval_every is 0; it must be at least 1".into());
        }
        if let Some(optimizer) = &self.optimizer {
            optimizer.check()?;
            if optimizer.batch_size < 2 && self.momentum.is_none() {
                return Err(
                    "optimizer.batch_size is 1, which leaves no negatives without a queue; it must be at least 2"
                        .into(),
                );
            }
        }
        if let Some(Post::Flow { steps, batch_size, lr, dropout }) = &self.post {
            rate("post.dropout", *dropout)?;
            check_positive("post.lr", *lr)?;
            if *steps == 0 || *batch_size < 2 {
                return Err("post.steps must be at least 1, and post.batch_size at least 2".into());
            }
        }
        if let Some(length) = self.max_length.filter(|length| *length < 3) {
            return Err(format!("max_length is {length}; [CLS], one token and [SEP] need 3"));
        }
        Ok(())
    }
}

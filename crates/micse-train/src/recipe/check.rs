//! Mixes that cannot work are refused before anything runs, with a sentence that says why.

use super::{Negatives, Objective, Recipe};

impl Recipe {
    /// Says what makes this recipe impossible, if anything does.
    ///
    /// # Errors
    /// A sentence that names the keys and what to do.
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_numbers()?;
        // The name becomes a folder's.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_+@.".contains(c);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(plain) {
            return Err(format!("name is {:?}; use letters, digits and - _ + @ .", self.name));
        }
        if self.objectives.is_empty() {
            return Err("no objectives: a recipe needs at least one [[objectives]]".into());
        }
        let masked = self.objectives.iter().filter(|o| matches!(o, Objective::MaskedLm(_))).count();
        if masked > 1 {
            return Err(format!(
                "{masked} objectives are masked-lm; give one, with the sum of their weights"
            ));
        }
        if masked == self.objectives.len() {
            return Err(
                "masked-lm stands beside infonce or ami, not alone: `cargo xtask pretrain` trains by it \
                        alone"
                    .into(),
            );
        }
        if self.views.len() != 2 {
            return Err(format!(
                "{} view(s), but infonce and ami compare two: write [[views]] twice",
                self.views.len()
            ));
        }
        let wants_queue = self.infonce().any(|o| o.negatives.contains(&Negatives::Queue));
        if wants_queue && self.momentum.is_none() {
            return Err(
                "infonce asks for negatives from the queue, but there is no [momentum] to fill it".into()
            );
        }
        if self.momentum.is_some_and(|m| m.queue > 0) && !wants_queue {
            return Err(
                "[momentum] fills a queue that no objective uses: add \"queue\" to infonce's negatives"
                    .into(),
            );
        }
        if self.momentum.is_some_and(|m| m.queue == 0) {
            return Err("momentum.queue is 0: a momentum encoder is there to fill a queue".into());
        }
        for term in self.infonce() {
            if term.negatives.is_empty() {
                return Err(
                    "infonce without negatives has a constant loss: name in-batch, queue or both".into()
                );
            }
            if !term.negatives.contains(&Negatives::InBatch) {
                return Err(
                    "infonce with negatives from the queue alone is not supported: add in-batch".into()
                );
            }
        }
        let same_dropout = self.views[0].dropout == 0.0 && self.views[1].dropout == 0.0;
        if same_dropout {
            return Err("both views have dropout 0 and the same tokens: they would be equal".into());
        }
        for ami in self.ami() {
            // An encoder of a thousand layers has every layer that a name can mean.
            if let super::AmiLayers::Named(_) = ami.layers {
                ami.layers.resolve(1000)?;
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), String> {
        let rate = |key: &str, value: f64| {
            if (0.0..1.0).contains(&value) {
                Ok(())
            } else {
                Err(format!("{key} is {value}; it must be in [0, 1)"))
            }
        };
        let positive = |key: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                Ok(())
            } else {
                Err(format!("{key} is {value}; it must be above 0"))
            }
        };
        for view in &self.views {
            rate("views.dropout", view.dropout)?;
        }
        if let Some(momentum) = self.momentum {
            rate("momentum.dropout", momentum.dropout)?;
            if !(0.0..=1.0).contains(&momentum.decay) {
                return Err(format!("momentum.decay is {}; it must be in [0, 1]", momentum.decay));
            }
        }
        for term in self.infonce() {
            positive("objectives.infonce.temperature", term.temperature)?;
        }
        for ami in self.ami() {
            if ami.samples < 3 {
                return Err(format!(
                    "objectives.ami.samples is {}; a correlation needs at least 3",
                    ami.samples
                ));
            }
        }
        if let Some(masked) = self.masked_lm() {
            rate("objectives.masked-lm.rate", masked.rate)?;
        }
        for objective in &self.objectives {
            if !objective.weight().is_finite() {
                return Err(format!("objectives.{}.weight is {}", objective.name(), objective.weight()));
            }
        }
        let o = &self.optimizer;
        positive("optimizer.lr", o.lr)?;
        positive("optimizer.eps", o.eps)?;
        rate("optimizer.betas[0]", o.betas[0])?;
        rate("optimizer.betas[1]", o.betas[1])?;
        if o.clip < 0.0 || o.weight_decay < 0.0 {
            return Err("optimizer.clip and optimizer.weight_decay cannot be negative".into());
        }
        for (key, value) in
            [("optimizer.batch_size", o.batch_size), ("steps", self.steps), ("eval_every", self.eval_every)]
        {
            if value == 0 {
                return Err(format!("{key} is 0; it must be at least 1"));
            }
        }
        if o.batch_size < 2 && self.momentum.is_none() {
            return Err("optimizer.batch_size is 1: without a queue a sentence alone has no negatives".into());
        }
        if self.max_length < 3 {
            return Err(format!("max_length is {}; [CLS], one token and [SEP] need 3", self.max_length));
        }
        Ok(())
    }
}

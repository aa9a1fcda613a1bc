//! Another number of steps, and what changes with it.

use super::{Error, Recipe, Result};

/// Which values of the schedule somebody asked for: they stay as they are when the number of steps changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    warmup: bool,
    milestones: bool,
    ramp: bool,
}

impl Asked {
    /// Those that settings `key.path=value` change.
    pub(super) fn of(settings: &[String]) -> Self {
        Self {
            warmup: change(settings, "optimizer.warmup_steps"),
            milestones: change(settings, "optimizer.milestones"),
            ramp: change(settings, "momentum.ramp_steps"),
        }
    }

    /// Those of either.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            warmup: self.warmup || other.warmup,
            milestones: self.milestones || other.milestones,
            ramp: self.ramp || other.ramp,
        }
    }
}

/// Whether a setting changes this key, or the table that has it.
fn change(settings: &[String], key: &str) -> bool {
    settings.iter().any(|setting| {
        let own = setting.split('=').next().unwrap_or_default().trim();
        key.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

impl Recipe {
    /// [`Self::load_with`] for a different number of steps. Warm-up, milestones and `momentum.ramp_steps` keep their
    /// share of the steps, and the warm-up is at most a tenth of them; but what a setting gives is kept as given.
    ///
    /// # Errors
    /// As [`Self::load`]; also if a setting gives the number of steps, too.
    pub fn load_for(name: &str, with: &[String], settings: &[String], steps: Option<usize>) -> Result<Self> {
        let recipe = Self::load_with(name, with, settings)?;
        if let (Some(steps), true) = (steps, change(settings, "steps")) {
            let reason = format!(
                "the number of steps is given twice, as {steps} (--steps) and among the settings (--set steps=...); \
                 remove one"
            );
            return Err(Error::Recipe { name: name.into(), reason });
        }
        Ok(recipe.with_steps(steps, Asked::of(settings)))
    }

    /// The same recipe for a different number of steps. Its schedule keeps its shares as in [`Self::load_for`], except
    /// what one of these settings, which it was loaded with, gave.
    #[must_use]
    pub fn for_steps(self, steps: usize, settings: &[String]) -> Self {
        self.with_steps(Some(steps), Asked::of(settings))
    }

    /// Whether a setting changes a part of the schedule that is counted in steps.
    pub fn is_of_schedule(setting: &str) -> bool {
        Asked::of(&[setting.to_owned()]) != Asked::default()
    }

    pub(super) fn with_steps(mut self, steps: Option<usize>, asked: Asked) -> Self {
        // A recipe without training has no steps to change.
        if self.steps == 0 {
            return self;
        }
        if let Some(steps) = steps {
            for entry in &mut self.by_size {
                entry.epochs = None;
                entry.recipe = entry.recipe.clone().with_steps(Some(steps), asked);
            }
        }
        let Some(optimizer) = &mut self.optimizer else { return self };
        if let Some(steps) = steps {
            let scaled = |at: usize| (at as f64 / self.steps as f64 * steps as f64).round() as usize;
            if !asked.milestones {
                optimizer.milestones.iter_mut().for_each(|(at, _)| *at = scaled(*at));
            }
            if let Some(momentum) = self.momentum.as_mut().filter(|_| !asked.ramp) {
                momentum.ramp_steps = scaled(momentum.ramp_steps);
            }
            if !asked.warmup {
                let share = optimizer.warmup_steps as f64 / self.steps as f64;
                optimizer.warmup_steps = (share * steps as f64).round() as usize;
            }
            self.steps = steps;
        }
        // Rounded up, as a warm-up of 10 % is.
        let limit = self.steps.div_ceil(10);
        let (name, warmup, steps) = (&self.name, optimizer.warmup_steps, self.steps);
        if asked.warmup {
            if warmup > steps {
                tracing::warn!(
                    "{name}: the warm-up of {warmup} steps is longer than the {steps} steps, so the learning rate does \
                     not reach optimizer.lr"
                );
            }
        } else if warmup > limit {
            tracing::warn!(
                "{name}: the warm-up of {warmup} steps is reduced to a tenth of the {steps} steps"
            );
            optimizer.warmup_steps = limit;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(name: &str, settings: &[&str], steps: Option<usize>) -> Result<Recipe> {
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        Recipe::load_for(name, &[], &settings, steps)
    }

    fn warmup(recipe: &Recipe) -> usize {
        recipe.optimizer.as_ref().expect("an optimizer").warmup_steps
    }

    #[test]
    fn the_schedule_keeps_its_shares() {
        let micse = load("micse", &[], Some(400)).expect("micse");
        assert_eq!((micse.steps, warmup(&micse)), (400, 5));
        let ct = load("ct", &[], Some(2000)).expect("ct");
        let plain = load("ct", &[], None).expect("ct");
        let first = |recipe: &Recipe| recipe.optimizer.as_ref().expect("an optimizer").milestones[0].0;
        let share = first(&plain) as f64 / plain.steps as f64;
        assert_eq!(first(&ct), (share * 2000.0).round() as usize);
        // A setting for the steps alone shortens the recipe's own warm-up to a tenth.
        assert_eq!(warmup(&load("micse", &["steps=40"], None).expect("micse")), 4);
    }

    #[test]
    fn what_is_asked_for_is_kept() {
        for (asked, expected) in [("0", 0), ("5", 5), ("50", 50)] {
            let setting = format!("optimizer.warmup_steps={asked}");
            assert_eq!(warmup(&load("micse", &[&setting], Some(20)).expect("micse")), expected);
            assert_eq!(warmup(&load("micse", &[&setting, "steps=20"], None).expect("micse")), expected);
        }
        let ramp = |settings: &[&str]| {
            load("micse", settings, Some(100)).expect("micse").momentum.expect("a queue").ramp_steps
        };
        assert_eq!(ramp(&["momentum.ramp_steps=1000"]), 1000);
        let milestones = "optimizer.milestones=[[7, 0.5]]";
        let ct = load("ct", &[milestones], Some(100)).expect("ct");
        assert_eq!(ct.optimizer.expect("an optimizer").milestones, [(7, 0.5)]);
        // A whole table gives the values in it.
        let table = "optimizer={ kind = \"adamw\", lr = 1e-4, batch_size = 8, warmup_steps = 30 }";
        assert_eq!(warmup(&load("simcse", &[table], Some(100)).expect("simcse")), 30);
        let twice = load("simcse", &[" steps = 5"], Some(100)).expect_err("steps twice").to_string();
        assert!(twice.contains("twice") && twice.contains("100"), "{twice}");
    }

    #[test]
    fn what_is_asked_for_is_kept_at_every_size() {
        let name = "ami-simcse@released-code";
        for asked in [0, 100, 400] {
            let recipe = load(name, &[&format!("optimizer.warmup_steps={asked}")], None).expect(name);
            assert_eq!(warmup(&recipe.for_sentences(65)), asked);
        }
        let own = "extends = \"simcse-baseline\"\nname = \"sized\"\n\
            [[by_size]]\nup_to = 100\nepochs = 100\nset = [\"optimizer.warmup_steps=30\"]\n";
        let recipe = Recipe::parse("sized", own).expect("a recipe").for_sentences(65);
        assert_eq!((recipe.steps, warmup(&recipe)), (200, 30));
    }
}

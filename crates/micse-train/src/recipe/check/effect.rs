//! Keys that would change nothing are rejected: a reader of a recipe must be able to rely on every value in it.

use micse_data::augment::TokenOp;
use micse_model::{HeadLayer, Pooling};

use crate::objectives::Objective;
use crate::recipe::{
    Decays, HeadRows, MomentumMode, OptimizerKind, PaddingRule, Recipe, Select, Tower, View,
};

/// The error of a key that changes nothing.
fn unused(key: &str, why: &str) -> Result<(), String> {
    Err(format!("{key} has no effect {why}; remove it (--set {key}=)"))
}

/// Refuses the first of these keys that is present, because it cannot act.
fn refuse(keys: &[(&str, bool)], why: &str) -> Result<(), String> {
    keys.iter().find(|(_, present)| *present).map_or(Ok(()), |(key, _)| unused(key, why))
}

impl Recipe {
    pub(super) fn check_effects(&self) -> Result<(), String> {
        if self.convolution.is_some() {
            let pooling = [("pooling.train", self.pooling.train), ("pooling.test", self.pooling.test)];
            refuse(
                &pooling.map(|(key, value)| (key, value.is_some())),
                "with a convolution, whose mean is the embedding",
            )?;
        } else if self.pooling.test.is_none() {
            return Err("pooling.test is missing: set it, for example to \"cls\" or \"mean\"".into());
        }
        if self.steps == 0 {
            return self.check_untrained();
        }
        if self.convolution.is_none() && self.pooling.train.is_none() {
            return Err("pooling.train is missing: set it, for example to \"cls\" or \"mean\"".into());
        }
        if self.max_length.is_none() {
            return Err("max_length is missing: set it, for example to 32".into());
        }
        if self.select == Select::Last {
            refuse(&[("eval_every", self.eval_every.is_some())], "with select = \"last\"")?;
        }
        self.check_optimizer_effects()?;
        self.check_momentum_effects()?;
        self.check_padding_effects()?;
        let draws = |layer: &HeadLayer| matches!(layer, HeadLayer::BatchNorm { .. } | HeadLayer::Dropout(_));
        if self.head_rows != HeadRows::EachView && !self.head.layers().iter().any(draws) {
            return unused("head_rows", "on a head without batch norm, which treats each row alone");
        }
        let drawn = |v: &View| v.text.is_some() || v.tokens.is_some_and(|op| op != TokenOp::Reverse {});
        if self.views.iter().any(|v| v.drawn_once && !drawn(v)) {
            return unused("views.drawn_once", "on a view in which nothing is drawn");
        }
        self.check_reads()
    }

    /// Views beyond those that the objectives read cost time and change nothing.
    fn check_reads(&self) -> Result<(), String> {
        let reads = self.objectives.iter().map(|o| o.needs().reads).collect::<Option<Vec<_>>>();
        let most = reads.and_then(|reads| reads.into_iter().max()).filter(|most| *most > 0);
        match most {
            Some(most) if most < self.passes() => Err(format!(
                "{} views (with copies and towers), but the objectives read only {most}: remove the others",
                self.passes()
            )),
            _ => Ok(()),
        }
    }

    /// A recipe without training reads sentences only to fit what follows the pooling.
    fn check_untrained(&self) -> Result<(), String> {
        let keys = [
            ("pooling.train", self.pooling.train.is_some()),
            ("select", self.select != Select::Last),
            ("eval_every", self.eval_every.is_some()),
            ("head", !self.head.layers().is_empty()),
            ("head_rows", self.head_rows != HeadRows::EachView),
            ("predictor", !self.predictor.is_empty()),
            ("padding", self.padding != PaddingRule::Drop),
            ("views", !self.views.is_empty()),
            ("momentum", self.momentum.is_some()),
            ("second", self.second.is_some()),
            ("optimizer", self.optimizer.is_some()),
        ];
        refuse(&keys, "without training (steps = 0)")?;
        let reads = self.post.is_some() || self.pooling.test == Some(Pooling::MeanWithPads);
        let why = "without training (steps = 0) and without [post], which would read sentences";
        refuse(&[("max_length", self.max_length.is_some() && !reads)], why)
    }

    fn check_optimizer_effects(&self) -> Result<(), String> {
        let Some(o) = &self.optimizer else {
            return Err("no [optimizer]: a recipe that trains needs its kind, lr and batch_size".into());
        };
        match o.kind {
            OptimizerKind::Adamw => refuse(
                &[("optimizer.smoothing", o.smoothing.is_some())],
                "with kind = \"adamw\", which has betas",
            )?,
            OptimizerKind::Rmsprop => {
                let keys = [
                    ("optimizer.betas", o.betas.is_some()),
                    ("optimizer.bias_correction", !o.bias_correction),
                ];
                refuse(&keys, "with kind = \"rmsprop\", which has smoothing")?;
            }
        }
        let decays = o.decays != Decays::Weights && o.weight_decay == 0.0;
        refuse(&[("optimizer.decays", decays)], "with weight_decay = 0")?;
        let both = o.groups.iter().any(|group| group.frozen && group.lr_factor != 1.0);
        refuse(&[("optimizer.groups.lr_factor", both)], "on a frozen group")
    }

    fn check_momentum_effects(&self) -> Result<(), String> {
        let Some(m) = self.momentum else { return Ok(()) };
        let viewed = self.views.iter().any(|v| v.tower == Tower::Momentum);
        if m.dropout.is_some() {
            if viewed {
                return unused(
                    "momentum.dropout",
                    "if a view has tower = \"momentum\", with a rate of its own",
                );
            }
            if m.mode == MomentumMode::Eval {
                return unused("momentum.dropout", "with mode = \"eval\", which has no dropout");
            }
        } else if !viewed && m.mode == MomentumMode::Train {
            return Err(
                "momentum.dropout is missing: set the rate with which view 1 is encoded for the queue".into(),
            );
        }
        if !m.share_head && self.head.layers().is_empty() {
            return unused("momentum.share_head", "without a head");
        }
        refuse(&[("momentum.mask_same_sentence", m.mask_same_sentence && m.queue == 0)], "without a queue")
    }

    /// Rows of pads are computed, but no token reads them: they count only in a mean with pads, and as queries of AMI.
    fn check_padding_effects(&self) -> Result<(), String> {
        let read = self.pooling.train == Some(Pooling::MeanWithPads)
            || self.objectives.iter().any(|o| matches!(o, Objective::Ami(_) | Objective::Custom(_)));
        let why = "if neither a mean with pads nor ami reads the pads";
        let kept = |rule: PaddingRule| rule == PaddingRule::Keep && !read;
        refuse(&[("padding", kept(self.padding))], why)?;
        for view in &self.views {
            if let Some(rule) = view.padding {
                refuse(&[("views.padding", kept(rule))], why)?;
                refuse(&[("views.padding", rule == self.padding)], "if it repeats the recipe's padding")?;
            }
        }
        Ok(())
    }
}

//! Views that cannot be combined.

use micse_model::Pooling;

use crate::recipe::{PaddingRule, PerturbationBy, Positions, Recipe, Tower, View};

impl Recipe {
    pub(super) fn check_views(&self) -> Result<(), String> {
        let counts_pads = self.pooling.train == Some(Pooling::MeanWithPads);
        if counts_pads && self.padding == PaddingRule::Drop {
            return Err(
                "pooling mean-with-pads counts pads, which padding = \"drop\" removes: use padding = \"keep\""
                    .into(),
            );
        }
        if self.views.first().is_some_and(|v| !matches!(v.tower, Tower::Online | Tower::Both)) {
            return Err(
                "view 1 must use the online encoder, which is the one that is kept; reorder the views".into(),
            );
        }
        if self.views.first().is_some_and(|v| v.pairs.is_some()) {
            return Err("view 1 must have the batch's own sentences: set pairs in view 2".into());
        }
        let plain = |v: &View| {
            v.dropout == 0.0
                && v.tower == Tower::Online
                && !v.changes_tokens()
                && v.cut_off.is_none()
                // Noise from the previous batch is the same in every view.
                && (v.perturbation.is_none() || v.perturbation_by == PerturbationBy::BatchBefore)
                && v.positions == Positions::InOrder
        };
        let by = |by: PerturbationBy| {
            self.views.iter().any(move |v| v.perturbation.is_some() && v.perturbation_by == by)
        };
        if by(PerturbationBy::BatchBefore) {
            if by(PerturbationBy::ThisBatch) {
                return Err(
                    "views.perturbation_by is this-batch in one view and batch-before in another: the first would be \
                     computed without the second; set the same in all views"
                        .into(),
                );
            }
            if self.views.iter().any(|v| v.cut_off.is_some()) {
                return Err(
                    "views.cut_off cannot be combined with perturbation_by = \"batch-before\": entries that \
                            are cut off would get noise from the previous batch"
                        .into(),
                );
            }
        }
        let plain_views: usize = self.views.iter().filter(|v| plain(v)).map(|v| v.copies).sum();
        if plain_views > 1 {
            return Err(
                "both views have dropout 0 and the same tokens: they would be equal; set a dropout rate"
                    .into(),
            );
        }
        if self.predictor.is_empty() || self.views.iter().any(|v| v.tower == Tower::Momentum) {
            return Ok(());
        }
        Err("a predictor acts on the online side only: set tower = \"momentum\" in view 2".into())
    }
}

//! The weighted sum of a recipe's terms, on the leaves of all views.

use candle_core::Tensor;
use micse_losses::{Selection, check_finite};

use super::momentum::MomentumTower;
use super::{StepReport, Trainer, View};
use crate::Result;
use crate::recipe::{InfoNce, Negatives, Objective};

impl Trainer {
    /// The weighted sum of all terms but masked-lm, which has a pass of its own; each term's value goes into the
    /// report.
    pub(super) fn objectives(
        &self,
        rows: &[Tensor],
        views: &[View],
        selections: &[Selection],
        numbers: &[u32],
        report: &mut StepReport,
    ) -> Result<Tensor> {
        let mut total: Option<Tensor> = None;
        let (mut ami, mut first) = (0, 0);
        for objective in &self.recipe.objectives {
            let term = match objective {
                Objective::Infonce(o) => infonce(o, rows, self.momentum.as_ref(), numbers)?,
                Objective::Ami(_) => {
                    let selection = &selections[ami];
                    let count = selection.positions.len();
                    let (Some(x), Some(y)) = (&views[0].values, &views[1].values) else {
                        return Err(self.failed("the encoder gave no attention values".into()));
                    };
                    let pair = [&x.narrow(0, first, count)?, &y.narrow(0, first, count)?];
                    let loss = self.ami[ami].loss(pair, selection)?;
                    (ami, first) = (ami + 1, first + count);
                    loss
                }
                Objective::MaskedLm(_) => continue,
            };
            let value = check_finite(&term, objective.name()).map_err(|e| {
                self.failed(format!("{e}; lower optimizer.lr, or look at the sentences of this step"))
            })?;
            report.terms.push((objective.name(), value));
            let weighted = (term * objective.weight())?;
            total = Some(match total {
                Some(total) => (total + weighted)?,
                None => weighted,
            });
        }
        let total = total.ok_or_else(|| self.failed("the recipe has no objectives".into()))?;
        report.loss = check_finite(&total, "total").map_err(|e| self.failed(e.to_string()))?;
        Ok(total)
    }
}

fn infonce(
    objective: &InfoNce,
    rows: &[Tensor],
    momentum: Option<&MomentumTower>,
    numbers: &[u32],
) -> Result<Tensor> {
    let loss = micse_losses::InfoNce { temperature: objective.temperature, form: objective.form };
    let queue = momentum.filter(|_| objective.negatives.contains(&Negatives::Queue));
    let negatives = queue.and_then(|tower| tower.queue.rows());
    match (queue, negatives) {
        (Some(tower), Some(negatives)) if tower.rule.mask_same_sentence => {
            match tower.queue.same_sentence(numbers)? {
                Some(own) => Ok(loss.loss_masked(&rows[0], &rows[1], negatives, &own)?),
                None => Ok(loss.loss(&rows[0], &rows[1], Some(negatives))?),
            }
        }
        (_, negatives) => Ok(loss.loss(&rows[0], &rows[1], negatives)?),
    }
}

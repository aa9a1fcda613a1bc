//! InfoNCE (van den Oord et al. 2018), with negatives from the batch and from the momentum encoder's queue.

use candle_core::Tensor;
use micse_losses::InfoNceForm;
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;
use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// Where InfoNCE's negatives come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Negatives {
    /// The other sentences of the batch.
    InBatch,
    /// The momentum encoder's queue.
    Queue,
}

/// InfoNCE (van den Oord et al. 2018) on the head's rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoNce {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// Where the negatives come from.
    pub negatives: Vec<Negatives>,
    /// The standard form, or the paper's Eq. 2 as printed.
    #[serde(default = "standard")]
    pub form: InfoNceForm,
}

fn standard() -> InfoNceForm {
    InfoNceForm::Standard
}

impl Term for InfoNce {
    fn name(&self) -> &'static str {
        "infonce"
    }

    fn needs(&self) -> Needs {
        let queue = self.negatives.contains(&Negatives::Queue);
        // As printed, the denominator has negatives only.
        let two_sentences = self.form == InfoNceForm::AsPrinted && !queue;
        Needs { same_sentences: true, queue, two_sentences, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn check(&self, _: &Recipe) -> TermResult<()> {
        if self.negatives.is_empty() {
            return Err(
                "infonce without negatives has a constant loss: set negatives to in-batch, queue or both"
                    .into(),
            );
        }
        if !self.negatives.contains(&Negatives::InBatch) {
            return Err("infonce does not support negatives from the queue alone: add in-batch".into());
        }
        Ok(())
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let loss = micse_losses::InfoNce { temperature: self.temperature, form: self.form };
        let rows = step.rows();
        let momentum = step.momentum().filter(|_| self.negatives.contains(&Negatives::Queue));
        let negatives = momentum.and_then(|momentum| momentum.queue.rows());
        match (momentum, negatives) {
            (Some(momentum), Some(negatives)) if momentum.rule.mask_same_sentence => {
                match momentum.queue.same_sentence(step.start().numbers())? {
                    Some(own) => Ok(loss.loss_masked(&rows[0], &rows[1], negatives, &own)?),
                    None => Ok(loss.loss(&rows[0], &rows[1], Some(negatives))?),
                }
            }
            (_, negatives) => Ok(loss.loss(&rows[0], &rows[1], negatives)?),
        }
    }
}

//! Contrast of the first two views without negatives.

use candle_core::Tensor;
use micse_losses::AlignmentForm;
use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// Contrast of the first two views without negatives, as [`micse_losses::alignment`] defines it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// The loss of a pair.
    #[serde(default)]
    pub form: AlignmentForm,
}

impl Term for Alignment {
    fn name(&self) -> &'static str {
        "alignment"
    }

    fn needs(&self) -> Needs {
        Needs { same_sentences: true, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let rows = step.rows();
        Ok(micse_losses::alignment(&rows[0], &rows[1], self.temperature, self.form)?)
    }
}

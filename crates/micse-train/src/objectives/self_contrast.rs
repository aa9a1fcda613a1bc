//! The mean cosine of the first two views' pooled rows, minimized (Klein & Nabi 2022, SCD).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// The mean cosine of the first two views' pooled rows, minimized (Klein & Nabi 2022, SCD).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfContrast {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
}

impl Term for SelfContrast {
    fn name(&self) -> &'static str {
        "self-contrast"
    }

    fn needs(&self) -> Needs {
        Needs { same_sentences: true, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        Ok(micse_losses::self_contrast(step.pooled(0)?, step.pooled(1)?, self.temperature)?)
    }
}

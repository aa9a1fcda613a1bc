//! Contrast of the first two views among all 2B rows (Chen et al. 2020, NT-Xent).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// Contrast of the first two views among all 2B rows (Chen et al. 2020, NT-Xent).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NtXent {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
}

impl Term for NtXent {
    fn name(&self) -> &'static str {
        "nt-xent"
    }

    fn needs(&self) -> Needs {
        Needs { same_sentences: true, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let rows = step.rows();
        Ok(micse_losses::nt_xent(&rows[0], &rows[1], self.temperature)?)
    }
}

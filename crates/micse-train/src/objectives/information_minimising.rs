//! The squared distance of the first two views (Chen et al. 2022, InforMin-CL).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// The squared distance of the first two views (Chen et al. 2022, InforMin-CL).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InformationMinimising {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
}

impl Term for InformationMinimising {
    fn name(&self) -> &'static str {
        "information-minimising"
    }

    fn needs(&self) -> Needs {
        Needs { same_sentences: true, ..Needs::views(2) }
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let rows = step.rows();
        Ok(micse_losses::information_minimising(&rows[0], &rows[1])?)
    }
}

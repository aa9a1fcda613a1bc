//! Contrast with a virtual view (Zhang et al. 2022, `VaSCL`).

use candle_core::Tensor;
use micse_losses::{VirtualForm, VirtualOptions, virtual_contrast};
use serde::{Deserialize, Serialize};

use crate::recipe::{Recipe, check_positive};
use crate::term::{Needs, Term, TermResult};
use crate::trainer::{StepView, purpose};

/// Contrast with a virtual view: the row, moved within its neighbourhood to where the head confuses it with a neighbour
/// (Zhang et al. 2022, `VaSCL`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Virtual {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// Length of the random start from which the direction is computed.
    pub step: f64,
    /// Length of the move.
    pub radius: f64,
    /// Other rows in a neighbourhood.
    pub neighbours: usize,
    /// The networks that learn from it.
    pub form: VirtualForm,
}

impl Term for Virtual {
    fn name(&self) -> &'static str {
        "virtual"
    }

    fn needs(&self) -> Needs {
        Needs { head: true, same_sentences: true, two_sentences: true, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn check(&self, _: &Recipe) -> TermResult<()> {
        check_positive("objectives.virtual.step", self.step)?;
        check_positive("objectives.virtual.radius", self.radius)?;
        if self.neighbours == 0 {
            return Err("objectives.virtual.neighbours is 0; it must be at least 1".into());
        }
        Ok(())
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let options = VirtualOptions {
            temperature: self.temperature,
            step: self.step,
            radius: self.radius,
            neighbours: self.neighbours,
            form: self.form,
        };
        let head = |rows: &Tensor| step.head_rows(rows).map_err(candle_core::Error::wrap);
        Ok(virtual_contrast(step.pooled(0)?, &head, &options, step.start().stream(purpose::VIRTUAL))?)
    }
}

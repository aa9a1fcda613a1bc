//! Decorrelation of the columns of two views (Klein & Nabi 2022, SCD).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;
use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// Decorrelation of the columns of two views (Klein & Nabi 2022, SCD).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decorrelation {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// The factor of squares off the diagonal.
    pub off_diagonal: f64,
}

impl Term for Decorrelation {
    fn name(&self) -> &'static str {
        "decorrelation"
    }

    fn needs(&self) -> Needs {
        Needs { head: true, same_sentences: true, two_sentences: true, ..Needs::views(2) }
    }

    fn check(&self, _: &Recipe) -> TermResult<()> {
        if self.off_diagonal < 0.0 {
            let off = self.off_diagonal;
            return Err(
                format!("objectives.decorrelation.off_diagonal is {off}; it cannot be negative").into()
            );
        }
        Ok(())
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let rows = step.rows();
        Ok(micse_losses::decorrelation(&rows[0], &rows[1], self.off_diagonal)?)
    }
}

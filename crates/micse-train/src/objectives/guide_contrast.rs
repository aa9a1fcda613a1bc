//! Contrast of `[CLS]` with all layers of a frozen guide (Kim et al. 2021, SG-OPT).

use candle_core::Tensor;
use micse_model::mean_of_tokens;
use serde::{Deserialize, Serialize};

use crate::recipe::{Recipe, SecondKind, Tower};
use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// The pass of the guide.
const GUIDE: usize = 1;

/// Contrast of `[CLS]` with all layers of a frozen guide (Kim et al. 2021, SG-OPT).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuideContrast {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
}

impl Term for GuideContrast {
    fn name(&self) -> &'static str {
        "guide-contrast"
    }

    fn needs(&self) -> Needs {
        Needs { second: Some(SecondKind::Frozen), tokens: true, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn check(&self, recipe: &Recipe) -> TermResult<()> {
        if recipe.has_towers([Tower::Online, Tower::Second]) {
            return Ok(());
        }
        Err("guide-contrast reads view 1 from tower = \"online\" and view 2 from tower = \"second\"".into())
    }

    fn states(&self, pass: usize, depth: usize) -> Vec<usize> {
        if pass == GUIDE { (0..=depth).collect() } else { Vec::new() }
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let lengths = step.lengths(GUIDE);
        let guide = step
            .states(GUIDE, self)?
            .iter()
            .map(|states| Ok(step.head_rows(&mean_of_tokens(states, &lengths)?)?))
            .collect::<TermResult<Vec<Tensor>>>()?;
        Ok(micse_losses::guide_contrast(&step.rows()[0], &guide, self.temperature)?)
    }
}

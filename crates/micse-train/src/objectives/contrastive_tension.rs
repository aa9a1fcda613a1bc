//! Contrastive tension (Carlsson et al. 2021, CT): pairs are classified by the dot product of two networks' rows.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::recipe::{Recipe, SecondKind, Tower};
use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// Contrastive tension (Carlsson et al. 2021, CT).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveTension {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
}

impl Term for ContrastiveTension {
    fn name(&self) -> &'static str {
        "contrastive-tension"
    }

    fn needs(&self) -> Needs {
        Needs { second: Some(SecondKind::Trained), pairs: true, ..Needs::views(2) }
    }

    fn check(&self, recipe: &Recipe) -> TermResult<()> {
        if !recipe.head.layers().is_empty() {
            return Err("contrastive-tension is defined on pooled rows: use head = \"none\"".into());
        }
        if !recipe.has_towers([Tower::Online, Tower::Second]) {
            return Err(
                "contrastive-tension reads view 1 from tower = \"online\" and view 2 from tower = \"second\""
                    .into(),
            );
        }
        Ok(())
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let rows = step.rows();
        let positive = step.positive(1).ok_or("view 2 has no pairs")?;
        Ok(micse_losses::contrastive_tension(&rows[0], &rows[1], positive)?)
    }
}

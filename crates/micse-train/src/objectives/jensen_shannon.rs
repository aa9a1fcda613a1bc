//! Mutual information of tokens and their sentence (Zhang et al. 2020, IS-BERT).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// Mutual information of tokens and their sentence (Zhang et al. 2020, IS-BERT).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JensenShannon {
    /// The factor of the term.
    #[serde(default = "super::one")]
    pub weight: f64,
}

impl Term for JensenShannon {
    fn name(&self) -> &'static str {
        "jensen-shannon"
    }

    fn needs(&self) -> Needs {
        Needs { tokens: true, convolution: true, two_sentences: true, ..Needs::views(1) }
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let tokens = step.tokens().ok_or("the recipe has no convolution")?;
        let sentence_of: Vec<u32> =
            (0_u32..).zip(step.lengths(0)).flat_map(|(b, length)| std::iter::repeat_n(b, length)).collect();
        Ok(micse_losses::jensen_shannon(tokens, &step.rows()[0], &sentence_of)?)
    }
}

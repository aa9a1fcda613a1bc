//! Masked language modelling (Devlin et al. 2019) next to other terms, as in SimCSE's code.

use micse_data::Masking;
use micse_losses::{MaskedLm as Loss, check_finite};
use micse_model::{Mode, Precision};
use serde::{Deserialize, Serialize};

use crate::masked_lm::MaskedBatch;
use crate::networks::{NetworkKind, Networks};
use crate::objectives::Objective;
use crate::recipe::{Recipe, check_rate};
use crate::term::{Beside, Needs, Term, TermResult};
use crate::trainer::{StepStart, purpose};

/// Masked language modelling: an extra pass on masked copies of the batch's sentences. The prediction head comes from
/// the encoder's folder, or is new if the folder has none, and is trained too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedLm {
    /// The factor of the term.
    #[serde(default = "tenth")]
    pub weight: f64,
    /// The share of tokens to predict.
    #[serde(default = "mask_rate")]
    pub rate: f64,
    /// Whether whole words are masked.
    #[serde(default)]
    pub whole_words: bool,
}

fn tenth() -> f64 {
    0.1
}
fn mask_rate() -> f64 {
    0.15
}

impl Term for MaskedLm {
    fn name(&self) -> &'static str {
        "masked-lm"
    }

    fn needs(&self) -> Needs {
        const HEAD: &[NetworkKind] = &[NetworkKind::MaskedLmHead];
        Needs { tokens: true, masks: true, beside: true, networks: HEAD, ..Needs::views(0) }
    }

    fn check(&self, recipe: &Recipe) -> TermResult<()> {
        check_rate("objectives.masked-lm.rate", self.rate)?;
        let masked = recipe.objectives.iter().filter(|o| matches!(o, Objective::MaskedLm(_))).count();
        if masked > 1 {
            return Err(
                format!("{masked} objectives are masked-lm; use one, with the sum of their weights").into()
            );
        }
        if masked == recipe.objectives.len() {
            return Err(
                "masked-lm needs another objective next to it; `micse pretrain` trains by masked-lm alone"
                    .into(),
            );
        }
        Ok(())
    }

    /// With the dropout rate of view 1, and its own draws.
    fn beside(&self, start: &StepStart<'_>) -> TermResult<Option<Box<dyn Beside>>> {
        let head = start.networks().masked_lm_head(NetworkKind::MaskedLmHead).ok_or("no masked-LM head")?;
        let encoder = start.networks().encoder();
        let dropout = start.further_dropout();
        let masking = Masking { rate: self.rate, whole_words: self.whole_words };
        let padding = (start.padding(), encoder.config().pad_token_id);
        let masks = start.stream(purpose::MASKS);
        let batch = MaskedBatch::new(start.ids(), masking, start.mask_vocabulary()?, padding, masks)?;
        // The output layer is a small part of a contrastive step, so it uses f32 at any encoder precision.
        let loss = batch.loss(encoder, head, Mode::Training(dropout), Precision::F32)?;
        let Some(loss) = loss else { return Ok(None) };
        let value = check_finite(&loss.loss, "masked-lm")?;
        Ok(Some(Box::new(Masked { loss, value })))
    }
}

/// A step's masked-LM loss.
struct Masked {
    loss: Loss,
    value: f64,
}

impl Beside for Masked {
    fn value(&self) -> f64 {
        self.value
    }

    /// Gradients of encoder, word table and head; none if the weight is 0.
    fn backward(&self, weight: f64, networks: &mut Networks) -> TermResult<()> {
        if weight == 0.0 {
            return Ok(());
        }
        let gradients = (&self.loss.loss * weight)?.backward()?;
        Ok(networks.collect_masked_lm(&self.loss, &gradients)?)
    }
}

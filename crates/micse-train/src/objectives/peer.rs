//! The terms between an encoder and its peer (Wu et al. 2022, PCL).

use candle_core::Tensor;
use micse_losses::PeerForm;
use serde::{Deserialize, Serialize};

use crate::networks::NetworkKind;
use crate::recipe::{Recipe, SecondKind, Tower};
use crate::term::{Needs, Term, TermResult};
use crate::trainer::StepView;

/// The terms between an encoder and its peer (Wu et al. 2022, PCL): both networks' InfoNCE, the multi-positive terms
/// and the divergences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The factor of the terms' sum.
    #[serde(default = "super::one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// The equations, or what the released code computes.
    pub form: PeerForm,
}

impl Term for Peer {
    fn name(&self) -> &'static str {
        "peer"
    }

    fn needs(&self) -> Needs {
        Needs { second: Some(SecondKind::Trained), reads: None, two_sentences: true, ..Needs::views(2) }
    }

    fn temperature(&self) -> Option<f64> {
        Some(self.temperature)
    }

    fn check(&self, recipe: &Recipe) -> TermResult<()> {
        if recipe.views.iter().any(|view| view.tower != Tower::Both) {
            return Err(
                "peer compares the same views of both networks: set tower = \"both\" in every view".into()
            );
        }
        Ok(())
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let (online, peer) = (step.rows_of(NetworkKind::Encoder), step.rows_of(NetworkKind::Second));
        Ok(micse_losses::peer_terms(&online, &peer, self.temperature, self.form)?.sum()?)
    }
}

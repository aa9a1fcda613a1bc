//! Networks next to the online encoder: heads, a momentum copy, a second encoder.

use micse_model::HeadLayer;
use serde::{Deserialize, Serialize};

/// The network between pooled rows and objectives, in training only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Head {
    /// `"none"`: the objectives see pooled rows. `"tanh-mlp"`: tanh(W h + b).
    Named(NamedHead),
    /// The layers, one string each (see [`HeadLayer`]).
    Layers(Vec<HeadLayer>),
}

/// Named heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NamedHead {
    /// No head.
    None,
    /// `["linear", "tanh"]`, as in `SimCSE`.
    TanhMlp,
}

impl Default for Head {
    fn default() -> Self {
        Self::Named(NamedHead::None)
    }
}

impl Head {
    /// Its layers; without layers, rows pass unchanged.
    pub fn layers(&self) -> Vec<HeadLayer> {
        match self {
            Self::Named(NamedHead::None) => Vec::new(),
            Self::Named(NamedHead::TanhMlp) => {
                vec![
                    HeadLayer::Linear { outputs: micse_model::head::Width::Hidden(1), bias: true },
                    HeadLayer::Tanh,
                ]
            }
            Self::Layers(layers) => layers.clone(),
        }
    }
}

/// Which rows a head processes together; batch normalisation depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HeadRows {
    /// The rows of one view.
    #[default]
    EachView,
    /// The rows of all views of the online encoder.
    AllViews,
}

/// A copy of the encoder that follows it slowly (He et al. 2020), and the queue of its embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Momentum {
    /// After every step: slow = decay * slow + (1 - decay) * online. Code that updates before a step does the same: its
    /// first update is that of two equal networks.
    pub decay: f64,
    /// Steps over which the decay rises to 1 along half a cosine (Grill et al. 2020); 0: constant decay. Scales with
    /// the number of steps, like the warm-up.
    #[serde(default)]
    pub ramp_steps: usize,
    /// Its dropout rate when it encodes view 1 for the queue; none if it encodes a view, which has a rate of its own,
    /// or if its dropout is inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Whether its dropout is active.
    #[serde(default)]
    pub mode: MomentumMode,
    /// Rows of the queue.
    pub queue: usize,
    /// Random unit rows in the queue before the first step.
    #[serde(default)]
    pub queue_start: usize,
    /// True: it uses the online head. False: its own head, updated with the same decay.
    #[serde(default = "yes")]
    pub share_head: bool,
    /// True: its rows are constants. False: the gradient of its view passes through it into the embedding layer that it
    /// shares with the online encoder, and its own head is both trained and averaged (`MoCoSE`'s code); a shared head
    /// is trained from both sides.
    #[serde(default = "yes", skip_serializing_if = "super::is_yes")]
    pub stop_gradient: bool,
    /// True: a sentence's own queued copies are not among its negatives.
    #[serde(default)]
    pub mask_same_sentence: bool,
}

fn yes() -> bool {
    true
}

/// Whether dropout is active in the momentum copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MomentumMode {
    /// Active.
    #[default]
    Train,
    /// Inactive.
    Eval,
}

/// A second encoder that starts as a copy of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// Whether it learns.
    pub kind: SecondKind,
}

/// Whether a second encoder learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondKind {
    /// It is trained with the first: CT's other tower, PCL's peer.
    Trained,
    /// It stays unchanged: SG-OPT's guide.
    Frozen,
}

//! The optimizer and its schedule.

use serde::{Deserialize, Serialize};

/// The optimizer and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The rule.
    pub kind: OptimizerKind,
    /// The largest learning rate.
    pub lr: f64,
    /// Sentences per step; for pair batches: pairs.
    pub batch_size: usize,
    /// The learning rate over the steps.
    #[serde(default)]
    pub schedule: Schedule,
    /// Steps over which the learning rate grows from 0.
    #[serde(default)]
    pub warmup_steps: usize,
    /// With `schedule = "milestones"`: (steps done, share of `lr` from there on), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<(usize, f64)>,
    /// The maximum gradient norm; larger gradients are scaled down to it. 0 disables clipping.
    #[serde(default = "one")]
    pub clip: f64,
    /// Decoupled weight decay.
    #[serde(default)]
    pub weight_decay: f64,
    /// What decays.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub decays: Decays,
    /// `adamw`: decay of the two moments; [0.9, 0.999] by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub betas: Option<[f64; 2]>,
    /// `rmsprop`: decay of the mean square; 0.9 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoothing: Option<f64>,
    /// Added to the root of the second moment.
    #[serde(default = "epsilon")]
    pub eps: f64,
    /// Whether Adam's moments are divided by 1 - beta^t; some published code does not.
    #[serde(default = "yes", skip_serializing_if = "super::is_yes")]
    pub bias_correction: bool,
    /// Networks with a different learning rate; frozen networks or parts of the encoder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ParameterGroup>,
}

fn one() -> f64 {
    1.0
}
fn epsilon() -> f64 {
    1e-8
}
fn yes() -> bool {
    true
}

/// Parameters with a different learning rate, or frozen. Names are `NETWORK.PARAMETER`:
/// `encoder.embeddings.word_embeddings.weight`, `head.0.weight`; [`crate::NetworkKind::name`] lists the networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// The prefix of their names.
    pub matches: String,
    /// The factor of their learning rate; only for whole networks.
    #[serde(default = "one")]
    pub lr_factor: f64,
    /// True: they are not trained, and do not count towards the gradient norm.
    #[serde(default)]
    pub frozen: bool,
}

/// The optimizer's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay.
    Adamw,
    /// RMSprop: the gradient over the root of its running mean square (with decay `smoothing`).
    Rmsprop,
}

/// Which parameters weight decay acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decays {
    /// Matrices and embedding tables.
    #[default]
    Weights,
    /// All, with biases and the gains and offsets of normalisations.
    All,
}

impl Optimizer {
    /// Decay of the first and the second moment; RMSprop has no first.
    pub fn moment_decays(&self) -> (f64, f64) {
        match self.kind {
            OptimizerKind::Adamw => {
                let [first, second] = self.betas.unwrap_or([0.9, 0.999]);
                (first, second)
            }
            OptimizerKind::Rmsprop => (0.0, self.smoothing.unwrap_or(0.9)),
        }
    }
}

/// The learning rate over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Up during the warm-up, then down to 0 in a straight line.
    #[default]
    Linear,
    /// Up during the warm-up, then constant.
    Constant,
    /// Up during the warm-up, then constant, times the shares of `milestones`.
    Milestones,
}

//! A view of a sentence: its text, its network, its noise.

use micse_data::augment::{TextOp, TokenOp};
use serde::{Deserialize, Serialize};

use super::PaddingRule;

/// One view of a sentence; by default the unchanged sentence through the online encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Dropout rate of hidden states and attention.
    pub dropout: f64,
    /// The network that encodes it.
    #[serde(default)]
    pub tower: Tower,
    /// The number of views of this kind, each with its own draws.
    #[serde(default = "one")]
    pub copies: usize,
    /// A change to the text, before tokenizing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextOp>,
    /// A change to the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenOp>,
    /// True: the change is drawn once per sentence, not again at every step.
    #[serde(default)]
    pub drawn_once: bool,
    /// Pair batches: most sentences are replaced by other sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Pairs>,
    /// Which position embeddings the tokens get.
    #[serde(default)]
    pub positions: Positions,
    /// Entries of the embedding output that are set to 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<CutOff>,
    /// FGSM (Goodfellow et al. 2015): how far the embedding output moves along the sign of the loss's gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perturbation: Option<f64>,
    /// The batch whose gradient FGSM follows.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub perturbation_by: PerturbationBy,
    /// True: a momentum view whose embedding layer is the online encoder's.
    #[serde(default)]
    pub online_embeddings: bool,
    /// Padding of this view, if it differs from the recipe's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<PaddingRule>,
}

fn one() -> usize {
    1
}

impl View {
    /// Whether its tokens can differ from the sentence's.
    pub fn changes_tokens(&self) -> bool {
        self.text.is_some() || self.tokens.is_some() || self.pairs.is_some()
    }
}

/// The network that encodes a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tower {
    /// The encoder that is trained and saved.
    #[default]
    Online,
    /// The recipe's `[second]` network.
    Second,
    /// Both, each with its own dropout: two passes.
    Both,
    /// The recipe's `[momentum]` copy: a constant, unless `momentum.stop_gradient` is false.
    Momentum,
}

/// The batch whose gradient FGSM follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PerturbationBy {
    /// The gradient of the current batch, computed by a separate pass.
    #[default]
    ThisBatch,
    /// The gradient of view 1's embeddings in the previous batch, sentence by sentence and token by token: `MoCoSE`'s
    /// code. This gradient never belongs to the sentences that it perturbs.
    BatchBefore,
}

/// Pair batches (Carlsson et al. 2021, CT): in each group of `negatives` + 1 sentences of the batch, the first is its
/// own partner; the others get partners drawn from the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// K.
    pub negatives: usize,
}

/// Which position embeddings tokens get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Positions {
    /// 0, 1, 2, ...
    #[default]
    InOrder,
    /// A random permutation of these for each sentence (Yan et al. 2021, `ConSERT`).
    Shuffled,
}

/// Cut-off (Shen et al. 2020; Yan et al. 2021): entries of the embedding output that are set to 0, drawn for each
/// sentence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutOff {
    /// This share of the columns, the same for all tokens of a sentence.
    Features(f64),
    /// This share of the tokens.
    Tokens(f64),
}

impl CutOff {
    /// The share.
    pub fn rate(self) -> f64 {
        match self {
            Self::Features(rate) | Self::Tokens(rate) => rate,
        }
    }
}

//! Pooling: from token states to one row per sentence.
//!
//! All means but one are over the tokens of the sentence with `[CLS]` and `[SEP]`, without padding. Layers
//! are numbered, because published code uses "first" for different layers: h_0 is the output of the
//! embeddings (after LayerNorm), h_l the output of layer l, h_L that of the last layer.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the token states of a sentence become one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pooling {
    /// h_L at `[CLS]`, without BERT's own pooler.
    Cls,
    /// Mean of h_L.
    Mean,
    /// Mean of (h_1 + h_L) / 2.
    FirstLastAvg,
    /// Mean of (h_0 + h_L) / 2, called first-last average in the SimCSE paper.
    EmbLastAvg,
    /// Mean of (h_{L-1} + h_L) / 2.
    Top2Avg,
    /// Mean of h_L over all rows of a padded batch, including pads, as in some released code. It requires a
    /// batch with [`crate::Padding::Keep`] and depends on the batch's width.
    MeanWithPads,
}

impl Pooling {
    /// All poolings, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Cls, Self::Mean, Self::FirstLastAvg, Self::EmbLastAvg, Self::Top2Avg, Self::MeanWithPads];

    /// The name in recipes and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
            Self::FirstLastAvg => "first-last-avg",
            Self::EmbLastAvg => "emb-last-avg",
            Self::Top2Avg => "top2-avg",
            Self::MeanWithPads => "mean-with-pads",
        }
    }

    /// The layers whose states are averaged, for an encoder with `layers` layers.
    pub(crate) fn layers(self, layers: usize) -> Vec<usize> {
        match self {
            Self::Cls | Self::Mean | Self::MeanWithPads => vec![layers],
            Self::FirstLastAvg => vec![1, layers],
            Self::EmbLastAvg => vec![0, layers],
            Self::Top2Avg => vec![layers - 1, layers],
        }
    }
}

impl std::fmt::Display for Pooling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Pooling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|p| p.name() == text)
            .ok_or_else(|| Error::Input(format!("unknown pooling \"{text}\"; choose from {}", known())))
    }
}

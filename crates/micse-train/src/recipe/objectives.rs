//! The terms of a recipe's loss.

use micse_losses::{InfoNceForm, MiForm, Pool, Scaling, Slicing};
use serde::{Deserialize, Serialize};

/// One weighted term of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Objective {
    /// Contrast of the first two views' embeddings.
    Infonce(InfoNce),
    /// Mutual information of the first two views' attention maps.
    Ami(Ami),
    /// Masked language modelling of the batch's sentences, in a pass of its own.
    MaskedLm(MaskedLm),
}

impl Objective {
    /// The name in metrics and errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Infonce(_) => "infonce",
            Self::Ami(_) => "ami",
            Self::MaskedLm(_) => "masked-lm",
        }
    }

    /// Whether the term reads token states, which are too large to keep for a whole batch when it is encoded in
    /// chunks.
    pub fn needs_tokens(&self) -> bool {
        match self {
            Self::Infonce(_) | Self::Ami(_) => false,
            Self::MaskedLm(_) => true,
        }
    }

    /// What the term is multiplied by.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Infonce(o) => o.weight,
            Self::Ami(o) => o.weight,
            Self::MaskedLm(o) => o.weight,
        }
    }
}

/// Where InfoNCE's negatives come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Negatives {
    /// The other sentences of the batch.
    InBatch,
    /// The momentum encoder's queue.
    Queue,
}

/// InfoNCE (van den Oord et al. 2018) on the head's rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoNce {
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// Where the negatives come from.
    pub negatives: Vec<Negatives>,
    /// Standard, or the paper's Eq. 2 as printed.
    #[serde(default = "standard")]
    pub form: InfoNceForm,
}

fn one() -> f64 {
    1.0
}
fn standard() -> InfoNceForm {
    InfoNceForm::Standard
}

/// Attention mutual information (Klein & Nabi 2022, Eq. 4 and 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ami {
    /// lambda.
    pub weight: f64,
    /// Which layers' maps.
    pub layers: AmiLayers,
    /// Which maps a slice pools.
    pub slicing: Slicing,
    /// Positions drawn a slice.
    pub samples: usize,
    /// All positions of the sentence, or those that dropout kept in both views.
    pub pool: Pool,
    /// Whether a position can be drawn twice.
    #[serde(default)]
    pub replacement: bool,
    /// Eq. 4 or Algorithm 1.
    pub form: MiForm,
    /// The mean over slices, or the released code's share-squared scaling.
    #[serde(default)]
    pub scaling: Scaling,
}

/// Masked language modelling (Devlin et al. 2019) beside the other terms, as SimCSE's code offers it: an extra pass
/// on masked copies of the batch's sentences. The head is that of the encoder's folder if it has one, else new, and is
/// trained along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedLm {
    /// What the term is multiplied by.
    #[serde(default = "tenth")]
    pub weight: f64,
    /// The share of tokens that is to be predicted.
    #[serde(default = "mask_rate")]
    pub rate: f64,
    /// Whether words are masked whole.
    #[serde(default)]
    pub whole_words: bool,
}

fn tenth() -> f64 {
    0.1
}
fn mask_rate() -> f64 {
    0.15
}

/// Which layers' attention maps take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AmiLayers {
    /// `"upper-third"`: the last ceil(L/3). `"before-last-third"`: as many, ending before the last layer
    /// (the released code: 8 to 11 of 12). `"last-N"`: the last N, or all if there are fewer.
    Named(String),
    /// Layer numbers from 1.
    List(Vec<usize>),
}

impl AmiLayers {
    /// The layers, from 0, of an encoder of `depth` layers.
    ///
    /// # Errors
    /// An unknown name, or a layer that is not there.
    pub fn resolve(&self, depth: usize) -> Result<Vec<usize>, String> {
        let third = depth.div_ceil(3);
        match self {
            Self::Named(name) if name == "upper-third" => Ok((depth - third..depth).collect()),
            Self::Named(name) if name == "before-last-third" => {
                let end = depth - 1;
                if end < third {
                    return Err(format!(
                        "layers = \"{name}\" needs more than {depth} layers; name them in a list"
                    ));
                }
                Ok((end - third..end).collect())
            }
            Self::Named(name) => match name.strip_prefix("last-").and_then(|n| n.parse::<usize>().ok()) {
                Some(n) if n > 0 => Ok((depth.saturating_sub(n)..depth).collect()),
                _ => Err(format!(
                    "layers = \"{name}\" is unknown; there are \"upper-third\", \"before-last-third\", \"last-4\" \
                     and lists such as [9, 10, 11, 12]"
                )),
            },
            Self::List(layers) => {
                if let Some(wrong) = layers.iter().find(|&&l| l == 0 || l > depth) {
                    return Err(format!("layer {wrong} is not one of the encoder's layers 1 to {depth}"));
                }
                Ok(layers.iter().map(|l| l - 1).collect())
            }
        }
    }
}

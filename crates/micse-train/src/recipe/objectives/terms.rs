//! The values of each term but AMI's.

use micse_losses::{InfoNceForm, PeerForm, VirtualForm};
use serde::{Deserialize, Serialize};

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

/// A term that has no value but its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
}

/// A term on cosines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
}

/// Decorrelation of the columns of two views (Klein & Nabi 2022, SCD).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decorrelation {
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// What the squares off the diagonal are multiplied by.
    pub off_diagonal: f64,
}

/// Replaced-token detection (Chuang et al. 2022, `DiffCSE`): sentences whose masked tokens a frozen masked-LM filled go
/// through a discriminator, a second encoder whose `[CLS]` embedding is the sentence's own, and which tells tokens that
/// were replaced from those that were not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplacedTokens {
    /// What the term is multiplied by.
    pub weight: f64,
    /// The share of tokens that the generator fills in.
    pub rate: f64,
}

/// Contrast with a virtual view, the row moved within its neighbourhood to where the head takes it for a neighbour
/// (Zhang et al. 2022, `VaSCL`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Virtual {
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// Length of the start from which the direction is found.
    pub step: f64,
    /// Length of the move.
    pub radius: f64,
    /// Other rows in a neighbourhood.
    pub neighbours: usize,
    /// What learns from it.
    pub form: VirtualForm,
}

/// The terms between an encoder and its peer (Wu et al. 2022, PCL): both networks' InfoNCE, the multi-positive terms
/// and the divergences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// What the terms' sum is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// Cosines are divided by this.
    pub temperature: f64,
    /// The equations, or what the released code computes.
    pub form: PeerForm,
}

/// A term that the caller brings, by its name (see [`crate::Term`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// What the term is multiplied by.
    #[serde(default = "one")]
    pub weight: f64,
    /// Its name.
    pub term: String,
    /// Values of its own.
    #[serde(default)]
    pub values: toml::Table,
}

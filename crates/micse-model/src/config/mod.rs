//! The encoder configuration in Hugging Face's `config.json`.

mod keys;
mod rotary;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::distance::BUCKETS;
use crate::family::Linears;
use crate::files::read_text;
use crate::{Error, Family, Names, Result};
use keys::Keys;
pub use rotary::{LocalAttention, LocalLayers, Rotary};

/// Upper limit of all sizes in a configuration: far above every real encoder, and small enough that a product
/// of three sizes does not overflow.
const LARGEST: usize = 1 << 31;

/// Upper limit of the number of layers that share parameters.
const MOST_SHARED: usize = 1000;

/// The non-linearity between the two feed-forward products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Activation {
    /// x Phi(x), with the exact error function.
    #[serde(rename = "gelu", alias = "gelu_python")]
    Gelu,
    /// The tanh approximation of GELU.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    /// max(0, x).
    #[serde(rename = "relu")]
    Relu,
    /// x / (1 + exp(-x)), also called swish; "swiglu" with a gate.
    #[serde(rename = "silu", alias = "swish", alias = "swiglu")]
    Silu,
}

/// Sizes and constants of an encoder, under BERT's names for every [`Family`]. Files use the family's own
/// keys (`dim`, `n_layers`, ... of `DistilBERT`; RoBERTa's number of positions includes `pad_token_id + 1`
/// unused rows; `ModernBERT` has no table of positions). Other keys (of heads, of generation) are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct BertConfig {
    /// From `model_type`.
    pub family: Family,
    /// Number of word pieces V.
    pub vocab_size: usize,
    /// Hidden size D.
    pub hidden_size: usize,
    /// Width E of the embedding tables and of their LayerNorm. Other than D only in ELECTRA and ALBERT, which project
    /// the embeddings to D.
    pub embedding_size: usize,
    /// Number of layers L.
    pub num_hidden_layers: usize,
    /// In ALBERT, the number of groups of adjacent layers that share their parameters; divides L. `None` if no layers
    /// share any.
    pub num_hidden_groups: Option<usize>,
    /// Number of attention heads H; divides D.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer; with a gate, of its output.
    pub intermediate_size: usize,
    /// The feed-forward layer's non-linearity.
    pub hidden_act: Activation,
    /// Number of positions, and so the longest input in tokens. (The position table of a RoBERTa has more
    /// rows, see [`Self::position_rows`]; with [`Self::rotary`] positions there is no table.)
    pub max_position_embeddings: usize,
    /// Number of token types; only type 0 is used. 0 if there is no such table (`DistilBERT`, MPNet, `ModernBERT`, some
    /// models of the family GTE).
    pub type_vocab_size: usize,
    /// Added to the variance under the square root of every LayerNorm.
    pub layer_norm_eps: f64,
    /// The ID that pads batches, where padding is used.
    pub pad_token_id: u32,
    /// Rotary positions and local attention; `None` if the family has a table of positions.
    pub rotary: Option<Rotary>,
    /// Written for other tools. In micse, recipes define dropout.
    pub hidden_dropout_prob: f64,
    /// Written for other tools. In micse, recipes define dropout.
    pub attention_probs_dropout_prob: f64,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
}

impl BertConfig {
    /// The configuration of a BERT with the given sizes; the intermediate size is four times `hidden`.
    pub fn with_sizes(vocab: usize, layers: usize, hidden: usize, heads: usize, positions: usize) -> Self {
        Self {
            family: Family::Bert,
            vocab_size: vocab,
            hidden_size: hidden,
            embedding_size: hidden,
            num_hidden_layers: layers,
            num_hidden_groups: None,
            num_attention_heads: heads,
            intermediate_size: hidden.saturating_mul(4),
            hidden_act: Activation::Gelu,
            max_position_embeddings: positions,
            type_vocab_size: 2,
            layer_norm_eps: keys::LAYER_NORM_EPS,
            pad_token_id: 0,
            rotary: None,
            hidden_dropout_prob: keys::DROPOUT,
            attention_probs_dropout_prob: keys::DROPOUT,
            initializer_range: keys::INITIALIZER_RANGE,
        }
    }

    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is not JSON of this form, or does not describe an encoder of a known
    /// family.
    pub fn load(path: &Path) -> Result<Self> {
        let invalid = |reason: String| Error::Config { path: path.into(), reason };
        let keys: Keys = serde_json::from_str(&read_text(path)?)
            .map_err(|e| invalid(format!("not an encoder configuration: {e}")))?;
        let config = Self::try_from(keys).map_err(invalid)?;
        config.checked().map_err(invalid)?;
        Ok(config)
    }

    /// Checks that the sizes and constants are possible.
    ///
    /// # Errors
    /// Names the offending key and its value.
    pub fn check(&self) -> Result<()> {
        self.checked().map_err(Error::Input)
    }

    /// [`check`](Self::check), for errors that also name a file.
    fn checked(&self) -> std::result::Result<(), String> {
        let needs_types = self.family.has_token_types() && self.family != Family::Gte;
        let types = self.type_vocab_size.max(usize::from(!needs_types));
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("embedding_size", self.embedding_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", types),
        ] {
            if value == 0 {
                return Err(format!("{key} is 0; it must be at least 1"));
            }
            if value > LARGEST {
                return Err(format!("{key} is {value}; the limit is {LARGEST}"));
            }
        }
        if self.pad_token_id as usize >= self.vocab_size {
            return Err(format!(
                "pad_token_id is {}, outside the vocabulary of {}",
                self.pad_token_id, self.vocab_size
            ));
        }
        if self.max_position_embeddings < 3 {
            return Err(format!(
                "max_position_embeddings allows {} tokens; [CLS], one token and [SEP] need 3",
                self.max_position_embeddings
            ));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not divisible by num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        match (self.num_hidden_groups, self.family.shares_layers()) {
            (Some(groups), true) if groups > 0 && self.num_hidden_layers.is_multiple_of(groups) => {
                // The size of a weights file does not limit this number.
                if self.num_hidden_layers > MOST_SHARED {
                    return Err(format!(
                        "num_hidden_layers is {}; the limit of layers that share parameters is {MOST_SHARED}",
                        self.num_hidden_layers
                    ));
                }
            }
            (None, false) => {}
            (groups, _) => {
                return Err(format!(
                    "num_hidden_groups is {}, which does not fit {} layers of the family {}",
                    groups.map_or("missing".into(), |groups| groups.to_string()),
                    self.num_hidden_layers,
                    self.family
                ));
            }
        }
        if self.projects_embeddings() && !self.family.projects_embeddings() {
            return Err(format!(
                "embedding_size is {}, but hidden_size is {}; in the family {} they are equal",
                self.embedding_size, self.hidden_size, self.family
            ));
        }
        match (&self.rotary, self.family.has_rotary()) {
            (Some(rotary), true) if rotary.local.is_some() == (self.family == Family::ModernBert) => {
                rotary.check(self.num_hidden_layers, self.head_size())?;
            }
            (None, false) => {}
            (found, _) => {
                let has = match found {
                    Some(Rotary { local: Some(_), .. }) => "has local attention",
                    Some(Rotary { local: None, .. }) => "has rotary positions without local attention",
                    None => "has no rotary positions",
                };
                return Err(format!("a configuration of the family {} {has}", self.family));
            }
        }
        for (key, value) in
            [("layer_norm_eps", self.layer_norm_eps), ("initializer_range", self.initializer_range)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("{key} is {value}; it must be a number and at least 0"));
            }
        }
        let count = self.parameter_count();
        if count > (isize::MAX / 8) as u128 {
            return Err(format!("these sizes amount to {count} parameters, more than fit into any memory"));
        }
        Ok(())
    }

    /// Number of parameters of the encoder.
    pub fn parameter_count(&self) -> u128 {
        let [v, d, l, i, t] = [
            self.vocab_size,
            self.hidden_size,
            self.own_layers(),
            self.intermediate_size,
            self.type_vocab_size,
        ]
        .map(|n| n as u128);
        let inner = u128::from(self.family.is_gated()) * i + i;
        let biases = [(Linears::Attention, 4 * d), (Linears::Intermediate, inner), (Linears::Output, d)];
        let biases = biases.into_iter().filter(|(linears, _)| self.family.has_bias(*linears));
        let offsets = u128::from(self.family.has_offsets());
        let layer =
            4 * d * d + (inner + i) * d + 2 * d * (1 + offsets) + biases.map(|(_, n)| n).sum::<u128>();
        let distances = if self.family.biases_by_distance() { BUCKETS * self.num_attention_heads } else { 0 };
        let e = self.embedding_size as u128;
        let offset = offsets * e;
        let projection = u128::from(self.projects_embeddings()) * (e * d + d);
        let tables = (v + self.position_rows() as u128 + t + 1) * e + offset + projection;
        tables + distances as u128 + l * layer
    }

    /// Whether the attention of a layer reaches from the query at one position to the key at another: always, except
    /// outside the window of a local layer.
    pub fn attends(&self, layer: usize, query: usize, key: usize) -> bool {
        self.window(layer).is_none_or(|window| query.abs_diff(key) <= window)
    }

    /// How many tokens before and after a token a local layer attends to; `None` for a layer that attends to all.
    pub fn window(&self, layer: usize) -> Option<usize> {
        self.rotary.as_ref()?.local_at(layer).map(|local| local.window)
    }

    /// Whether embeddings are projected from E to D: always in ALBERT, else if the two differ.
    pub fn projects_embeddings(&self) -> bool {
        self.embedding_size != self.hidden_size || self.family == Family::Albert
    }

    /// Number of layers with parameters of their own.
    pub fn own_layers(&self) -> usize {
        self.num_hidden_groups.unwrap_or(self.num_hidden_layers)
    }

    /// Which of the layers with parameters of their own a layer uses.
    pub fn own_layer(&self, layer: usize) -> usize {
        self.num_hidden_groups.map_or(layer, |groups| layer / (self.num_hidden_layers / groups))
    }

    /// The names of the encoder's parameters in the files of its family.
    pub fn names(&self) -> Names {
        Names::new(self.family, self.num_hidden_layers)
    }

    /// Width of one attention head, D / H.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Rows of the feed-forward layer's first matrix: its inner width, and with a gate twice that.
    pub fn inner_rows(&self) -> usize {
        self.intermediate_size * if self.family.is_gated() { 2 } else { 1 }
    }

    /// Rows of the position table; 0 with rotary positions.
    pub fn position_rows(&self) -> usize {
        if self.rotary.is_some() {
            return 0;
        }
        self.max_position_embeddings + self.first_position() as usize
    }

    /// The row of the position table for a token with this ID at this position of its sentence. RoBERTa uses
    /// one row, `pad_token_id`, for all pads, and counts positions from the row after it.
    pub(crate) fn position_row(&self, id: u32, position: u32) -> u32 {
        match self.first_position() {
            0 => position,
            first if id == self.pad_token_id => first - 1,
            first => first + position,
        }
    }

    /// The row of position 0.
    fn first_position(&self) -> u32 {
        if self.family.shifts_positions() { self.pad_token_id.saturating_add(1) } else { 0 }
    }
}

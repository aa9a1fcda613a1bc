//! The configuration of a BERT encoder, as Hugging Face writes it in `config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The non-linearity between the two feed-forward products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// x Phi(x), with the exact error function.
    #[serde(rename = "gelu")]
    Gelu,
    /// The tanh approximation of GELU.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluNew,
    /// max(0, x).
    #[serde(rename = "relu")]
    Relu,
}

/// Sizes and constants of a BERT encoder. Keys of `config.json` that are not listed here (those of
/// heads, generation, dropout: recipes set dropout) are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Written by transformers to choose the class; `["BertModel"]` in the folders that we write.
    #[serde(default = "bert_architecture")]
    pub architectures: Vec<String>,
    /// `"bert"`; anything else is refused.
    #[serde(default)]
    pub model_type: String,
    /// Number of word pieces V.
    pub vocab_size: usize,
    /// Hidden size D.
    pub hidden_size: usize,
    /// Number of layers L.
    pub num_hidden_layers: usize,
    /// Number of attention heads H; divides D.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// The feed-forward layer's non-linearity.
    pub hidden_act: Activation,
    /// Number of positions: the longest input in tokens.
    pub max_position_embeddings: usize,
    /// Number of token types; type 0 is used throughout.
    pub type_vocab_size: usize,
    /// Added to the variance under the square root of every LayerNorm.
    #[serde(default = "layer_norm_eps")]
    pub layer_norm_eps: f64,
    /// The id that pads batches where padding is asked for.
    #[serde(default)]
    pub pad_token_id: u32,
    /// Only `"absolute"` is BERT's.
    #[serde(default = "absolute")]
    pub position_embedding_type: String,
    /// Written for other tools; recipes decide dropout here.
    #[serde(default = "tenth")]
    pub hidden_dropout_prob: f64,
    /// Written for other tools; recipes decide dropout here.
    #[serde(default = "tenth")]
    pub attention_probs_dropout_prob: f64,
    /// Standard deviation of new weights.
    #[serde(default = "initializer_range")]
    pub initializer_range: f64,
}

fn bert_architecture() -> Vec<String> {
    vec!["BertModel".to_owned()]
}
fn layer_norm_eps() -> f64 {
    1e-12
}
fn absolute() -> String {
    "absolute".to_owned()
}
fn tenth() -> f64 {
    0.1
}
fn initializer_range() -> f64 {
    0.02
}

impl BertConfig {
    /// The configuration of a BERT with the given sizes and an intermediate size of four times `hidden`.
    pub fn with_sizes(vocab: usize, layers: usize, hidden: usize, heads: usize, positions: usize) -> Self {
        Self {
            architectures: bert_architecture(),
            model_type: "bert".to_owned(),
            vocab_size: vocab,
            hidden_size: hidden,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            intermediate_size: 4 * hidden,
            hidden_act: Activation::Gelu,
            max_position_embeddings: positions,
            type_vocab_size: 2,
            layer_norm_eps: layer_norm_eps(),
            pad_token_id: 0,
            position_embedding_type: absolute(),
            hidden_dropout_prob: tenth(),
            attention_probs_dropout_prob: tenth(),
            initializer_range: initializer_range(),
        }
    }

    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// The file cannot be read, is no JSON of this form, or describes an encoder that is not BERT.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let config: Self = serde_json::from_str(&text).map_err(|e| Error::Config {
            path: path.into(),
            reason: format!("not a BERT configuration: {e}"),
        })?;
        config.check().map_err(|reason| Error::Config { path: path.into(), reason })?;
        Ok(config)
    }

    /// Says what makes this configuration impossible, if anything does.
    ///
    /// # Errors
    /// A sentence that names the key and its value.
    pub fn check(&self) -> std::result::Result<(), String> {
        if self.model_type != "bert" {
            return Err(format!(
                "model_type is \"{}\", but only \"bert\" is supported; give a BERT checkpoint",
                self.model_type
            ));
        }
        if self.position_embedding_type != "absolute" {
            return Err(format!(
                "position_embedding_type is \"{}\", but only \"absolute\" is supported",
                self.position_embedding_type
            ));
        }
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("type_vocab_size", self.type_vocab_size),
        ] {
            if value == 0 {
                return Err(format!("{key} is 0; it must be at least 1"));
            }
        }
        if self.max_position_embeddings < 3 {
            return Err(format!(
                "max_position_embeddings is {}; [CLS], one token and [SEP] need 3",
                self.max_position_embeddings
            ));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} does not divide by num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        Ok(())
    }

    /// Width of one attention head, D / H.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

//! The keys of `config.json`, for all families.

use serde::{Deserialize, Serialize};

use super::rotary::RotaryKeys;
use super::{Activation, BertConfig};
use crate::Family;
use crate::distance::BUCKETS;

pub(super) const LAYER_NORM_EPS: f64 = 1e-12;
pub(super) const DROPOUT: f64 = 0.1;
pub(super) const INITIALIZER_RANGE: f64 = 0.02;
/// What transformers takes for missing keys of `ModernBERT`.
const NORM_EPS: f64 = 1e-5;
const MODERNBERT_PAD: u32 = 50_283;

/// The only supported position embeddings are those that are added to the token embeddings.
const ABSOLUTE: &str = "absolute";

/// Writing produces the keys of the family; when reading, keys with a default may be missing.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Keys {
    #[serde(skip_serializing_if = "Option::is_none")]
    architectures: Option<Vec<String>>,
    model_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vocab_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_hidden_layers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_attention_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intermediate_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_act: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dim: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_layers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_dim: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_position_embeddings: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_vocab_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relative_attention_num_buckets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_norm_eps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pad_token_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position_embedding_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_dropout_prob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_probs_dropout_prob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initializer_range: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_decoder: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_activation: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    norm_eps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    norm_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mlp_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mlp_dropout: Option<f64>,
    #[serde(flatten)]
    rotary: RotaryKeys,
}

fn required<T>(key: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{key} is missing"))
}

impl TryFrom<Keys> for BertConfig {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let family = Family::find(&keys.model_type)?;
        if let Some(other) = keys.position_embedding_type.filter(|kind| kind != ABSOLUTE) {
            return Err(format!(
                "position_embedding_type is \"{other}\", but only \"{ABSOLUTE}\" is supported"
            ));
        }
        if keys.is_decoder == Some(true) {
            return Err("is_decoder is true: a decoder's tokens see only the tokens before them; use an \
                        encoder checkpoint"
                .into());
        }
        let (distil, modern) = (family == Family::DistilBert, family == Family::ModernBert);
        if modern {
            for (key, value) in [
                ("norm_bias", keys.norm_bias),
                ("attention_bias", keys.attention_bias),
                ("mlp_bias", keys.mlp_bias),
            ] {
                if value == Some(true) {
                    return Err(format!(
                        "{key} is true, but a ModernBERT with biases is not supported; use a checkpoint without"
                    ));
                }
            }
        }
        let size = |bert: (&str, Option<usize>), own: (&str, Option<usize>)| {
            if !distil {
                return required(bert.0, bert.1);
            }
            // transformers accepts the BERT names of these keys, too.
            match (own.1, bert.1) {
                (Some(own_value), Some(bert_value)) if own_value != bert_value => Err(format!(
                    "{} is {own_value}, but its other name {} is {bert_value}; remove one of them",
                    own.0, bert.0
                )),
                (value, other) => required(own.0, value.or(other)),
            }
        };
        let act = match family {
            Family::DistilBert => required("activation", keys.activation)?,
            Family::ModernBert => keys.hidden_activation.unwrap_or(Activation::Gelu),
            _ => required("hidden_act", keys.hidden_act)?,
        };
        let (dropout, usual) = match family {
            Family::DistilBert => ([keys.dropout, keys.attention_dropout], DROPOUT),
            Family::ModernBert => ([keys.embedding_dropout, keys.attention_dropout], 0.0),
            _ => ([keys.hidden_dropout_prob, keys.attention_probs_dropout_prob], DROPOUT),
        };
        let usual_pad = if modern { MODERNBERT_PAD } else { u32::from(family.shifts_positions()) };
        let pad_token_id = keys.pad_token_id.unwrap_or(usual_pad);
        if family == Family::Mpnet {
            // Constants in the library's code, whatever the configuration contains.
            let buckets = keys.relative_attention_num_buckets.unwrap_or(BUCKETS);
            if buckets != BUCKETS {
                return Err(format!(
                    "relative_attention_num_buckets is {buckets}; every MPNet implementation uses {BUCKETS}"
                ));
            }
            if pad_token_id != 1 {
                return Err(format!("pad_token_id is {pad_token_id}; every MPNet implementation uses 1"));
            }
        }
        let rows = required("max_position_embeddings", keys.max_position_embeddings)?;
        let unused = if family.shifts_positions() { pad_token_id as usize + 1 } else { 0 };
        let positions = rows.checked_sub(unused).ok_or_else(|| {
            format!(
                "max_position_embeddings is {rows}, but positions of this family begin at pad_token_id + 1 \
                 = {unused}"
            )
        })?;
        let hidden_size = size(("hidden_size", keys.hidden_size), ("dim", keys.dim))?;
        Ok(Self {
            family,
            vocab_size: required("vocab_size", keys.vocab_size)?,
            hidden_size,
            embedding_size: if family.projects_embeddings() {
                required("embedding_size", keys.embedding_size)?
            } else {
                hidden_size
            },
            num_hidden_layers: size(
                ("num_hidden_layers", keys.num_hidden_layers),
                ("n_layers", keys.n_layers),
            )?,
            num_attention_heads: size(
                ("num_attention_heads", keys.num_attention_heads),
                ("n_heads", keys.n_heads),
            )?,
            intermediate_size: size(
                ("intermediate_size", keys.intermediate_size),
                ("hidden_dim", keys.hidden_dim),
            )?,
            hidden_act: act,
            max_position_embeddings: positions,
            type_vocab_size: if family.has_token_types() {
                required("type_vocab_size", keys.type_vocab_size)?
            } else {
                0
            },
            layer_norm_eps: match family {
                // It has no key for this.
                Family::DistilBert => LAYER_NORM_EPS,
                Family::ModernBert => keys.norm_eps.unwrap_or(NORM_EPS),
                _ => keys.layer_norm_eps.unwrap_or(LAYER_NORM_EPS),
            },
            pad_token_id,
            rotary: modern.then(|| keys.rotary.read()).transpose()?,
            hidden_dropout_prob: dropout[0].unwrap_or(usual),
            attention_probs_dropout_prob: dropout[1].unwrap_or(usual),
            initializer_range: keys.initializer_range.unwrap_or(INITIALIZER_RANGE),
        })
    }
}

impl From<BertConfig> for Keys {
    fn from(config: BertConfig) -> Self {
        let common = Self {
            architectures: Some(vec![config.family.architecture().to_owned()]),
            model_type: config.family.name().to_owned(),
            vocab_size: Some(config.vocab_size),
            max_position_embeddings: Some(config.max_position_embeddings + config.first_position() as usize),
            pad_token_id: Some(config.pad_token_id),
            initializer_range: Some(config.initializer_range),
            ..Self::default()
        };
        if config.family == Family::DistilBert {
            return Self {
                dim: Some(config.hidden_size),
                n_layers: Some(config.num_hidden_layers),
                n_heads: Some(config.num_attention_heads),
                hidden_dim: Some(config.intermediate_size),
                activation: Some(config.hidden_act),
                dropout: Some(config.hidden_dropout_prob),
                attention_dropout: Some(config.attention_probs_dropout_prob),
                ..common
            };
        }
        let common = Self {
            hidden_size: Some(config.hidden_size),
            num_hidden_layers: Some(config.num_hidden_layers),
            num_attention_heads: Some(config.num_attention_heads),
            intermediate_size: Some(config.intermediate_size),
            ..common
        };
        if config.family == Family::ModernBert {
            return Self {
                hidden_activation: Some(config.hidden_act),
                norm_eps: Some(config.layer_norm_eps),
                norm_bias: Some(false),
                attention_bias: Some(false),
                mlp_bias: Some(false),
                embedding_dropout: Some(config.hidden_dropout_prob),
                mlp_dropout: Some(config.hidden_dropout_prob),
                attention_dropout: Some(config.attention_probs_dropout_prob),
                rotary: config.rotary.map(RotaryKeys::from).unwrap_or_default(),
                ..common
            };
        }
        Self {
            embedding_size: config.family.projects_embeddings().then_some(config.embedding_size),
            hidden_act: Some(config.hidden_act),
            type_vocab_size: config.family.has_token_types().then_some(config.type_vocab_size),
            relative_attention_num_buckets: config.family.biases_by_distance().then_some(BUCKETS),
            layer_norm_eps: Some(config.layer_norm_eps),
            position_embedding_type: config.family.has_token_types().then(|| ABSOLUTE.to_owned()),
            hidden_dropout_prob: Some(config.hidden_dropout_prob),
            attention_probs_dropout_prob: Some(config.attention_probs_dropout_prob),
            ..common
        }
    }
}

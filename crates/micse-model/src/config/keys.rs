//! The keys of `config.json`, for all families.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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

/// Position embeddings that are added to the token embeddings (ModernBERT's configurations have this value, too), and
/// GTE's.
const ABSOLUTE: &str = "absolute";
const ROPE: &str = "rope";
/// The model type of GTE's first configurations.
const NEW: &str = "new";
const NOMIC_POSITIONS: usize = 2048;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    num_hidden_groups: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_group_num: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_dim: Option<usize>,
    #[serde(flatten)]
    rotary: RotaryKeys,
    #[serde(flatten)]
    nomic: NomicKeys,
    #[serde(flatten, skip_serializing)]
    others: Map<String, Value>,
}

/// Fails for keys whose value would change the network of a family with rotary positions: all that differ from the value
/// here, null or missing.
fn refuse_others(family: Family, others: &Map<String, Value>) -> Result<(), String> {
    let only = match family {
        Family::NomicBert => vec![
            ("prenorm", json!(false)),
            ("parallel_block", json!(false)),
            ("causal", json!(false)),
            ("use_rms_norm", json!(false)),
            ("qkv_proj_bias", json!(false)),
            ("mlp_fc1_bias", json!(false)),
            ("mlp_fc2_bias", json!(false)),
            ("rotary_emb_fraction", json!(1.0)),
            ("rotary_emb_interleaved", json!(false)),
            ("rotary_emb_scale_base", Value::Null),
            ("moe_every_n_layers", json!(0)),
        ],
        Family::Gte => vec![("layer_norm_type", json!("layer_norm")), ("logn_attention_scale", json!(false))],
        _ => Vec::new(),
    };
    let same = |value: &Value, only: &Value| match (value.as_f64(), only.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => value == only,
    };
    for (key, only) in only {
        if let Some(other) = others.get(key).filter(|value| !value.is_null() && !same(value, &only)) {
            return Err(format!("{key} is {other}, but only {only} is supported"));
        }
    }
    Ok(())
}

/// The keys of `NomicBERT`'s first configurations, which are GPT-2's.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct NomicKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    n_embd: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_layer: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_head: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_inner: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_positions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_trained_positions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation_function: Option<Activation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_norm_epsilon: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resid_pdrop: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attn_pdrop: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotary_scaling_factor: Option<f64>,
}

impl NomicKeys {
    /// Positions that need no scaling: beyond `max_trained_positions`, a `rotary_scaling_factor` would change the angles
    /// with the length of the input. `own` is `max_position_embeddings`; of the two keys, the smaller one is the length in
    /// pre-training.
    fn positions(&self, own: Option<usize>) -> usize {
        let scaled = self.rotary_scaling_factor.and(self.max_trained_positions);
        own.max(self.n_positions).unwrap_or(NOMIC_POSITIONS).min(scaled.unwrap_or(usize::MAX))
    }
}

fn required<T>(key: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{key} is missing"))
}

/// A key of `config.json` and its value.
type Key<T> = (&'static str, Option<T>);

/// The value of a key that has another name. Libraries differ in the name that they read, so both must agree.
fn one_of<T: PartialEq + Debug>(key: Key<T>, other: Key<T>) -> Result<Option<T>, String> {
    match (key, other) {
        ((name, Some(a)), (other, Some(b))) if a != b => {
            Err(format!("{name} is {a:?}, but its other name {other} is {b:?}; remove one of them"))
        }
        ((_, value), (_, same)) => Ok(value.or(same)),
    }
}

impl TryFrom<Keys> for BertConfig {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let family = Family::find(&keys.model_type)?;
        let positions = if family == Family::Gte { ROPE } else { ABSOLUTE };
        if let Some(other) = keys.position_embedding_type.as_ref().filter(|kind| *kind != positions) {
            return Err(format!(
                "position_embedding_type is \"{other}\", but only \"{positions}\" is supported"
            ));
        }
        if let Some(other) = keys.inner_group_num.filter(|&n| family.shares_layers() && n != 1) {
            return Err(format!("inner_group_num is {other}, but only 1 is supported"));
        }
        refuse_others(family, &keys.others)?;
        if keys.is_decoder == Some(true) {
            return Err("is_decoder is true: a decoder's tokens see only the tokens before them; use an \
                        encoder checkpoint"
                .into());
        }
        if family == Family::ModernBert {
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
        let (albert, nomic) = (family == Family::Albert, &keys.nomic);
        let size = |bert: Key<usize>, distilbert: Key<usize>, first: Key<usize>| match family {
            Family::DistilBert => required(distilbert.0, one_of(distilbert, bert)?),
            Family::NomicBert => required(bert.0, one_of(bert, first)?),
            _ => required(bert.0, bert.1),
        };
        let act = match family {
            Family::DistilBert => required("activation", keys.activation)?,
            Family::ModernBert => keys.hidden_activation.unwrap_or(Activation::Gelu),
            Family::NomicBert => {
                let first = ("activation_function", nomic.activation_function);
                required("hidden_act", one_of(("hidden_act", keys.hidden_act), first)?)?
            }
            _ => required("hidden_act", keys.hidden_act)?,
        };
        let (dropout, usual) = match family {
            Family::DistilBert => ([keys.dropout, keys.attention_dropout], DROPOUT),
            Family::ModernBert => ([keys.embedding_dropout, keys.attention_dropout], 0.0),
            Family::NomicBert => (
                [
                    keys.hidden_dropout_prob.or(nomic.resid_pdrop),
                    keys.attention_probs_dropout_prob.or(nomic.attn_pdrop),
                ],
                0.0,
            ),
            _ => ([keys.hidden_dropout_prob, keys.attention_probs_dropout_prob], DROPOUT),
        };
        let usual_pad = match family {
            Family::ModernBert => MODERNBERT_PAD,
            _ => u32::from(family.shifts_positions()),
        };
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
        let rows = match family {
            Family::NomicBert => nomic.positions(keys.max_position_embeddings),
            _ => required("max_position_embeddings", keys.max_position_embeddings)?,
        };
        let unused = if family.shifts_positions() { pad_token_id as usize + 1 } else { 0 };
        let positions = rows.checked_sub(unused).ok_or_else(|| {
            format!(
                "max_position_embeddings is {rows}, but positions of this family begin at pad_token_id + 1 \
                 = {unused}"
            )
        })?;
        let hidden_size =
            size(("hidden_size", keys.hidden_size), ("dim", keys.dim), ("n_embd", nomic.n_embd))?;
        let num_hidden_layers = size(
            ("num_hidden_layers", keys.num_hidden_layers),
            ("n_layers", keys.n_layers),
            ("n_layer", nomic.n_layer),
        )?;
        let num_attention_heads = size(
            ("num_attention_heads", keys.num_attention_heads),
            ("n_heads", keys.n_heads),
            ("n_head", nomic.n_head),
        )?;
        let head_size = hidden_size / num_attention_heads.max(1);
        if let Some(other) = keys.head_dim.filter(|&size| family.has_rotary() && size != head_size) {
            return Err(format!(
                "head_dim is {other}, but only hidden_size / heads = {head_size} is supported"
            ));
        }
        Ok(Self {
            family,
            vocab_size: required("vocab_size", keys.vocab_size)?,
            hidden_size,
            embedding_size: if family.projects_embeddings() {
                required("embedding_size", keys.embedding_size)?
            } else {
                hidden_size
            },
            num_hidden_layers,
            num_hidden_groups: albert.then(|| keys.num_hidden_groups.unwrap_or(1)),
            num_attention_heads,
            intermediate_size: size(
                ("intermediate_size", keys.intermediate_size),
                ("hidden_dim", keys.hidden_dim),
                ("n_inner", nomic.n_inner),
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
                Family::NomicBert => {
                    let first = ("layer_norm_epsilon", nomic.layer_norm_epsilon);
                    one_of(("layer_norm_eps", keys.layer_norm_eps), first)?.unwrap_or(LAYER_NORM_EPS)
                }
                _ => keys.layer_norm_eps.unwrap_or(LAYER_NORM_EPS),
            },
            pad_token_id,
            rotary: family
                .has_rotary()
                .then(|| keys.rotary.read(family, head_size, keys.model_type == NEW))
                .transpose()?,
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
            num_hidden_groups: config.num_hidden_groups,
            inner_group_num: config.family.shares_layers().then_some(1),
            rotary: config.rotary.map(RotaryKeys::from).unwrap_or_default(),
            hidden_act: Some(config.hidden_act),
            type_vocab_size: config.family.has_token_types().then_some(config.type_vocab_size),
            relative_attention_num_buckets: config.family.biases_by_distance().then_some(BUCKETS),
            layer_norm_eps: Some(config.layer_norm_eps),
            position_embedding_type: (config.family.has_token_types() && !config.family.has_rotary())
                .then(|| ABSOLUTE.to_owned()),
            hidden_dropout_prob: Some(config.hidden_dropout_prob),
            attention_probs_dropout_prob: Some(config.attention_probs_dropout_prob),
            ..common
        }
    }
}

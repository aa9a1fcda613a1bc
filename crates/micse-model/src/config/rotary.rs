//! Rotary positions and local attention in `config.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Family;

/// The values of transformers for missing keys of `ModernBERT`.
const GLOBAL_THETA: f64 = 160_000.0;
const LOCAL_THETA: f64 = 10_000.0;
const LOCAL_ATTENTION: usize = 128;
const GLOBAL_EVERY: usize = 3;
/// The values of the libraries for a missing theta.
const NOMIC_THETA: f64 = 1000.0;
const GTE_THETA: f64 = 160_000.0;
const NEW_THETA: f64 = 10_000.0;
const GLOBAL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

/// Attention with rotary positions (Su et al. 2021), in some layers only to near tokens. The angle of position p in
/// columns i and i + d/2 of a head of width d is `p theta^(-2 i / d) / factor`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// theta of the layers that attend to all tokens.
    pub theta: f64,
    /// By which all frequencies are divided (linear scaling); usually 1.
    pub factor: f64,
    /// Layers that attend to near tokens only.
    pub local: Option<LocalAttention>,
}

/// Attention to near tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalAttention {
    /// theta of these layers; their factor is 1.
    pub theta: f64,
    /// The number of tokens before and after a token that it attends to: half of `local_attention`.
    pub window: usize,
    /// Which layers these are.
    pub layers: LocalLayers,
}

/// The layers that attend to near tokens only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalLayers {
    /// All layers except the first and every n-th after it (`global_attn_every_n_layers`).
    AllButEvery(usize),
    /// For each layer, whether it is local (`layer_types`).
    Listed(Vec<bool>),
}

impl Rotary {
    /// The local attention of a layer; `None` if it attends to all tokens.
    pub fn local_at(&self, layer: usize) -> Option<&LocalAttention> {
        self.local.as_ref().filter(|local| match &local.layers {
            LocalLayers::AllButEvery(n) => !layer.is_multiple_of(*n),
            LocalLayers::Listed(layers) => layers[layer],
        })
    }

    /// Checks the values, for an encoder of this many layers.
    pub(super) fn check(&self, layers: usize, head_size: usize) -> Result<(), String> {
        let positive = |value: f64| value > 0.0 && value as f32 > 0.0 && (value as f32).is_finite();
        let thetas = [(GLOBAL, Some(self.theta)), (LOCAL, self.local.as_ref().map(|local| local.theta))];
        for (kind, theta) in thetas {
            if let Some(theta) = theta.filter(|&theta| !positive(theta)) {
                return Err(format!("the rope_theta of {kind} is {theta}; it must be a positive number"));
            }
        }
        if !positive(self.factor) {
            return Err(format!("the factor of rotary positions is {}; it must be positive", self.factor));
        }
        if !head_size.is_multiple_of(2) {
            return Err(format!("attention heads of size {head_size} cannot be rotated; it must be even"));
        }
        match self.local.as_ref().map(|local| &local.layers) {
            Some(LocalLayers::AllButEvery(0)) => {
                Err("global_attn_every_n_layers is 0; it must be at least 1".into())
            }
            Some(LocalLayers::Listed(list)) if list.len() != layers => Err(format!(
                "layer_types lists {} layers, but num_hidden_layers is {layers}; list each layer once",
                list.len()
            )),
            _ => Ok(()),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RotaryKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_scaling: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    global_attn_every_n_layers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_attention: Option<usize>,
    /// Of `NomicBERT`'s first configurations.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotary_emb_base: Option<f64>,
}

/// An object that describes scaled or plain frequencies, under the name `at`.
struct Parameters<'a> {
    at: &'a str,
    keys: &'a Map<String, Value>,
}

impl<'a> Parameters<'a> {
    fn of(at: &'a str, value: &'a Value) -> Result<Self, String> {
        match value {
            Value::Object(keys) => Ok(Self { at, keys }),
            other => Err(format!("{at} is {other}; it must be an object")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        match self.keys.get(key).filter(|value| !value.is_null()) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(format!("{}.{key} is {value}; it must be a number", self.at)),
            },
        }
    }

    /// The kind of scaling, which must be among `kinds`; no other key than those known and `also` may have a value.
    fn kind(&self, kinds: &[&'static str], also: &[&str]) -> Result<&'static str, String> {
        let mut kind = kinds[0];
        for (key, value) in self.keys.iter().filter(|(_, value)| !value.is_null()) {
            let refuse = || {
                let known = kinds.join(" or ");
                Err(format!("{}.{key} is {value}; only rope_type {known} is supported", self.at))
            };
            if ["rope_type", "type"].contains(&key.as_str()) {
                match kinds.iter().find(|kind| value == **kind) {
                    Some(found) => kind = found,
                    None => return refuse(),
                }
            } else if key != "rope_theta" && !also.contains(&key.as_str()) {
                return refuse();
            }
        }
        Ok(kind)
    }
}

impl RotaryKeys {
    /// The values of a family with rotary positions, whose heads have this size. `named_new`: whether the model type is
    /// that of GTE's first configurations.
    pub(super) fn read(&self, family: Family, head_size: usize, named_new: bool) -> Result<Rotary, String> {
        if family == Family::ModernBert {
            return self.modern();
        }
        let usual = match family {
            Family::NomicBert => NOMIC_THETA,
            _ if named_new => NEW_THETA,
            _ => GTE_THETA,
        };
        let plain = self.rope_theta.or(self.rotary_emb_base);
        let scaling = self.rope_scaling.as_ref().filter(|value| !value.is_null());
        if let Some(keys) = &self.rope_parameters {
            if let Some(scaling) = scaling {
                return Err(format!(
                    "rope_scaling is {scaling}, but rope_parameters is present, too; remove one of them"
                ));
            }
            let parameters = Parameters { at: "rope_parameters", keys };
            let kind = parameters.kind(&["default", "linear"], &["factor"])?;
            let theta = parameters.number("rope_theta")?.or(plain).unwrap_or(usual);
            let factor = match kind {
                "linear" => parameters.number("factor")?.ok_or("rope_parameters has no factor")?,
                _ => 1.0,
            };
            return Ok(Rotary { theta, factor, local: None });
        }
        let Some(scaling) = scaling else {
            return Ok(Rotary { theta: plain.unwrap_or(usual), factor: 1.0, local: None });
        };
        let parameters = Parameters::of("rope_scaling", scaling)?;
        let theta = parameters.number("rope_theta")?.or(plain).unwrap_or(usual);
        let kind = parameters.kind(&["default", "linear", "ntk"], &["factor"])?;
        if kind == "default" {
            return Ok(Rotary { theta, factor: 1.0, local: None });
        }
        let factor = parameters.number("factor")?.ok_or("rope_scaling has no factor")?;
        match kind {
            // Fixed NTK scaling: frequencies `(factor theta)^(-2 i / d) / factor^(2 / d)`.
            "ntk" if factor > 1.0 => {
                Ok(Rotary { theta: theta * factor, factor: factor.powf(2.0 / head_size as f64), local: None })
            }
            "ntk" => Ok(Rotary { theta, factor: 1.0, local: None }),
            _ => Ok(Rotary { theta, factor, local: None }),
        }
    }

    fn modern(&self) -> Result<Rotary, String> {
        if let Some(scaling) = self.rope_scaling.as_ref().filter(|value| !value.is_null()) {
            return Err(format!(
                "rope_scaling is {scaling}, but scaled rotary positions of ModernBERT are not supported"
            ));
        }
        if let Some(other) = self
            .rope_parameters
            .as_ref()
            .and_then(|parameters| parameters.keys().find(|key| ![GLOBAL, LOCAL].contains(&key.as_str())))
        {
            return Err(format!(
                "rope_parameters has the key {other}; only {GLOBAL} and {LOCAL} are supported"
            ));
        }
        let theta = |kind: &str| {
            let Some(own) = self.rope_parameters.as_ref().and_then(|parameters| parameters.get(kind)) else {
                return Ok(None);
            };
            let at = format!("rope_parameters.{kind}");
            let own = Parameters::of(&at, own)?;
            own.kind(&["default"], &[])?;
            own.number("rope_theta")
        };
        let layers = match &self.layer_types {
            None => LocalLayers::AllButEvery(self.global_attn_every_n_layers.unwrap_or(GLOBAL_EVERY)),
            Some(types) => LocalLayers::Listed(
                types
                    .iter()
                    .map(|kind| match kind.as_str() {
                        GLOBAL => Ok(false),
                        LOCAL => Ok(true),
                        other => Err(format!(
                            "layer_types contains \"{other}\"; supported types are {GLOBAL} and {LOCAL}"
                        )),
                    })
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Rotary {
            theta: theta(GLOBAL)?.or(self.global_rope_theta).unwrap_or(GLOBAL_THETA),
            factor: 1.0,
            local: Some(LocalAttention {
                theta: theta(LOCAL)?.or(self.local_rope_theta).unwrap_or(LOCAL_THETA),
                window: self.local_attention.unwrap_or(LOCAL_ATTENTION) / 2,
                layers,
            }),
        })
    }
}

impl From<Rotary> for RotaryKeys {
    /// With local layers, both forms of theta, for transformers 4 and 5.
    fn from(Rotary { theta, factor, local }: Rotary) -> Self {
        let plain = |theta: f64| json!({"rope_type": "default", "rope_theta": theta});
        let Some(local) = local else {
            let own = match plain(theta) {
                Value::Object(own) if factor == 1.0 => own,
                _ => Map::from_iter([
                    ("rope_type".to_owned(), json!("linear")),
                    ("rope_theta".to_owned(), json!(theta)),
                    ("factor".to_owned(), json!(factor)),
                ]),
            };
            return Self { rope_parameters: Some(own), ..Self::default() };
        };
        let parameters = [(GLOBAL, theta), (LOCAL, local.theta)];
        let (layer_types, every) = match local.layers {
            LocalLayers::AllButEvery(n) => (None, Some(n)),
            LocalLayers::Listed(layers) => {
                let name = |local: bool| if local { LOCAL } else { GLOBAL }.to_owned();
                (Some(layers.into_iter().map(name).collect()), None)
            }
        };
        Self {
            rope_parameters: Some(
                parameters.into_iter().map(|(kind, theta)| (kind.to_owned(), plain(theta))).collect(),
            ),
            global_rope_theta: Some(theta),
            local_rope_theta: Some(local.theta),
            layer_types,
            global_attn_every_n_layers: every,
            local_attention: Some(2 * local.window),
            ..Self::default()
        }
    }
}

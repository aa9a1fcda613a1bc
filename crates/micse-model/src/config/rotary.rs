//! Rotary positions and local attention in `config.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The keys of rotary positions and local attention (`ModernBERT`), with the values of transformers for missing ones.
const GLOBAL_THETA: f64 = 160_000.0;
const LOCAL_THETA: f64 = 10_000.0;
const LOCAL_ATTENTION: usize = 128;
const GLOBAL_EVERY: usize = 3;
const GLOBAL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

/// Attention with rotary positions (Su et al. 2021), in some layers only to near tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// theta of the layers that attend to all tokens.
    pub global_theta: f64,
    /// theta of the layers that attend to near tokens only.
    pub local_theta: f64,
    /// The number of tokens before and after a token that it attends to in local layers: half of `local_attention`.
    pub window: usize,
    /// The layers that attend to near tokens only.
    pub local: LocalLayers,
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
    /// Whether a layer attends to near tokens only.
    pub fn is_local(&self, layer: usize) -> bool {
        match &self.local {
            LocalLayers::AllButEvery(n) => !layer.is_multiple_of(*n),
            LocalLayers::Listed(layers) => layers[layer],
        }
    }

    /// Checks the values, for an encoder of this many layers.
    pub(super) fn check(&self, layers: usize, head_size: usize) -> Result<(), String> {
        for (kind, theta) in [(GLOBAL, self.global_theta), (LOCAL, self.local_theta)] {
            if !(theta.is_finite() && theta > 0.0 && (theta as f32) > 0.0 && (theta as f32).is_finite()) {
                return Err(format!("the rope_theta of {kind} is {theta}; it must be a positive number"));
            }
        }
        if !head_size.is_multiple_of(2) {
            return Err(format!("attention heads of size {head_size} cannot be rotated; it must be even"));
        }
        match &self.local {
            LocalLayers::AllButEvery(0) => {
                Err("global_attn_every_n_layers is 0; it must be at least 1".into())
            }
            LocalLayers::Listed(list) if list.len() != layers => Err(format!(
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
}

impl RotaryKeys {
    /// The rope theta of one kind of layer in `rope_parameters`, if it has one.
    fn theta(&self, kind: &str) -> Result<Option<f64>, String> {
        let Some(parameters) = &self.rope_parameters else { return Ok(None) };
        if let Some(other) = parameters.keys().find(|key| ![GLOBAL, LOCAL].contains(&key.as_str())) {
            return Err(format!(
                "rope_parameters has the key {other}; only {GLOBAL} and {LOCAL} are supported"
            ));
        }
        let own = match parameters.get(kind) {
            None => return Ok(None),
            Some(Value::Object(own)) => own,
            Some(other) => return Err(format!("rope_parameters.{kind} is {other}; it must be an object")),
        };
        for (key, value) in own.iter().filter(|(key, value)| *key != "rope_theta" && !value.is_null()) {
            if !(["rope_type", "type"].contains(&key.as_str()) && value == "default") {
                return Err(format!(
                    "rope_parameters.{kind}.{key} is {value}; only rope_type default, without scaling, is supported"
                ));
            }
        }
        match own.get("rope_theta") {
            None => Ok(None),
            Some(theta) => match theta.as_f64() {
                Some(theta) => Ok(Some(theta)),
                None => Err(format!("rope_parameters.{kind}.rope_theta is {theta}; it must be a number")),
            },
        }
    }

    pub(super) fn read(&self) -> Result<Rotary, String> {
        if let Some(scaling) = self.rope_scaling.as_ref().filter(|value| !value.is_null()) {
            return Err(format!("rope_scaling is {scaling}, but scaled rotary positions are not supported"));
        }
        let local = match &self.layer_types {
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
            global_theta: self.theta(GLOBAL)?.or(self.global_rope_theta).unwrap_or(GLOBAL_THETA),
            local_theta: self.theta(LOCAL)?.or(self.local_rope_theta).unwrap_or(LOCAL_THETA),
            window: self.local_attention.unwrap_or(LOCAL_ATTENTION) / 2,
            local,
        })
    }
}

impl From<Rotary> for RotaryKeys {
    /// Both forms of theta, for transformers 4 and 5.
    fn from(rotary: Rotary) -> Self {
        let own = |theta: f64| json!({"rope_type": "default", "rope_theta": theta});
        let parameters = [(GLOBAL, rotary.global_theta), (LOCAL, rotary.local_theta)];
        let (layer_types, every) = match rotary.local {
            LocalLayers::AllButEvery(n) => (None, Some(n)),
            LocalLayers::Listed(layers) => {
                let name = |local: bool| if local { LOCAL } else { GLOBAL }.to_owned();
                (Some(layers.into_iter().map(name).collect()), None)
            }
        };
        Self {
            rope_parameters: Some(
                parameters.into_iter().map(|(kind, theta)| (kind.to_owned(), own(theta))).collect(),
            ),
            global_rope_theta: Some(rotary.global_theta),
            local_rope_theta: Some(rotary.local_theta),
            rope_scaling: None,
            layer_types,
            global_attn_every_n_layers: every,
            local_attention: Some(2 * rotary.window),
        }
    }
}

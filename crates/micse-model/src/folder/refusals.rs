//! Rejects settings in a folder's files that this crate does not support.

use std::path::Path;

use serde_json::{Map, Value};

use super::keys::{CONFIG, KNOWN_KEYS, TRANSFORMER};
use crate::files::object;
use crate::{Error, Result};

/// Keys that this crate rejects unless their value is empty.
const REFUSED_UNLESS_EMPTY: &[(&str, &[&str])] = &[
    (
        CONFIG,
        &["quantization_config", "pruned_heads", "adapters", "add_cross_attention", "is_encoder_decoder"],
    ),
    (
        TRANSFORMER,
        &[
            "model_args",
            "model_kwargs",
            "tokenizer_args",
            "processor_kwargs",
            "config_args",
            "config_kwargs",
            "processing_kwargs",
            "query_length",
            "document_length",
            "query_expansion",
            "tokenizer_name_or_path",
        ],
    ),
];

/// Whether a value requests nothing. Within arguments, every value requests something, even `false`.
fn is_empty(value: &Value) -> bool {
    fn holds_nothing(value: &Value) -> bool {
        value.as_object().is_some_and(|keys| keys.values().all(holds_nothing))
    }
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        // The library removes this key before it passes arguments on.
        Value::Object(keys) if keys.keys().all(|key| key == "trust_remote_code") => true,
        other => holds_nothing(other),
    }
}

/// Rejects keys whose values request something unsupported. `file` is the name in [`KNOWN_KEYS`].
fn check(file: &str, path: &Path, keys: &Map<String, Value>) -> Result<()> {
    let refused = REFUSED_UNLESS_EMPTY.iter().filter(|(name, _)| *name == file).flat_map(|(_, keys)| *keys);
    for key in refused {
        if let Some(value) = keys.get(*key).filter(|value| !is_empty(value)) {
            let known = KNOWN_KEYS.iter().find(|known| known.file == file && known.keys.contains(key));
            return Err(Error::Config {
                path: path.into(),
                reason: format!("{key} is {value}: {}", known.map_or("not supported", |known| known.how)),
            });
        }
    }
    Ok(())
}

/// Rejects settings of the Transformer module's file that change embeddings, except a token limit and
/// lower-casing.
pub(crate) fn check_transformer(path: &Path, keys: &Map<String, Value>) -> Result<()> {
    check(TRANSFORMER, path, keys)?;
    let refused = |key: &str, value: &Value| {
        Err(Error::Config {
            path: path.into(),
            reason: format!("{key} is {value}; only token states of text are supported"),
        })
    };
    if let Some(task) = keys.get("transformer_task").filter(|t| !t.is_null())
        && task.as_str() != Some("feature-extraction")
    {
        return refused("transformer_task", task);
    }
    if let Some(name) = keys.get("module_output_name").filter(|n| !n.is_null())
        && name.as_str() != Some("token_embeddings")
    {
        return refused("module_output_name", name);
    }
    if let Some(modalities) = keys.get("modality_config").filter(|m| !m.is_null()) {
        let usual = |key: &str, value: &str| match modalities["text"].get(key) {
            None | Some(Value::Null) => true,
            Some(found) => found.as_str() == Some(value),
        };
        let plain = usual("method", "forward") && usual("method_output_name", "last_hidden_state");
        let only = modalities.as_object().is_some_and(|m| m.keys().all(|key| key == "text"));
        if !(plain && only) {
            return refused("modality_config", modalities);
        }
    }
    Ok(())
}

/// Rejects settings of `config.json` other than the encoder's sizes that are not supported.
pub(crate) fn check_config(path: &Path) -> Result<()> {
    object(path)?.map_or(Ok(()), |keys| check(CONFIG, path, &keys))
}

//! Rejects settings in a folder's files that this crate does not support.

use std::path::Path;

use serde_json::{Map, Value};

use super::keys::{CONFIG, KNOWN_KEYS, TRANSFORMER};
use crate::files::object;
use crate::modules::Module;
use crate::{Error, Result};

/// sentence-transformers' modules that this crate does not support: class names, and why.
const MODULES: &[(&[&str], &str)] = &[
    (
        &["CLIPModel"],
        "it embeds images and texts with two encoders, but micse reads texts only; use sentence-transformers",
    ),
    (
        &["WeightedLayerPooling"],
        "it mixes the token states of all layers with trained weights, but micse's poolings read fixed layers; use a \
         model that pools the last layer",
    ),
    (
        &["LSTM", "CNN"],
        "it is a trained network between encoder and pooling, which micse does not compute; use a model without it",
    ),
    (
        &["BoW"],
        "it counts the words of a sentence, without vectors of tokens, which micse does not compute; use \
         sentence-transformers",
    ),
    (
        &["WordEmbeddings", "WordWeights"],
        "it is made of word vectors with their own tokenizer, in a format that micse does not read; score the original \
         vectors with micse eval --vectors FILE",
    ),
    (
        &["MLMTransformer", "SpladePooling", "SparseAutoEncoder", "SparseStaticEmbedding"],
        "its embeddings are sparse, with an entry for each word of the vocabulary or each feature, but micse's are \
         dense; use sentence-transformers' SparseEncoder",
    ),
    (
        &["MultiVectorMask", "HierarchicalTokenPooling", "LambdaTokenPooling"],
        "it keeps a vector for each token, but micse gives one embedding per sentence; use sentence-transformers' \
         MultiVectorEncoder",
    ),
    (
        &["LogitScore"],
        "it scores a pair of sentences at once and gives no embedding; use sentence-transformers' CrossEncoder",
    ),
    (
        &["StaticEmbedding"],
        "it is a table of token vectors, and so supported only as the first module, in place of encoder and pooling",
    ),
    (&["Transformer", "Pooling"], "it is supported only once, at the beginning: Transformer, then Pooling"),
];

/// The error for a module that this crate does not support, or not in this place.
pub(crate) fn module(root: &Path, module: &Module) -> Error {
    // Another library's class of the same name is another module.
    let name = if module.is_of_library() { module.class_name() } else { "" };
    let why = match name {
        "Router" | "Asym" => asymmetric(root, module),
        _ => MODULES.iter().find(|(names, _)| names.contains(&name)).map_or_else(
            || {
                "it is not a module that micse knows; supported are Transformer with Pooling, or StaticEmbedding, then \
                 Dense, LayerNorm, Normalize and Dropout"
                    .into()
            },
            |(_, why)| (*why).into(),
        ),
    };
    Error::Config {
        path: root.join("modules.json"),
        reason: format!("the module {} is not supported: {why}", module.class),
    }
}

/// Why a model with several routes is refused, with the routes of its configuration.
fn asymmetric(root: &Path, module: &Module) -> String {
    let keys = module.folder(root).ok().and_then(|folder| {
        let files = ["router_config.json", "config.json"].map(|name| folder.join(name));
        files.into_iter().find_map(|path| object(&path).ok().flatten())
    });
    let structure = keys.as_ref().and_then(|keys| keys.get("structure")?.as_object());
    let routes: Vec<&str> = structure.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let default = keys.as_ref().and_then(|keys| keys.get("parameters")?["default_route"].as_str());
    let (named, example) = match routes.as_slice() {
        [] => (String::new(), "document"),
        [first, ..] => (format!(" ({})", routes.join(", ")), default.unwrap_or(first)),
    };
    format!(
        "the model is asymmetric, with its own modules for each kind of text{named}, but micse embeds all sentences alike. \
         Save the route that you need as its own model, in Python: modules = list(model[0].sub_modules[\"{example}\"]) + \
         list(model)[1:]; SentenceTransformer(modules=modules).save(FOLDER)"
    )
}

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

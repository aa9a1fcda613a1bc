//! Writes model folders that sentence-transformers and transformers load unchanged.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::{Map, Value, json};

use crate::checkpoint::{Checkpoint, INT8};
use crate::encoder::Encoder;
use crate::files::{object, read_text};
use crate::folder::keys::SETTINGS;
use crate::int8::Quantized;
use crate::modules::{self, AfterPooling, OWN};
use crate::weights::{joined, save_safetensors};
use crate::{BertConfig, Dense, Error, Family, ModelFolder, Pooling, Result, Tokenizer, onnx};
use micse_files::{write_json, write_whole};

/// The files of a tokenizer, copied unchanged from the folder of the encoder's base model.
const TOKENIZER_FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
];

/// Tensors of the family's plain model that the encoder does not use.
const UNUSED: [&str; 6] = [
    "pooler.dense.weight",
    "pooler.dense.bias",
    // ALBERT's.
    "pooler.weight",
    "pooler.bias",
    "embeddings.position_ids",
    "embeddings.token_type_ids",
];

/// Writes an encoder as a folder that sentence-transformers and transformers load: `config.json` and tensor
/// names of its family, pooling, and tokenizer.
///
/// Taken over from `base`, the folder that the encoder was loaded from: the tokenizer files, unchanged; the
/// keys of `config.json` that the encoder does not define; the tensors of the family's plain model that the
/// encoder does not use (BERT's pooler, unchanged); the token limit; prompts and the other settings of
/// `config_sentence_transformers.json` and `sentence_bert_config.json`. Modules after the base's pooling are
/// not written; use [`crate::SentenceModel::save`] for them. `dtype` is the precision of the weights on disk.
///
/// # Errors
/// Fails if the folder cannot be written, `base` has no tokenizer, or sentence-transformers does not know
/// `pooling` (it knows cls and mean).
pub fn save_model(
    folder: &Path,
    encoder: &dyn Encoder,
    base: &ModelFolder,
    pooling: Pooling,
    dtype: DType,
) -> Result<()> {
    save_with(folder, encoder, base, pooling, Form::Floats(dtype), &|_| Ok(()))
}

/// The weights; a model folder is complete if and only if this file exists.
const WEIGHTS: &str = "model.safetensors";

/// The form of the weights on disk.
#[derive(Clone, Copy)]
pub(crate) enum Form<'a> {
    /// All tensors in this type.
    Floats(DType),
    /// Linear layers and the word table in 8 bits.
    Int8(&'a Quantized),
    /// As an ONNX file, in these parts, with the tokenizer that belongs to it.
    Onnx(&'a [Vec<u8>; 2], &'a Tokenizer),
}

impl Form<'_> {
    fn file(self) -> &'static str {
        match self {
            Self::Floats(_) => WEIGHTS,
            Self::Int8(_) => INT8,
            Self::Onnx(..) => onnx::FILE,
        }
    }
}

/// [`save_model`] in any form, with `parts` written between the encoder's other files and its weights. The weights of an
/// earlier model are removed first, so that the folder never contains weights next to another model's
/// modules.
pub(crate) fn save_with(
    folder: &Path,
    encoder: &dyn Encoder,
    base: &ModelFolder,
    pooling: Pooling,
    form: Form<'_>,
    parts: &dyn Fn(&Path) -> Result<()>,
) -> Result<()> {
    if !matches!(pooling, Pooling::Cls | Pooling::Mean) {
        return Err(Error::Input(format!(
            "sentence-transformers has no pooling `{pooling}`; choose cls or mean"
        )));
    }
    let config = encoder.config();
    let (tensors, dtype) = match form {
        Form::Floats(dtype) => (tensors(encoder, base, dtype)?, dtype),
        Form::Int8(quantized) => (quantized.tensors(encoder)?, DType::F32),
        Form::Onnx(..) => (Vec::new(), DType::F32),
    };
    let limit = base.max_length()?.unwrap_or(usize::MAX).min(config.max_position_embeddings);
    let own_config = own_config(base, config, dtype)?;
    for weights in
        [WEIGHTS, INT8, onnx::FILE].map(|name| folder.join(name)).iter().filter(|path| path.is_file())
    {
        std::fs::remove_file(weights).map_err(Error::io(weights))?;
    }
    copy_tokenizer(folder, base.path())?;
    write_json(&folder.join("config.json"), &own_config)?;
    write_json(
        &folder.join("modules.json"),
        &json!([library_module(0, "", "Transformer"), library_module(1, "1_Pooling", "Pooling")]),
    )?;
    write_pooling(folder, base, pooling == Pooling::Cls, config.hidden_size)?;
    write_transformer(folder, base, limit)?;
    write_settings(folder, base)?;
    parts(folder)?;
    // Last: a folder with weights is complete.
    match form {
        Form::Onnx(parts, tokenizer) => {
            onnx::write_tokenizer(folder, tokenizer, config.pad_token_id, limit)?;
            onnx::write(folder, parts)
        }
        _ => save_safetensors(&folder.join(form.file()), &tensors),
    }
}

/// The encoder's tensors under the names of its family, and the tensors carried over from the base.
fn tensors(encoder: &dyn Encoder, base: &ModelFolder, dtype: DType) -> Result<Vec<(String, Tensor)>> {
    let config = encoder.config();
    let places = encoder.parameters().into_iter().map(|info| config.names().own(&info.name));
    let values = encoder.values()?.into_iter();
    let parameters = places
        .zip(values)
        .map(|(place, value)| Ok((place, value.to_device(&Device::Cpu)?.to_dtype(dtype)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut tensors = joined(parameters)?;
    // The folder of a model to be trained from scratch has no weights yet.
    let Some(weights) = Checkpoint::find(base.path(), config.names())? else { return Ok(tensors) };
    let (d, rows) = (config.hidden_size, config.position_rows());
    for name in UNUSED.into_iter().filter(|_| config.family.keeps_unused()) {
        let Some(stored) = weights.stored_name(name) else { continue };
        if weights.dtype(stored).is_none() {
            continue;
        }
        let tensor = weights.read(stored)?;
        let shape: &[usize] = match name {
            "pooler.dense.weight" | "pooler.weight" => &[d, d],
            "pooler.dense.bias" | "pooler.bias" => &[d],
            _ => &[1, rows],
        };
        if tensor.dims() == shape {
            let tensor = if tensor.dtype().is_float() { tensor.to_dtype(dtype)? } else { tensor };
            tensors.push((name.to_owned(), tensor));
        }
    }
    Ok(tensors)
}

/// The key of the tokenizer's class in `tokenizer_config.json` and `config.json`.
const CLASS: &str = "tokenizer_class";

/// The base's `config.json`, updated with the encoder's values.
fn own_config(base: &ModelFolder, config: &BertConfig, dtype: DType) -> Result<Map<String, Value>> {
    let path = base.path().join("config.json");
    let invalid = |e: serde_json::Error| Error::Config { path: path.clone(), reason: e.to_string() };
    let mut keys: Map<String, Value> = serde_json::from_str(&read_text(&path)?).map_err(invalid)?;
    let Value::Object(own) = serde_json::to_value(config).map_err(invalid)? else {
        return Ok(keys);
    };
    // For an unchanged configuration, keep the base's spelling of values (`gelu_python`), except for integers
    // in place of decimal numbers, which transformers rejects. Families with rotary positions have configurations whose keys
    // transformers does not know: it needs its own, too.
    let same = base.config()? == *config;
    let is_new = keys.get("model_type").is_some_and(|kind| kind == "new");
    let explicit = config.family.has_rotary();
    for (key, value) in own {
        let missing = explicit && keys.get(&key).is_none_or(Value::is_null);
        let whole = value.is_f64() && keys.get(&key).is_some_and(|base| base.is_i64() || base.is_u64());
        // In `rope_parameters`, whatever the base's form.
        let frequencies = config.family == Family::Gte && key == "rope_parameters";
        if !same || whole || missing || frequencies || key == "architectures" || key == "model_type" {
            keys.insert(key, value);
        }
    }
    if config.family == Family::Gte {
        keys.remove("rope_scaling");
        keys.remove("rope_theta");
        let tokenizer = object(&base.path().join("tokenizer_config.json"))?.unwrap_or_default();
        let is_named = |keys: &Map<String, Value>| keys.get(CLASS).is_some_and(|class| !class.is_null());
        if is_new && !is_named(&keys) && !is_named(&tokenizer) {
            // The default of the type `gte` is another class.
            let is_whole = base.path().join("tokenizer.json").is_file();
            keys.insert(
                CLASS.into(),
                if is_whole { "PreTrainedTokenizerFast" } else { "BertTokenizer" }.into(),
            );
        }
    }
    let precision = match dtype {
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::F64 => "float64",
        _ => "float32",
    };
    for key in ["dtype", "torch_dtype"] {
        if keys.contains_key(key) {
            keys.insert(key.into(), precision.into());
        }
    }
    // This folder contains neither the base's heads nor its custom code.
    keys.remove("auto_map");
    Ok(keys)
}

fn copy_tokenizer(folder: &Path, base: &Path) -> Result<()> {
    let mut copied = 0;
    for source in TOKENIZER_FILES.map(|name| base.join(name)).iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(source).map_err(Error::io(source))?;
        let name = source.file_name().unwrap_or_default();
        write_whole(&folder.join(name), &bytes)?;
        copied += 1;
    }
    if copied == 0 {
        return Err(Error::Tokenizer {
            path: base.into(),
            reason: format!("no tokenizer file found; expected one of {TOKENIZER_FILES:?}"),
        });
    }
    Ok(())
}

/// The keys of a file that has an effect in the base only together with `modules.json`.
fn carried(base: &ModelFolder, keys: Option<Map<String, Value>>) -> Option<Map<String, Value>> {
    keys.filter(|_| base.root().join("modules.json").is_file())
}

/// `config_sentence_transformers.json`: the base's file with its prompts, `truncate_dim` and similarity, or a
/// neutral one.
fn write_settings(folder: &Path, base: &ModelFolder) -> Result<()> {
    let keys = carried(base, object(&base.root().join(SETTINGS))?).map_or_else(
        || {
            json!({"prompts": {"query": "", "document": ""}, "default_prompt_name": null,
                   "similarity_fn_name": "cosine"})
        },
        Value::Object,
    );
    Ok(write_json(&folder.join(SETTINGS), &keys)?)
}

/// Sets the number of entries that are kept of an embedding.
pub(crate) fn set_truncate_dim(folder: &Path, entries: usize) -> Result<()> {
    let path = folder.join(SETTINGS);
    let mut keys = object(&path)?.unwrap_or_default();
    keys.insert("truncate_dim".into(), entries.into());
    Ok(write_json(&path, &keys)?)
}

/// The file of the Transformer module: the base's, with the token limit.
fn write_transformer(folder: &Path, base: &ModelFolder, limit: usize) -> Result<()> {
    let mut keys = carried(base, modules::transformer_file(base.path())?).unwrap_or_default();
    keys.insert("max_seq_length".into(), limit.into());
    keys.entry("do_lower_case").or_insert(false.into());
    Ok(write_json(&folder.join("sentence_bert_config.json"), &keys)?)
}

/// The file of the Pooling module.
fn write_pooling(folder: &Path, base: &ModelFolder, cls: bool, hidden: usize) -> Result<()> {
    Ok(write_json(
        &folder.join("1_Pooling").join("config.json"),
        &json!({
            "word_embedding_dimension": hidden,
            "pooling_mode_cls_token": cls,
            "pooling_mode_mean_tokens": !cls,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
            "pooling_mode_weightedmean_tokens": false,
            "pooling_mode_lasttoken": false,
            "include_prompt": modules::includes_prompt(base.root())?,
        }),
    )?)
}

fn entry(index: usize, path: &str, class: &str) -> Value {
    json!({"idx": index, "name": index.to_string(), "path": path, "type": class})
}

fn library_module(index: usize, path: &str, class: &str) -> Value {
    entry(index, path, &format!("sentence_transformers.models.{class}"))
}

fn modules(folder: &Path) -> Result<Vec<Value>> {
    let path = folder.join("modules.json");
    serde_json::from_str(&read_text(&path)?)
        .map_err(|e| Error::Config { path, reason: format!("not a list of modules: {e}") })
}

/// Adds modules that only this project knows to a folder's `modules.json`. Other libraries then reject the
/// folder because of the module name, instead of loading a model without the module.
///
/// # Errors
/// Fails if the folder has no `modules.json` or cannot be written.
pub fn add_own_modules(folder: &Path, names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let mut modules = modules(folder)?;
    for name in names {
        modules.push(entry(modules.len(), "", &format!("{OWN}{name}")));
    }
    Ok(write_json(&folder.join("modules.json"), &modules)?)
}

/// Appends a linear layer after all modules of a model folder (see [`save_model`]), as the
/// sentence-transformers module `Dense`: a whitening, a projection.
///
/// # Errors
/// Fails if the folder is not a model, contains modules that only this project knows, has rows of a different
/// dimension than the layer's input, or cannot be written.
pub fn add_dense(folder: &Path, dense: &Dense) -> Result<()> {
    let known = modules::read(folder)?.unwrap_or_default();
    if let Some(own) = known.iter().find(|module| module.class.starts_with(OWN)) {
        return Err(Error::Input(format!(
            "{}: a Dense module cannot follow {}, which only micse knows",
            folder.display(),
            own.class
        )));
    }
    let last = modules::behind(folder)?.steps.into_iter().rev().find_map(|step| match step {
        AfterPooling::Dense(dense) => Some(dense.outputs()),
        AfterPooling::Normalize | AfterPooling::LayerNorm(_) | AfterPooling::Dropout(_) => None,
    });
    let rows = match last {
        Some(rows) => rows,
        None => ModelFolder::open(folder)?.config()?.hidden_size,
    };
    if rows != dense.inputs() {
        return Err(Error::Input(format!(
            "{}: its rows have {rows} entries, but the linear layer expects {}",
            folder.display(),
            dense.inputs()
        )));
    }
    add(folder, "Dense", |path| dense.save(path))
}

/// Appends a module after all others.
pub(crate) fn add_step(folder: &Path, step: &AfterPooling) -> Result<()> {
    match step {
        AfterPooling::Dense(dense) => add_dense(folder, dense),
        AfterPooling::LayerNorm(norm) => add(folder, "LayerNorm", |path| norm.save(path)),
        AfterPooling::Dropout(rate) => add(folder, "Dropout", |path| {
            Ok(write_json(&path.join("config.json"), &json!({"dropout": rate}))?)
        }),
        // In folders written by the library, this module's folder is empty; Git would not keep an empty
        // folder.
        AfterPooling::Normalize => {
            add(folder, "Normalize", |path| Ok(write_json(&path.join("config.json"), &json!({}))?))
        }
    }
}

/// Appends one of the library's modules; `save` writes its folder.
fn add(folder: &Path, class: &str, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut modules = modules(folder)?;
    let path = format!("{}_{class}", modules.len());
    save(&folder.join(&path))?;
    modules.push(library_module(modules.len(), &path, class));
    Ok(write_json(&folder.join("modules.json"), &modules)?)
}

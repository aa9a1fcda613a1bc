//! The modules of a sentence-transformers folder, from its `modules.json`: their order and their folders.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::files::{object, read_text};
use crate::folder::keys::SETTINGS;
use crate::folder::refusals::{self, check_transformer};
use crate::head::TokenConvolution;
use crate::int8::Quantized;
use crate::layer_norm::LayerNorm;
use crate::post::Stage;
use crate::{Dense, Error, Pooling, Result};

/// Class prefix of the library's modules.
const LIBRARY: &str = "sentence_transformers.";
/// Class prefix of this project's own modules.
pub(crate) const OWN: &str = "micse.";

/// One entry of `modules.json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Module {
    /// The class, such as `sentence_transformers.models.Pooling`.
    #[serde(rename = "type")]
    pub class: String,
    /// The module's folder within the model folder; empty for the model folder itself.
    #[serde(default)]
    pub path: String,
    /// The library's name of the module, which must be unique.
    #[serde(default)]
    pub name: Option<Value>,
}

impl Module {
    /// The class name without its path, such as `Pooling`.
    pub fn class_name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }

    /// Whether this is the library's class of this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.is_of_library() && self.class_name() == name
    }

    /// Whether this is a class of sentence-transformers.
    pub(crate) fn is_of_library(&self) -> bool {
        self.class.starts_with(LIBRARY)
    }

    /// Whether this is this project's own module of this name.
    fn is_own(&self, name: &str) -> bool {
        self.class.strip_prefix(OWN) == Some(name)
    }

    pub(crate) fn folder(&self, root: &Path) -> Result<PathBuf> {
        let path = Path::new(&self.path);
        if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Ok(path
                .components()
                .filter(|part| *part != Component::CurDir)
                .fold(root.into(), |f, part| f.join(part)));
        }
        Err(invalid(root, format!("the path `{}` of a module is outside the folder", self.path)))
    }
}

fn invalid(root: &Path, reason: String) -> Error {
    Error::Config { path: root.join("modules.json"), reason }
}

/// The modules in order; `None` without `modules.json`.
pub(crate) fn read(root: &Path) -> Result<Option<Vec<Module>>> {
    let path = root.join("modules.json");
    if !path.is_file() {
        return Ok(None);
    }
    let modules: Vec<Module> = serde_json::from_str(&read_text(&path)?)
        .map_err(|e| Error::Config { path: path.clone(), reason: format!("not a list of modules: {e}") })?;
    for (i, module) in modules.iter().enumerate() {
        let Some(name) = &module.name else { continue };
        if modules[..i].iter().any(|earlier| earlier.name.as_ref() == Some(name)) {
            // sentence-transformers would replace the earlier module by the later one.
            let reason = format!("two modules have the name {name}; give each module a unique name");
            return Err(Error::Config { path, reason });
        }
    }
    Ok(Some(modules))
}

/// The folder of the encoder.
pub(crate) fn transformer(root: &Path) -> Result<PathBuf> {
    let Some(modules) = read(root)? else { return Ok(root.into()) };
    match modules.first() {
        Some(first) if first.is("Transformer") => first.folder(root),
        Some(first) => Err(refusals::module(root, first)),
        None => Err(invalid(root, "the file lists no modules".into())),
    }
}

/// A module after the pooling.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AfterPooling {
    /// Scales rows to length 1; a zero row stays zero.
    Normalize,
    /// A linear layer.
    Dense(Dense),
    /// Each row is centred, scaled to variance 1, then scaled and shifted elementwise.
    LayerNorm(LayerNorm),
    /// Dropout with this rate. It acts only in training: embeddings pass unchanged.
    Dropout(f64),
}

/// The parts after the encoder.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    pub(crate) steps: Vec<AfterPooling>,
    /// Whether whitening or a flow comes last.
    pub(crate) stage: bool,
    /// Whether a convolution replaces the pooling.
    pub(crate) convolution: bool,
}

/// The parts after encoder and pooling, in order.
pub(crate) fn behind(root: &Path) -> Result<Behind> {
    let mut behind = Behind::default();
    let mut pooled = false;
    for module in read(root)?.unwrap_or_default().iter().skip(1) {
        let refused = |why: &str| Err(invalid(root, format!("the module {} {why}", module.class)));
        if module.is_own(Quantized::MODULE) {
            continue;
        }
        if behind.stage {
            return refused("follows micse.PostProcessing, which must be the last");
        }
        if module.is_own(TokenConvolution::MODULE) || (module.is("Pooling") && !pooled) {
            // A convolution replaces the pooling. Its files are read later, when the encoder is known.
            pooled = true;
            behind.convolution |= module.is_own(TokenConvolution::MODULE);
        } else if !pooled {
            if !AfterPooling::NAMES.contains(&module.class_name()) {
                return Err(refusals::module(root, module));
            }
            return refused("comes before the pooling, which is not supported");
        } else if module.is_own(Stage::MODULE) {
            behind.stage = true;
        } else {
            behind.steps.push(AfterPooling::read(module, root)?);
        }
    }
    Ok(behind)
}

/// The modules after a StaticEmbedding, in order.
pub(crate) fn after_static(root: &Path) -> Result<Vec<AfterPooling>> {
    read(root)?.unwrap_or_default().iter().skip(1).map(|module| AfterPooling::read(module, root)).collect()
}

impl AfterPooling {
    /// The names of these modules.
    const NAMES: [&str; 4] = ["Normalize", "Dense", "LayerNorm", "Dropout"];

    /// Reads a module after the pooling; any other is an error.
    fn read(module: &Module, root: &Path) -> Result<Self> {
        if !module.is_of_library() {
            return Err(refusals::module(root, module));
        }
        let folder = module.folder(root)?;
        match module.class_name() {
            "Normalize" => check_normalize(&folder).map(|()| Self::Normalize),
            "Dense" => Ok(Self::Dense(Dense::load(&folder)?)),
            "LayerNorm" => Ok(Self::LayerNorm(LayerNorm::load(&folder)?)),
            "Dropout" => Ok(Self::Dropout(dropout(&folder)?)),
            _ => Err(refusals::module(root, module)),
        }
    }
}

/// The default input and output of the modules after the pooling.
pub(crate) const EMBEDDING: &str = "sentence_embedding";

/// Rejects a Normalize module on anything but the embedding. Older folders have no configuration for it.
fn check_normalize(folder: &Path) -> Result<()> {
    let path = folder.join("config.json");
    let Some(keys) = object(&path)? else { return Ok(()) };
    let named = ["module_input_name", "module_output_name"].into_iter().filter_map(|key| keys.get(key));
    match named.filter(|name| !name.is_null()).find(|name| name.as_str() != Some(EMBEDDING)) {
        Some(name) => Err(Error::Config {
            path,
            reason: format!("a Normalize module on {name} is not supported, only on `{EMBEDDING}`"),
        }),
        None => Ok(()),
    }
}

/// The rate of a Dropout module; the default of sentence-transformers is 0.2.
fn dropout(folder: &Path) -> Result<f64> {
    let keys = object(&folder.join("config.json"))?.unwrap_or_default();
    Ok(keys.get("dropout").and_then(Value::as_f64).unwrap_or(0.2))
}

/// The folder of the Pooling module in `modules.json`, if any.
pub(crate) fn pooling_folder(root: &Path) -> Result<Option<PathBuf>> {
    let modules = read(root)?.unwrap_or_default();
    modules.iter().find(|module| module.is("Pooling")).map(|module| module.folder(root)).transpose()
}

/// Truth value as in Python.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(keys) => !keys.is_empty(),
    }
}

/// Whether the pooling includes the prompt's tokens (`include_prompt`, true by default).
pub(crate) fn includes_prompt(root: &Path) -> Result<bool> {
    let Some(folder) = pooling_folder(root)? else { return Ok(true) };
    let keys = object(&folder.join("config.json"))?.unwrap_or_default();
    match keys.get("include_prompt") {
        None => Ok(true),
        // As in the library, null means false.
        Some(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Ok(truthy(value)),
        Some(other) => Err(Error::Config {
            path: folder.join("config.json"),
            reason: format!("include_prompt is {other}; it must be true or false"),
        }),
    }
}

/// The pooling that the folder defines, if any.
pub(crate) fn pooling(root: &Path) -> Result<Option<Pooling>> {
    let Some(folder) = pooling_folder(root)? else { return Ok(None) };
    let path = folder.join("config.json");
    let refused = |reason: String| Error::Config { path: path.clone(), reason };
    if !path.is_file() {
        return Err(refused(
            "no such file, although modules.json lists this pooling; copy or download the folder again"
                .into(),
        ));
    }
    let keys: serde_json::Map<String, Value> = serde_json::from_str(&read_text(&path)?)
        .map_err(|e| refused(format!("not a pooling configuration: {e}")))?;
    let modes = modes(&keys).map_err(refused)?;
    match modes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cls"] => Ok(Some(Pooling::Cls)),
        ["mean"] => Ok(Some(Pooling::Mean)),
        _ => Err(refused(format!(
            "the pooling {} is not supported; choose one with --pooling cls or --pooling mean",
            modes.join(" and ")
        ))),
    }
}

/// The pooling modes under their sentence-transformers names. Version 5.4 introduced a single key; earlier
/// files have a switch for each mode, and mean if none is on.
fn modes(keys: &serde_json::Map<String, Value>) -> std::result::Result<Vec<String>, String> {
    let invalid = |value: &Value| format!("pooling_mode is {value}; it must be a name or a list of names");
    match keys.get("pooling_mode") {
        Some(Value::String(mode)) => return Ok(vec![mode.clone()]),
        Some(Value::Array(modes)) => {
            let name = |mode: &Value| mode.as_str().map(str::to_owned).ok_or_else(|| invalid(mode));
            return modes.iter().map(name).collect();
        }
        Some(other) => return Err(invalid(other)),
        None => {}
    }
    let switches = [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ];
    let on = |key: &str| keys.get(key).is_some_and(truthy);
    let modes: Vec<String> =
        switches.iter().filter(|(key, _)| on(key)).map(|(_, mode)| (*mode).to_owned()).collect();
    Ok(if modes.is_empty() { vec!["mean".into()] } else { modes })
}

/// Settings of the Transformer module in addition to the tokenizer's.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct TransformerKeys {
    #[serde(default)]
    pub(crate) max_seq_length: Option<usize>,
    #[serde(default)]
    pub(crate) do_lower_case: Option<bool>,
}

/// File names that the Transformer module has used.
const TRANSFORMER_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// The path of the Transformer module's file, if any: the first one that contains keys.
pub(crate) fn transformer_path(folder: &Path) -> Option<PathBuf> {
    // An unreadable file is reported where it is used.
    let has_keys =
        |path: &PathBuf| path.is_file() && !matches!(object(path), Ok(Some(keys)) if keys.is_empty());
    TRANSFORMER_FILES.map(|name| folder.join(name)).into_iter().find(has_keys)
}

/// All keys of the Transformer module's file, if any.
pub(crate) fn transformer_file(folder: &Path) -> Result<Option<serde_json::Map<String, Value>>> {
    transformer_path(folder).map_or(Ok(None), |path| object(&path))
}

/// The keys of the Transformer module's file that micse uses.
pub(crate) fn transformer_keys(folder: &Path) -> Result<TransformerKeys> {
    let Some(path) = transformer_path(folder) else { return Ok(TransformerKeys::default()) };
    check_transformer(&path, &object(&path)?.unwrap_or_default())?;
    let keys: TransformerKeys = serde_json::from_str(&read_text(&path)?)
        .map_err(|e| Error::Config { path: path.clone(), reason: format!("invalid configuration: {e}") })?;
    match keys.max_seq_length {
        Some(length) if length < 3 => {
            Err(Error::Config { path, reason: too_short("max_seq_length", length) })
        }
        _ => Ok(keys),
    }
}

/// The error for a token limit that is too small.
pub(crate) fn too_short(key: &str, length: usize) -> String {
    format!("{key} is {length}; [CLS], one token and [SEP] need 3")
}

/// Settings of `config_sentence_transformers.json` that change embeddings.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The default prompt, prepended to every sentence; usually empty.
    pub(crate) prompt: String,
    /// The number of entries of an embedding that are kept.
    pub(crate) truncate_dim: Option<usize>,
}

/// Prompt names that sentence-transformers defines even without an entry in the folder; empty unless the
/// folder sets them.
const LIBRARY_PROMPTS: [&str; 2] = ["query", "document"];

/// The supported kind of model.
const MODEL_TYPE: &str = "SentenceTransformer";

/// The settings of a folder's `config_sentence_transformers.json`.
pub(crate) fn settings(root: &Path) -> Result<Settings> {
    let path = root.join(SETTINGS);
    // sentence-transformers reads this file only together with modules.json.
    if !root.join("modules.json").is_file() {
        return Ok(Settings::default());
    }
    let Some(keys) = object(&path)? else { return Ok(Settings::default()) };
    let invalid = |reason: String| Error::Config { path: path.clone(), reason };
    let present = |key: &str| keys.get(key).filter(|value| !value.is_null());
    if let Some(kind) = present("model_type").filter(|kind| kind.as_str() != Some(MODEL_TYPE)) {
        return Err(invalid(format!(
            "model_type is {kind}; only {MODEL_TYPE}, with one embedding per sentence, is supported"
        )));
    }
    let prompt = match present("default_prompt_name") {
        None => String::new(),
        Some(name) => {
            let name = name
                .as_str()
                .ok_or_else(|| invalid(format!("default_prompt_name is {name}; it must be a name")))?;
            let prompts = present("prompts").and_then(Value::as_object);
            let prompt = match prompts.and_then(|prompts| prompts.get(name)) {
                None if LIBRARY_PROMPTS.contains(&name) => Some(String::new()),
                None => None,
                Some(value) => Some(prompt_text(name, value).map_err(invalid)?),
            };
            prompt.ok_or_else(|| {
                invalid(format!("default_prompt_name is `{name}`, which is not in `prompts`"))
            })?
        }
    };
    let truncate_dim = match present("truncate_dim") {
        None => None,
        Some(value) => Some(value.as_u64().filter(|&n| n > 0).map(|n| n as usize).ok_or_else(|| {
            invalid(format!("truncate_dim is {value}; it must be an integer of at least 1"))
        })?),
    };
    Ok(Settings { prompt, truncate_dim })
}

/// A prompt of a folder; null is an empty prompt.
fn prompt_text(name: &str, value: &Value) -> std::result::Result<String, String> {
    match value {
        Value::String(prompt) => Ok(prompt.clone()),
        Value::Null => Ok(String::new()),
        other => Err(format!("the prompt `{name}` is {other}; it must be a text")),
    }
}

/// The prompts of a folder by name, with those that sentence-transformers defines in any case.
pub(crate) fn prompts(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut prompts: BTreeMap<String, String> =
        LIBRARY_PROMPTS.map(|name| (name.to_owned(), String::new())).into();
    let path = root.join(SETTINGS);
    if !root.join("modules.json").is_file() {
        return Ok(prompts);
    }
    let keys = object(&path)?.unwrap_or_default();
    for (name, value) in keys.get("prompts").and_then(Value::as_object).into_iter().flatten() {
        let text = prompt_text(name, value).map_err(|reason| Error::Config { path: path.clone(), reason })?;
        prompts.insert(name.clone(), text);
    }
    Ok(prompts)
}

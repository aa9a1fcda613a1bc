//! What a sentence-transformers folder says in `modules.json`: which parts follow each other, and where they lie.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::files::read_text;
use crate::{Dense, Error, Pooling, Result};

/// Where other libraries' modules come from.
const LIBRARY: &str = "sentence_transformers.";
/// What this project's own modules begin with.
pub(crate) const OWN: &str = "micse.";
/// The convolution of [`crate::TokenConvolution`].
const CONVOLUTION: &str = "micse.TokenConvolution";
/// Whitening or a flow, which `micse-post` applies.
const STAGE: &str = "micse.PostProcessing";

/// One entry of `modules.json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Module {
    /// The class, such as `sentence_transformers.models.Pooling`.
    #[serde(rename = "type")]
    pub class: String,
    /// The module's folder within the model's; empty for the model's own.
    #[serde(default)]
    pub path: String,
}

impl Module {
    /// The class's own name, such as `Pooling`.
    pub fn name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }

    /// Whether it is the library's class of this name.
    fn is(&self, name: &str) -> bool {
        self.class.starts_with(LIBRARY) && self.name() == name
    }

    fn folder(&self, root: &Path) -> Result<PathBuf> {
        let path = Path::new(&self.path);
        if path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(root.join(path));
        }
        Err(invalid(root, format!("the path `{}` of a module leaves the folder", self.path)))
    }
}

fn invalid(root: &Path, reason: String) -> Error {
    Error::Config { path: root.join("modules.json"), reason }
}

/// The modules in their order; `None` without `modules.json`.
pub(crate) fn read(root: &Path) -> Result<Option<Vec<Module>>> {
    let path = root.join("modules.json");
    if !path.is_file() {
        return Ok(None);
    }
    serde_json::from_str(&read_text(&path)?)
        .map(Some)
        .map_err(|e| Error::Config { path, reason: format!("not a list of modules: {e}") })
}

/// The folder of the encoder itself.
pub(crate) fn transformer(root: &Path) -> Result<PathBuf> {
    let Some(modules) = read(root)? else { return Ok(root.into()) };
    match modules.first() {
        Some(first) if first.is("Transformer") => first.folder(root),
        Some(first) => Err(invalid(
            root,
            format!("the first module is {}, not sentence_transformers.models.Transformer", first.class),
        )),
        None => Err(invalid(root, "it lists no modules".into())),
    }
}

/// What follows the pooling.
#[derive(Clone, Debug, PartialEq)]
pub enum AfterPooling {
    /// Rows get length 1; a row of zeros stays.
    Normalize,
    /// A linear layer.
    Dense(Dense),
}

/// What stands behind the encoder.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    pub(crate) steps: Vec<AfterPooling>,
    /// Whether whitening or a flow comes last.
    pub(crate) stage: bool,
}

/// What follows encoder and pooling, in order.
pub(crate) fn behind(root: &Path) -> Result<Behind> {
    let mut behind = Behind::default();
    let mut pooled = false;
    for module in read(root)?.unwrap_or_default().iter().skip(1) {
        let refused = |why: &str| Err(invalid(root, format!("the module {} {why}", module.class)));
        if behind.stage {
            return refused("comes behind micse.PostProcessing, which is always the last");
        }
        if module.class == CONVOLUTION || (module.is("Pooling") && !pooled) {
            // A convolution takes the pooling's place; its files are read where the encoder is known.
            pooled = true;
        } else if !pooled {
            return refused("comes before the pooling, where it is not supported");
        } else if module.class == STAGE {
            behind.stage = true;
        } else if module.is("Normalize") {
            behind.steps.push(AfterPooling::Normalize);
        } else if module.is("Dense") {
            behind.steps.push(AfterPooling::Dense(Dense::load(&module.folder(root)?)?));
        } else {
            return refused("is not supported; Transformer, Pooling, Dense and Normalize are");
        }
    }
    Ok(behind)
}

/// The pooling that the folder asks for; `None` if it asks for none.
pub(crate) fn pooling(root: &Path) -> Result<Option<Pooling>> {
    let folder = match read(root)? {
        None => root.join("1_Pooling"),
        Some(modules) => match modules.iter().find(|module| module.is("Pooling")) {
            None => return Ok(None),
            Some(module) => module.folder(root)?,
        },
    };
    let path = folder.join("config.json");
    if !path.is_file() {
        return Ok(None);
    }
    let refused = |reason: String| Error::Config { path: path.clone(), reason };
    let keys: serde_json::Map<String, Value> = serde_json::from_str(&read_text(&path)?)
        .map_err(|e| refused(format!("not a pooling configuration: {e}")))?;
    let modes = modes(&keys).map_err(refused)?;
    match modes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cls"] => Ok(Some(Pooling::Cls)),
        ["mean"] => Ok(Some(Pooling::Mean)),
        _ => Err(refused(format!(
            "the pooling {} is not supported; choose one of cls and mean with --pooling",
            modes.join(" and ")
        ))),
    }
}

/// The pooling's modes in sentence-transformers' names. Since its version 5.4 one key has them; before, each mode had a
/// switch, and without any the mean was meant.
fn modes(keys: &serde_json::Map<String, Value>) -> std::result::Result<Vec<String>, String> {
    let invalid = |value: &Value| format!("pooling_mode is {value}, neither a name nor a list of names");
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
    let on = |key: &str| keys.get(key).and_then(Value::as_bool) == Some(true);
    let modes: Vec<String> =
        switches.iter().filter(|(key, _)| on(key)).map(|(_, mode)| (*mode).to_owned()).collect();
    Ok(if modes.is_empty() { vec!["mean".into()] } else { modes })
}

/// What the Transformer module adds to the tokenizer.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct TransformerKeys {
    #[serde(default)]
    pub(crate) max_seq_length: Option<usize>,
    #[serde(default)]
    pub(crate) do_lower_case: Option<bool>,
}

/// The Transformer module's own file, under the names that it has had.
pub(crate) fn transformer_keys(folder: &Path) -> Result<TransformerKeys> {
    let kinds = ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"];
    let paths = kinds.map(|kind| folder.join(format!("sentence_{kind}_config.json")));
    let Some(path) = paths.into_iter().find(|path| path.is_file()) else {
        return Ok(TransformerKeys::default());
    };
    let keys: TransformerKeys = serde_json::from_str(&read_text(&path)?).map_err(|e| Error::Config {
        path: path.clone(),
        reason: format!("not a valid configuration: {e}"),
    })?;
    match keys.max_seq_length {
        Some(length) if length < 3 => {
            Err(Error::Config { path, reason: too_short("max_seq_length", length) })
        }
        _ => Ok(keys),
    }
}

/// The reason against a limit of tokens.
pub(crate) fn too_short(key: &str, length: usize) -> String {
    format!("{key} is {length}; [CLS], one token and [SEP] need 3")
}

/// The text that the library puts before every sentence unless told otherwise; usually none.
pub(crate) fn default_prompt(root: &Path) -> Result<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Prompts {
        prompts: Option<serde_json::Map<String, Value>>,
        default_prompt_name: Option<String>,
    }
    let path = root.join("config_sentence_transformers.json");
    if !path.is_file() {
        return Ok(String::new());
    }
    let keys: Prompts = serde_json::from_str(&read_text(&path)?).map_err(|e| Error::Config {
        path: path.clone(),
        reason: format!("not a valid configuration: {e}"),
    })?;
    let Some(name) = keys.default_prompt_name else { return Ok(String::new()) };
    let prompt = keys.prompts.as_ref().and_then(|prompts| prompts.get(&name)).and_then(Value::as_str);
    prompt.map(str::to_owned).ok_or_else(|| Error::Config {
        path,
        reason: format!("the default prompt `{name}` is not in `prompts`"),
    })
}

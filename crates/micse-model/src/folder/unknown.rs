//! Unknown keys of a folder's files, and other things that a user of the folder should know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Map, Value};

use super::ModelFolder;
use super::keys::{
    CONFIG, DENSE, DROPOUT, KNOWN_KEYS, LAYER_NORM, MODULES, NORMALIZE, POOLING, SETTINGS, TOKENIZER,
    TRANSFORMER,
};
use crate::files::{object, read_text};
use crate::{Error, Result, modules};

impl ModelFolder {
    /// Unknown keys of the folder's files, as `FILE: KEY`. Other libraries may or may not use them to compute
    /// embeddings.
    ///
    /// # Errors
    /// Fails if a file is invalid.
    pub fn unknown_keys(&self) -> Result<Vec<String>> {
        let mut unknown = unknown_in(self.root(), &self.files_with_keys()?)?;
        unknown.extend(unknown_in_modules(self.root())?);
        Ok(unknown)
    }

    /// Files with keys and values, each with its name in [`KNOWN_KEYS`].
    fn files_with_keys(&self) -> Result<Vec<(PathBuf, &'static str)>> {
        let mut files = vec![(self.path().join(CONFIG), CONFIG), (self.path().join(TOKENIZER), TOKENIZER)];
        if !self.root().join(MODULES).is_file() {
            return Ok(files);
        }
        files.extend(modules::transformer_path(self.path()).map(|path| (path, TRANSFORMER)));
        files.extend(files_behind(self.root())?);
        Ok(files)
    }

    /// Logs unknown keys, layers that are not used, and parts of `tokenizer.json` that the tokenizer class replaces, once
    /// per process.
    pub(crate) fn warn_of_what_is_ignored(&self, replaced: &[&str]) {
        warn_once(self.root(), || self.unknown_keys(), || self.unused_layers(), replaced);
    }
}

/// Unknown keys of the files that every sentence-transformers folder may have: settings, the list of modules, and the
/// modules after the first.
pub(crate) fn keys_behind(root: &Path) -> Result<Vec<String>> {
    let mut unknown = unknown_in(root, &files_behind(root)?)?;
    unknown.extend(unknown_in_modules(root)?);
    Ok(unknown)
}

/// The files of settings and of the modules after the first.
fn files_behind(root: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let mut files = vec![(root.join(SETTINGS), SETTINGS)];
    let by_class = [
        ("Pooling", POOLING),
        ("Dense", DENSE),
        ("Normalize", NORMALIZE),
        ("LayerNorm", LAYER_NORM),
        ("Dropout", DROPOUT),
    ];
    for module in modules::read(root)?.unwrap_or_default().iter().skip(1) {
        if let Some((_, file)) = by_class.iter().find(|(class, _)| module.class_name() == *class) {
            files.push((module.folder(root)?.join("config.json"), file));
        }
    }
    Ok(files)
}

fn unknown_in(root: &Path, files: &[(PathBuf, &'static str)]) -> Result<Vec<String>> {
    let mut unknown = Vec::new();
    for (path, file) in files {
        let Some(keys) = object(path)? else { continue };
        let known = |key: &str| {
            KNOWN_KEYS.iter().any(|known| known.file == *file && known.keys.contains(&key))
                || (*file == TOKENIZER && key.ends_with("_token"))
        };
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        unknown.extend(keys.keys().filter(|key| !known(key)).map(|key| format!("{name}: {key}")));
    }
    Ok(unknown)
}

/// Unknown keys of `modules.json`, which is a list of entries.
fn unknown_in_modules(root: &Path) -> Result<Vec<String>> {
    let path = root.join(MODULES);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let entries: Vec<Map<String, Value>> = serde_json::from_str(&read_text(&path)?)
        .map_err(|e| Error::Config { path: path.clone(), reason: format!("not a list of modules: {e}") })?;
    let known = |key: &str| KNOWN_KEYS.iter().any(|known| known.file == MODULES && known.keys.contains(&key));
    let keys: BTreeSet<String> =
        entries.into_iter().flat_map(|entry| entry.into_iter().map(|(key, _)| key)).collect();
    Ok(keys.into_iter().filter(|key| !known(key)).map(|key| format!("{MODULES}: {key}")).collect())
}

/// Logs what a user of the folder should know, once per process.
pub(crate) fn warn_once(
    root: &Path,
    unknown: impl Fn() -> Result<Vec<String>>,
    unused_layers: impl Fn() -> Result<usize>,
    replaced: &[&str],
) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if !WARNED.lock().is_ok_and(|mut warned| warned.insert(root.to_owned())) {
        return;
    }
    let name = root.display();
    // An unreadable file is reported where it is used.
    for key in unknown().unwrap_or_default() {
        tracing::warn!("{name}: unknown key, ignored: {key}");
    }
    let unused = unused_layers().unwrap_or_default();
    if unused > 0 {
        tracing::warn!("{name}: {unused} more layers are stored than config.json counts; they are not used");
    }
    let settings = object(&root.join(SETTINGS)).ok().flatten();
    let similarity = settings.as_ref().and_then(|keys| keys.get("similarity_fn_name")?.as_str());
    if let Some(other) = similarity.filter(|name| *name != "cosine") {
        tracing::warn!(
            "{name}: similarity_fn_name is {other}; micse's commands, search and evaluation use cosine similarity"
        );
    }
    for part in replaced {
        tracing::warn!(
            "{name}: tokenizer.json's {part} is not used: the tokenizer class builds its own from \
             tokenizer_config.json, as transformers does (tokenizer_class PreTrainedTokenizerFast keeps it)"
        );
    }
}

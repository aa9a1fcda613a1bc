//! Finds the parts of a folder with token vectors.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::checkpoint::Checkpoint;
use crate::files::object;
use crate::folder::unknown;
use crate::modules::{self, AfterPooling, Module, Settings};
use crate::{Error, Names, Result};

/// Tokens to which model2vec truncates sentences unless its `config.json` has another number.
const MAX_LENGTH: usize = 512;
/// The `model_type` of model2vec's folders.
const MODEL_TYPE: &str = "model2vec";

/// model2vec's keys of `config.json` that it, or this crate, reads; all others describe the origin of the vectors.
const KNOWN: [&str; 12] = [
    "model_type",
    "normalize",
    "max_length",
    "architectures",
    "tokenizer_name",
    "apply_pca",
    "apply_zipf",
    "sif_coefficient",
    "hidden_dim",
    "seq_length",
    "pooling",
    "embedding_dtype",
];
const OF_VOCABULARY: &str = "vocabulary_quantization";

/// A folder with a vector per token, in one of two layouts:
///
/// - A `modules.json` that begins with a `StaticEmbedding`, in the folder or in its `0_StaticEmbedding`. The embeddings
///   are those of sentence-transformers: `tokenizer.json` alone limits the number of tokens, and an unknown token counts
///   like any other. Folders by model2vec have this file, too.
/// - Without `modules.json`: a `config.json` with the `model_type` model2vec. The embeddings are those of model2vec:
///   sentences are truncated to `max_length` tokens (512 unless set), unknown tokens are dropped, and embeddings are
///   scaled to length 1 if `normalize` is true.
#[derive(Clone, Debug)]
pub struct StaticFolder {
    root: PathBuf,
    path: PathBuf,
    layout: Layout,
}

/// The library that defines the embeddings.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    SentenceTransformers,
    Model2Vec { max_length: Option<usize>, normalize: bool },
}

impl StaticFolder {
    /// The folder, if it has token vectors; `None` if it is another model, or none.
    ///
    /// # Errors
    /// Fails if `modules.json` or model2vec's `config.json` is invalid.
    pub fn find(root: &Path) -> Result<Option<Self>> {
        if let Some(modules) = modules::read(root)? {
            let first = modules.first().filter(|module| module.is("StaticEmbedding"));
            return first
                .map(|module| {
                    let path = module.folder(root)?;
                    Ok(Self { root: root.into(), path, layout: Layout::SentenceTransformers })
                })
                .transpose();
        }
        let path = root.join("config.json");
        // Whoever reads it as an encoder's configuration reports what is wrong with it.
        let keys = object(&path).ok().flatten().unwrap_or_default();
        if keys.get("model_type").and_then(Value::as_str) != Some(MODEL_TYPE) {
            return Ok(None);
        }
        let layout = Layout::of_model2vec(&keys).map_err(|reason| Error::Config { path, reason })?;
        Ok(Some(Self { root: root.into(), path: root.into(), layout }))
    }

    /// [`Self::find`], but any other folder is an error.
    ///
    /// # Errors
    /// Those of [`Self::find`], and if the folder has no token vectors.
    pub fn open(root: &Path) -> Result<Self> {
        Self::find(root)?.ok_or_else(|| Error::Config {
            path: root.join("modules.json"),
            reason: "the first module is not StaticEmbedding, and config.json does not have the model_type model2vec"
                .into(),
        })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with vectors and tokenizer: the folder itself, or its `0_StaticEmbedding`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library whose embeddings this folder gives: `sentence-transformers` or `model2vec`.
    pub fn library(&self) -> &'static str {
        match self.layout {
            Layout::SentenceTransformers => "sentence-transformers",
            Layout::Model2Vec { .. } => MODEL_TYPE,
        }
    }

    /// The table of the weights.
    ///
    /// # Errors
    /// Fails if weights are missing or cannot be read.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Checkpoint::in_folder(&self.path, Names::default())
    }

    /// The tokenizer's file.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.path.join("tokenizer.json")
    }

    /// The modules of `modules.json` in order; none without that file.
    ///
    /// # Errors
    /// Fails if the file is invalid.
    pub fn modules(&self) -> Result<Vec<Module>> {
        Ok(modules::read(&self.root)?.unwrap_or_default())
    }

    /// The files that determine the embeddings. Some may be missing.
    ///
    /// # Errors
    /// Fails if `modules.json` is invalid, or the weights are missing.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = self.checkpoint()?.files().to_vec();
        files.extend([self.tokenizer_path(), self.root.join("config.json"), self.root.join("modules.json")]);
        files.push(self.root.join("config_sentence_transformers.json"));
        for module in self.modules()?.iter().skip(1) {
            let folder = module.folder(&self.root)?;
            let names = ["config.json", "model.safetensors", "pytorch_model.bin"];
            files.extend(names.map(|name| folder.join(name)));
        }
        Ok(files)
    }

    /// Unknown keys of the folder's files, as `FILE: KEY`.
    ///
    /// # Errors
    /// Fails if a file is invalid.
    pub fn unknown_keys(&self) -> Result<Vec<String>> {
        if matches!(self.layout, Layout::SentenceTransformers) {
            return unknown::keys_behind(&self.root);
        }
        let keys = object(&self.root.join("config.json"))?.unwrap_or_default();
        let unknown = keys.keys().filter(|key| !KNOWN.contains(&key.as_str()) && *key != OF_VOCABULARY);
        Ok(unknown.map(|key| format!("config.json: {key}")).collect())
    }

    pub(super) fn warn_of_unknown_keys(&self) {
        unknown::warn_once(&self.root, || self.unknown_keys(), || Ok(0), &[]);
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn settings(&self) -> Result<Settings> {
        modules::settings(&self.root)
    }

    /// The modules after the table.
    pub(super) fn after_table(&self) -> Result<Vec<AfterPooling>> {
        match self.layout {
            Layout::SentenceTransformers => modules::after_static(&self.root),
            Layout::Model2Vec { normalize: true, .. } => Ok(vec![AfterPooling::Normalize]),
            Layout::Model2Vec { normalize: false, .. } => Ok(Vec::new()),
        }
    }
}

impl Layout {
    fn of_model2vec(keys: &Map<String, Value>) -> std::result::Result<Self, String> {
        let normalize = match keys.get("normalize") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(other) => return Err(format!("normalize is {other}; it must be true or false")),
        };
        let max_length = match keys.get("max_length") {
            None => Some(MAX_LENGTH),
            Some(Value::Null) => None,
            Some(value) => {
                let length = value.as_u64().filter(|&n| n > 0).map(|n| n as usize);
                Some(length.ok_or_else(|| {
                    format!("max_length is {value}; it must be an integer of at least 1, or null")
                })?)
            }
        };
        Ok(Self::Model2Vec { max_length, normalize })
    }
}

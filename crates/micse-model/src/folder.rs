//! Model folders, read as the Hugging Face ecosystem has them: a plain checkpoint, or one of sentence-transformers.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::checkpoint::Checkpoint;
use crate::compute::build_encoder;
use crate::encoder::Encoder;
use crate::files::read_text;
use crate::modules::{self, Module};
use crate::{BertConfig, Compute, Error, Pooling, Result, Tokenizer};

pub use crate::export::{add_dense, add_own_modules, save_model};

/// A folder with `config.json`, weights and tokenizer; in a sentence-transformers folder they lie where `modules.json`
/// says.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    root: PathBuf,
    path: PathBuf,
}

impl ModelFolder {
    /// A folder that exists and has a `config.json`.
    ///
    /// # Errors
    /// It does not, or its `modules.json` names no Transformer.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = modules::transformer(path)?;
        let config = folder.join("config.json");
        if !config.is_file() {
            return Err(Error::Config {
                path: config,
                reason: "no such file; a model is a folder with config.json, model.safetensors and \
                         tokenizer.json (or vocab.txt), as the Hugging Face Hub has them"
                    .into(),
            });
        }
        Ok(Self { root: path.into(), path: folder })
    }

    /// Where configuration, weights and tokenizer are: the folder itself, or its `0_Transformer`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The encoder's configuration.
    ///
    /// # Errors
    /// `config.json` is not valid.
    pub fn config(&self) -> Result<BertConfig> {
        BertConfig::load(&self.path.join("config.json"))
    }

    /// The table of the weights.
    ///
    /// # Errors
    /// There are no weights, they cannot be read, or `config.json` is not valid.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Checkpoint::in_folder(&self.path, self.config()?.family)
    }

    /// The encoder.
    ///
    /// # Errors
    /// The configuration or the weights are not valid.
    pub fn encoder(&self, compute: &Compute) -> Result<Box<dyn Encoder>> {
        let config = self.config()?;
        let mut weights = Checkpoint::in_folder(&self.path, config.family)?;
        // Before anything is allocated: the configuration's sizes may be anything.
        weights.check(&config)?;
        build_encoder(config, &mut weights, compute)
    }

    /// The tokenizer, checked against the encoder's vocabulary.
    ///
    /// # Errors
    /// It is missing, not valid, or has ids that the encoder has no row for.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = Tokenizer::load(&self.path)?;
        tokenizer.check_fits(self.config()?.vocab_size)?;
        if self.lower_cases()? { tokenizer.lower_casing() } else { Ok(tokenizer) }
    }

    /// Whether the folder asks for lower-casing in front of its tokenizer.
    pub(crate) fn lower_cases(&self) -> Result<bool> {
        Ok(modules::transformer_keys(&self.path)?.do_lower_case == Some(true))
    }

    /// The most tokens of a sentence that the folder asks for: the `max_seq_length` of `sentence_bert_config.json`, else
    /// the tokenizer's `model_max_length`; `None` if neither says one. (The encoder's own limit is
    /// [`BertConfig::max_position_embeddings`].)
    ///
    /// # Errors
    /// A file is not valid, or leaves no room for a word.
    pub fn max_length(&self) -> Result<Option<usize>> {
        #[derive(Deserialize)]
        struct Keys {
            #[serde(default)]
            model_max_length: Option<f64>,
        }
        if let Some(length) = modules::transformer_keys(&self.path)?.max_seq_length {
            return Ok(Some(length));
        }
        let path = self.path.join("tokenizer_config.json");
        if !path.is_file() {
            return Ok(None);
        }
        let keys: Keys = serde_json::from_str(&read_text(&path)?).map_err(|e| Error::Tokenizer {
            path: path.clone(),
            reason: format!("not a valid tokenizer configuration: {e}"),
        })?;
        // Without a limit the library writes 10^30, which becomes the largest number there is; -1 says the same elsewhere.
        match keys.model_max_length.filter(|n| *n >= 0.0).map(|n| n as usize) {
            Some(length) if length < 3 => {
                Err(Error::Tokenizer { path, reason: modules::too_short("model_max_length", length) })
            }
            length => Ok(length),
        }
    }

    /// The modules of `modules.json` in their order; none without that file.
    ///
    /// # Errors
    /// The file is not valid.
    pub fn modules(&self) -> Result<Vec<Module>> {
        Ok(modules::read(&self.root)?.unwrap_or_default())
    }

    /// The pooling that the folder asks for, in `1_Pooling/config.json` or where `modules.json` says; `None` if it asks
    /// for none.
    ///
    /// # Errors
    /// It asks for something that is neither plain cls nor plain mean.
    pub fn pooling(&self) -> Result<Option<Pooling>> {
        modules::pooling(&self.root)
    }
}

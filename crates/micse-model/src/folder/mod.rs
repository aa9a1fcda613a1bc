//! Model folders, read as the Hugging Face ecosystem has them: a plain checkpoint, or one of sentence-transformers.

pub(crate) mod keys;
pub(crate) mod refusals;
mod unknown;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::checkpoint::Checkpoint;
use crate::compute::build_encoder;
use crate::encoder::Encoder;
use crate::files::object;
use crate::modules::{self, Module, TransformerKeys};
use crate::{BertConfig, Compute, Error, Pooling, Result, TokenConvolution, Tokenizer};

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
        let adapter = folder.join("adapter_config.json");
        if adapter.is_file() {
            return Err(Error::Config {
                path: adapter,
                reason:
                    "an adapter on top of the weights is not supported; merge it into them first (peft's \
                         merge_and_unload), and save the result"
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
        let path = self.path.join("config.json");
        refusals::check_config(&path)?;
        BertConfig::load(&path)
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
        self.check_chat_template()?;
        let tokenizer = Tokenizer::load(&self.path)?;
        let config = self.config()?;
        tokenizer.check_fits(config.vocab_size)?;
        if tokenizer.pads_left() && !config.family.shifts_positions() {
            let config_path = self.path.join("tokenizer_config.json");
            let own = object(&config_path)?.is_some_and(|keys| keys.contains_key("padding_side"));
            return Err(Error::Tokenizer {
                path: if own { config_path } else { tokenizer.path().into() },
                reason: "padding_side is left: in other libraries a sentence's positions, and so its embedding, would \
                         depend on the other sentences of its batch; set padding_side to right"
                    .into(),
            });
        }
        if self.lower_cases()? { tokenizer.lower_casing() } else { Ok(tokenizer) }
    }

    /// Refuses a template that sentence-transformers would put every sentence into, which it does without a
    /// `modules.json` only.
    fn check_chat_template(&self) -> Result<()> {
        if self.root.join("modules.json").is_file() {
            return Ok(());
        }
        let file = self.path.join("chat_template.jinja");
        let config = self.path.join("tokenizer_config.json");
        let key = object(&config).ok().flatten().and_then(|keys| keys.get("chat_template").cloned());
        let path = match key {
            _ if file.is_file() => file,
            Some(template) if !template.is_null() => config,
            _ => return Ok(()),
        };
        let reason = "a chat_template, which sentence-transformers would put every sentence into, is not supported; \
                      remove it, or add a modules.json, beside which it has no effect";
        Err(Error::Tokenizer { path, reason: reason.into() })
    }

    /// The keys of the Transformer module's own file, which sentence-transformers reads beside a `modules.json` only.
    fn transformer_keys(&self) -> Result<TransformerKeys> {
        if self.root.join("modules.json").is_file() {
            modules::transformer_keys(&self.path)
        } else {
            Ok(TransformerKeys::default())
        }
    }

    /// Whether the folder asks for lower-casing in front of its tokenizer.
    pub(crate) fn lower_cases(&self) -> Result<bool> {
        Ok(self.transformer_keys()?.do_lower_case == Some(true))
    }

    /// The most tokens of a sentence that the folder asks for: the `max_seq_length` of `sentence_bert_config.json`, else
    /// the tokenizer's `model_max_length` (in older files `max_len`); `None` if neither says one. (The encoder's own limit
    /// is [`BertConfig::max_position_embeddings`].)
    ///
    /// # Errors
    /// A file is not valid, or leaves no room for a word.
    pub fn max_length(&self) -> Result<Option<usize>> {
        if let Some(length) = self.transformer_keys()?.max_seq_length {
            return Ok(Some(length));
        }
        let path = self.path.join("tokenizer_config.json");
        let keys = object(&path).map_err(|e| match e {
            Error::Config { path, reason } => Error::Tokenizer { path, reason },
            other => other,
        })?;
        let Some(keys) = keys else { return Ok(None) };
        let key = if keys.contains_key("model_max_length") { "model_max_length" } else { "max_len" };
        let length = match keys.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_f64().ok_or_else(|| Error::Tokenizer {
                path: path.clone(),
                reason: format!("not a valid tokenizer configuration: {key} is {value}, not a number"),
            })?,
        };
        // Without a limit the library writes 10^30, which becomes the largest number there is; -1 says the same elsewhere.
        match Some(length).filter(|n| *n >= 0.0).map(|n| n as usize) {
            Some(length) if length < 3 => {
                Err(Error::Tokenizer { path, reason: modules::too_short(key, length) })
            }
            length => Ok(length),
        }
    }

    /// The files besides configuration, weights and the tokenizer's own that may change embeddings: modules, prompts,
    /// limits, added tokens, convolution, whitening and flow. Some may be missing.
    ///
    /// # Errors
    /// `modules.json` is not valid.
    pub fn further_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = vec![
            self.root.join("modules.json"),
            self.root.join("config_sentence_transformers.json"),
            self.path.join("added_tokens.json"),
            self.path.join("special_tokens_map.json"),
            self.path.join(TokenConvolution::SHAPE),
            self.path.join(TokenConvolution::FILE),
            self.root.join("post.json"),
            self.root.join("post.safetensors"),
        ];
        files.extend(modules::transformer_path(&self.path));
        let folders = modules::read(&self.root)?.map_or_else(
            || Ok(vec![self.root.join("1_Pooling")]),
            |modules| modules.iter().skip(1).map(|module| module.folder(&self.root)).collect::<Result<_>>(),
        )?;
        for folder in folders.into_iter().filter(|folder| *folder != self.root && *folder != self.path) {
            files.extend(
                ["config.json", "model.safetensors", "pytorch_model.bin"].map(|name| folder.join(name)),
            );
        }
        Ok(files)
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

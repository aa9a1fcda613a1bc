//! Reads model folders of the Hugging Face ecosystem: plain checkpoints and sentence-transformers models.

pub(crate) mod keys;
pub(crate) mod refusals;
pub(crate) mod unknown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::checkpoint::Checkpoint;
use crate::compute::{build_encoder, build_int8_encoder};
use crate::encoder::Encoder;
use crate::files::object;
use crate::modules::{self, Module, TransformerKeys};
use crate::weights::layer_layout;
use crate::{BertConfig, Compute, Error, Pooling, Result, StaticFolder, TokenConvolution, Tokenizer};

/// Why a folder with token vectors is refused where an encoder is needed.
const NO_ENCODER: &str = "the model is a table of token vectors (StaticEmbedding), without the encoder that this needs: it \
                          can be encoded with, searched, compared, judged and scored, but not trained or exported; pass a \
                          model with an encoder";

/// A folder with `config.json`, weights and tokenizer; in a sentence-transformers folder, `modules.json`
/// defines where they are.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    root: PathBuf,
    path: PathBuf,
}

impl ModelFolder {
    /// Opens an existing folder with a `config.json`.
    ///
    /// # Errors
    /// Fails if the folder or its `config.json` is missing, or its `modules.json` lists no Transformer.
    pub fn open(path: &Path) -> Result<Self> {
        if StaticFolder::find(path)?.is_some() {
            return Err(Error::Config { path: path.into(), reason: NO_ENCODER.into() });
        }
        let folder = modules::transformer(path)?;
        let config = folder.join("config.json");
        if !config.is_file() {
            return Err(Error::Config {
                path: config,
                reason:
                    "no such file; a model is a Hugging Face folder with config.json, model.safetensors and \
                     tokenizer.json (or vocab.txt)"
                        .into(),
            });
        }
        let adapter = folder.join("adapter_config.json");
        if adapter.is_file() {
            return Err(Error::Config {
                path: adapter,
                reason: "an adapter on top of the weights is not supported; merge it into the weights \
                         (merge_and_unload in peft) and save the result"
                    .into(),
            });
        }
        Ok(Self { root: path.into(), path: folder })
    }

    /// The folder with configuration, weights and tokenizer: the folder itself, or its `0_Transformer`.
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
    /// Fails if `config.json` is invalid.
    pub fn config(&self) -> Result<BertConfig> {
        let path = self.path.join("config.json");
        refusals::check_config(&path)?;
        BertConfig::load(&path)
    }

    /// The table of the weights.
    ///
    /// # Errors
    /// Fails if weights are missing or cannot be read, or `config.json` is invalid.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Checkpoint::in_folder(&self.path, self.config()?.names())
    }

    /// The number of layers with weights that `config.json` does not count. They are not used, as in transformers.
    ///
    /// # Errors
    /// Fails if the configuration is invalid, or the weights cannot be listed.
    pub fn unused_layers(&self) -> Result<usize> {
        let (config, checkpoint) = (self.config()?, self.checkpoint()?);
        let is_stored = |layer: &usize| {
            layer_layout(&config, *layer).iter().any(|info| checkpoint.stored_name(&info.name).is_some())
        };
        let own = config.own_layers();
        Ok((own..own + checkpoint.tensors().count()).take_while(is_stored).count())
    }

    /// The encoder.
    ///
    /// # Errors
    /// Fails if the configuration or the weights are invalid.
    pub fn encoder(&self, compute: &Compute) -> Result<Box<dyn Encoder>> {
        let config = self.config()?;
        let mut weights = Checkpoint::in_folder(&self.path, config.names())?;
        // Before any allocation: the sizes in an untrusted configuration may be arbitrary.
        weights.check(&config)?;
        if weights.is_int8() {
            return build_int8_encoder(config, &mut weights, compute);
        }
        build_encoder(config, &mut weights, compute)
    }

    /// The tokenizer, checked against the encoder's vocabulary.
    ///
    /// # Errors
    /// Fails if it is missing or invalid, or has IDs outside the encoder's word table.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        self.check_chat_template()?;
        let tokenizer = Tokenizer::load(&self.path)?;
        let config = self.config()?;
        tokenizer.check_fits(config.vocab_size)?;
        // Rotary positions only depend on distances.
        if tokenizer.pads_left() && !config.family.shifts_positions() && config.rotary.is_none() {
            let config_path = self.path.join("tokenizer_config.json");
            let own = object(&config_path)?.is_some_and(|keys| keys.contains_key("padding_side"));
            return Err(Error::Tokenizer {
                path: if own { config_path } else { tokenizer.path().into() },
                reason: "padding_side is left: in other libraries, a sentence's positions, and so its \
                         embedding, would depend on the other sentences of its batch; set padding_side to \
                         right"
                    .into(),
            });
        }
        if self.lower_cases()? { tokenizer.lower_casing() } else { Ok(tokenizer) }
    }

    /// Rejects a chat template, which sentence-transformers would apply to every sentence, if the folder has
    /// no `modules.json`.
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
        let reason = "a chat_template, which sentence-transformers would apply to every sentence, is not \
                      supported; remove it, or add a modules.json, which disables it";
        Err(Error::Tokenizer { path, reason: reason.into() })
    }

    /// The keys of the Transformer module's file, which sentence-transformers reads only together with
    /// `modules.json`.
    fn transformer_keys(&self) -> Result<TransformerKeys> {
        if self.root.join("modules.json").is_file() {
            modules::transformer_keys(&self.path)
        } else {
            Ok(TransformerKeys::default())
        }
    }

    /// Whether the folder requests lower-casing before the tokenizer.
    pub(crate) fn lower_cases(&self) -> Result<bool> {
        Ok(self.transformer_keys()?.do_lower_case == Some(true))
    }

    /// The folder's limit on tokens per sentence: `max_seq_length` of `sentence_bert_config.json`, else the
    /// tokenizer's `model_max_length` (`max_len` in older files); `None` without either. (The encoder's own
    /// limit is [`BertConfig::max_position_embeddings`].)
    ///
    /// # Errors
    /// Fails if a file is invalid, or the limit leaves no room for a word.
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
        // Without a limit, the library writes 10^30, which saturates here; other files write -1.
        match Some(length).filter(|n| *n >= 0.0).map(|n| n as usize) {
            Some(length) if length < 3 => {
                Err(Error::Tokenizer { path, reason: modules::too_short(key, length) })
            }
            length => Ok(length),
        }
    }

    /// The prompts of `config_sentence_transformers.json` by name. As in sentence-transformers, `query` and
    /// `document` always exist, and are empty unless the folder sets them.
    ///
    /// # Errors
    /// Fails if the file is invalid, or a prompt is not a text.
    pub fn prompts(&self) -> Result<BTreeMap<String, String>> {
        modules::prompts(&self.root)
    }

    /// The files, besides configuration, weights and tokenizer files, that may change embeddings: modules,
    /// prompts, limits, added tokens, convolution, whitening and flow. Some may be missing.
    ///
    /// # Errors
    /// Fails if `modules.json` is invalid.
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

    /// The modules of `modules.json` in order; none without that file.
    ///
    /// # Errors
    /// Fails if the file is invalid.
    pub fn modules(&self) -> Result<Vec<Module>> {
        Ok(modules::read(&self.root)?.unwrap_or_default())
    }

    /// The pooling that the folder defines in `1_Pooling/config.json`, or where `modules.json` points to;
    /// `None` if it defines none.
    ///
    /// # Errors
    /// Fails if the folder requests a pooling other than plain cls or plain mean.
    pub fn pooling(&self) -> Result<Option<Pooling>> {
        modules::pooling(&self.root)
    }
}

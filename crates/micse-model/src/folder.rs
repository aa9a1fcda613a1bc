//! Model folders: read as the Hugging Face ecosystem has them, written so that sentence-transformers and
//! transformers load them unchanged.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::json;

use crate::compute::build_encoder;
use crate::encoder::Encoder;
use crate::files::{write_json, write_whole};
use crate::weights::{WeightsFile, save_safetensors};
use crate::{BertConfig, Compute, Error, Pooling, Result, Tokenizer};

/// The files that make up a tokenizer, copied unchanged from the folder that an encoder came from.
const TOKENIZER_FILES: [&str; 4] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"];

/// A folder with `config.json`, weights and tokenizer.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    path: PathBuf,
}

impl ModelFolder {
    /// A folder that exists and has a `config.json`.
    ///
    /// # Errors
    /// It does not.
    pub fn open(path: &Path) -> Result<Self> {
        let config = path.join("config.json");
        if !config.is_file() {
            return Err(Error::Config {
                path: config,
                reason: "no such file; a model is a folder with config.json, model.safetensors and \
                         tokenizer.json (or vocab.txt), as the Hugging Face Hub has them"
                    .into(),
            });
        }
        Ok(Self { path: path.into() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The encoder's configuration.
    ///
    /// # Errors
    /// `config.json` is not valid.
    pub fn config(&self) -> Result<BertConfig> {
        BertConfig::load(&self.path.join("config.json"))
    }

    /// The encoder.
    ///
    /// # Errors
    /// The configuration or the weights are not valid.
    pub fn encoder(&self, compute: &Compute) -> Result<Box<dyn Encoder>> {
        let mut weights = WeightsFile::in_folder(&self.path)?;
        build_encoder(self.config()?, &mut weights, compute)
    }

    /// The tokenizer, checked against the encoder's vocabulary.
    ///
    /// # Errors
    /// It is missing, not valid, or has ids that the encoder has no row for.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = Tokenizer::load(&self.path)?;
        tokenizer.check_fits(self.config()?.vocab_size)?;
        Ok(tokenizer)
    }

    /// The `max_seq_length` of `sentence_bert_config.json`; `None` without that file or that key.
    ///
    /// # Errors
    /// The file is not valid.
    pub fn max_length(&self) -> Result<Option<usize>> {
        let path = self.path.join("sentence_bert_config.json");
        if !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let keys: serde_json::Value = serde_json::from_str(&text)
            .map_err(|e| Error::Config { path, reason: format!("not a valid configuration: {e}") })?;
        Ok(keys["max_seq_length"].as_u64().map(|n| n as usize))
    }

    /// Whether `modules.json` asks for embeddings of unit length; false without that file.
    ///
    /// # Errors
    /// The file is not valid.
    pub fn normalizes(&self) -> Result<bool> {
        let path = self.path.join("modules.json");
        if !path.is_file() {
            return Ok(false);
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let modules: Vec<serde_json::Value> = serde_json::from_str(&text)
            .map_err(|e| Error::Config { path, reason: format!("not a list of modules: {e}") })?;
        let is_normalize = |kind: &str| kind.rsplit('.').next() == Some("Normalize");
        Ok(modules.iter().any(|module| module["type"].as_str().is_some_and(is_normalize)))
    }

    /// The pooling that `1_Pooling/config.json` asks for; `None` without that file.
    ///
    /// # Errors
    /// The file asks for something that is neither plain cls nor plain mean.
    pub fn pooling(&self) -> Result<Option<Pooling>> {
        let path = self.path.join("1_Pooling").join("config.json");
        if !path.is_file() {
            return Ok(None);
        }
        let invalid = |reason: String| Error::Config { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let keys: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|e| invalid(format!("not a pooling configuration: {e}")))?;
        let modes: Vec<&str> = keys
            .iter()
            .filter(|(key, value)| key.starts_with("pooling_mode_") && value.as_bool() == Some(true))
            .map(|(key, _)| key.as_str())
            .collect();
        match modes[..] {
            ["pooling_mode_cls_token"] => Ok(Some(Pooling::Cls)),
            ["pooling_mode_mean_tokens"] => Ok(Some(Pooling::Mean)),
            _ => Err(invalid(format!(
                "the pooling modes {modes:?} are not supported; choose one of cls and mean with --pooling"
            ))),
        }
    }
}

/// Writes an encoder as a folder that sentence-transformers and transformers load.
///
/// The tokenizer's files are copied from `base`, the folder that the encoder came from. `dtype` is the
/// precision of the weights on disk.
///
/// # Errors
/// The folder cannot be written, `base` has no tokenizer, or `pooling` is one that sentence-transformers
/// has no name for (all but cls and mean).
pub fn save_model(
    folder: &Path,
    encoder: &dyn Encoder,
    base: &ModelFolder,
    pooling: Pooling,
    dtype: DType,
) -> Result<()> {
    let modes = match pooling {
        Pooling::Cls => (true, false),
        Pooling::Mean => (false, true),
        other => {
            return Err(Error::Input(format!(
                "sentence-transformers has no pooling `{other}`: a model folder can say cls or mean only"
            )));
        }
    };
    let config = &BertConfig { architectures: vec!["BertModel".into()], ..encoder.config().clone() };
    let names = encoder.parameters().into_iter().map(|info| info.name);
    let values =
        encoder.values()?.into_iter().map(|value| Ok(value.to_device(&Device::Cpu)?.to_dtype(dtype)?));
    let tensors: Vec<(String, Tensor)> = names
        .zip(values)
        .map(|(name, value): (_, Result<Tensor>)| Ok((name, value?)))
        .collect::<Result<_>>()?;
    let mut copied = 0;
    for name in TOKENIZER_FILES {
        let source = base.path().join(name);
        if source.is_file() {
            let bytes = std::fs::read(&source).map_err(Error::io(&source))?;
            write_whole(&folder.join(name), &bytes)?;
            copied += 1;
        }
    }
    if copied == 0 {
        return Err(Error::Tokenizer {
            path: base.path().into(),
            reason: format!("none of the tokenizer's files {TOKENIZER_FILES:?} is in this folder"),
        });
    }
    write_json(&folder.join("config.json"), config)?;
    let module = |index: usize, path: &str, class: &str| {
        json!({"idx": index, "name": index.to_string(), "path": path,
               "type": format!("sentence_transformers.models.{class}")})
    };
    write_json(
        &folder.join("modules.json"),
        &json!([module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")]),
    )?;
    write_json(
        &folder.join("1_Pooling").join("config.json"),
        &json!({
            "word_embedding_dimension": config.hidden_size,
            "pooling_mode_cls_token": modes.0,
            "pooling_mode_mean_tokens": modes.1,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
            "pooling_mode_weightedmean_tokens": false,
            "pooling_mode_lasttoken": false,
            "include_prompt": true,
        }),
    )?;
    write_json(
        &folder.join("sentence_bert_config.json"),
        &json!({"max_seq_length": config.max_position_embeddings, "do_lower_case": false}),
    )?;
    write_json(
        &folder.join("config_sentence_transformers.json"),
        &json!({"prompts": {"query": "", "document": ""}, "default_prompt_name": null, "similarity_fn_name": "cosine"}),
    )?;
    // Last: a folder with weights is a whole folder.
    save_safetensors(&folder.join("model.safetensors"), &tensors)
}

/// Adds modules that only this project knows to a folder's `modules.json`. Other libraries then refuse the folder by the
/// module's name, instead of loading a model without the part.
///
/// # Errors
/// The folder has no `modules.json`, or cannot be written.
pub fn add_own_modules(folder: &Path, names: &[&str]) -> Result<()> {
    let path = folder.join("modules.json");
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let mut modules: Vec<serde_json::Value> = serde_json::from_str(&text)
        .map_err(|e| Error::Config { path: path.clone(), reason: format!("not a list of modules: {e}") })?;
    for name in names {
        let index = modules.len();
        modules.push(
            json!({"idx": index, "name": index.to_string(), "path": "", "type": format!("micse.{name}")}),
        );
    }
    write_json(&path, &modules)
}

//! The recipe of a pre-training: everything that determines it, except corpus, model and seed.

use std::path::Path;

use micse_data::Masking;
use micse_model::BertConfig;
use serde::{Deserialize, Serialize};

use crate::recipe::{apply_setting, check_rate};
use crate::{Error, Result};

/// The built-in recipe.
const BUILT_IN: &str = include_str!("../../recipes/pretrain.toml");
/// Token IDs have two bytes.
const LARGEST_VOCABULARY: usize = 1 << 16;

/// How a small BERT is pre-trained by masked language modelling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainRecipe {
    /// The name in errors.
    pub name: String,
    /// What is masked.
    pub masking: MaskingKind,
    /// The share of tokens to predict.
    pub mask_rate: f64,
    /// The dropout rate.
    pub dropout: f64,
    /// Sentences are truncated to this many tokens.
    pub max_length: usize,
    /// Tokens per batch.
    pub batch_tokens: usize,
    /// Optimizer steps, which determine the schedule; `None`: a trial estimates them (see
    /// [`super::PretrainInputs::minutes`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Warm-up steps; `None`: 4 % of the steps, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// Steps between two evaluations; `None`: a tenth of the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// The peak learning rate.
    pub lr: f64,
    /// How the learning rate falls to 0 after the warm-up.
    pub decay: Decay,
    /// Decay of AdamW's moments.
    pub betas: [f64; 2],
    /// The term that AdamW adds to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay, not on biases and LayerNorm.
    pub weight_decay: f64,
    /// The norm to which gradients are scaled down.
    pub clip: f64,
    /// Sizes of a new encoder.
    pub encoder: EncoderSizes,
}

/// Sizes of a new encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSizes {
    /// Tokens of the new vocabulary.
    pub vocab_size: usize,
    /// Layers.
    pub layers: usize,
    /// The hidden size; the feed-forward layers are four times as wide.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Positions: the longest input of the model.
    pub positions: usize,
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Decay {
    /// In a straight line.
    Linear,
    /// Along half a cosine.
    Cosine,
}

/// What is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MaskingKind {
    /// Tokens, one by one.
    Plain,
    /// Whole words.
    WholeWord,
}

impl MaskingKind {
    /// Masking of this share of tokens.
    pub(super) fn at(self, rate: f64) -> Masking {
        Masking { rate, whole_words: self == Self::WholeWord }
    }
}

impl PretrainRecipe {
    /// The built-in recipe, or a file's; then `settings`, each `key.path=value`. The values are not checked yet, so a
    /// caller may change fields first.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML of this form, or has unknown keys.
    pub fn load(file: Option<&Path>, settings: &[String]) -> Result<Self> {
        let (name, text) = match file {
            Some(path) => {
                (path.display().to_string(), std::fs::read_to_string(path).map_err(Error::io(path))?)
            }
            None => ("pretrain".to_owned(), BUILT_IN.to_owned()),
        };
        let invalid = |reason: String| Error::Recipe { name: name.clone(), reason };
        let mut table: toml::Table = text.parse().map_err(|e| invalid(format!("{e}")))?;
        for setting in settings {
            apply_setting(&mut table, setting).map_err(invalid)?;
        }
        table.try_into().map_err(|e| invalid(format!("{e}")))
    }

    /// Rejects values outside their ranges.
    ///
    /// # Errors
    /// The first such key, with its range.
    pub fn check(&self) -> Result<()> {
        self.problem().map_err(|reason| self.invalid(reason))
    }

    pub(super) fn invalid(&self, reason: String) -> Error {
        Error::Recipe { name: self.name.clone(), reason }
    }

    fn problem(&self) -> std::result::Result<(), String> {
        check_rate("mask_rate", self.mask_rate)?;
        check_rate("dropout", self.dropout)?;
        if self.mask_rate == 0.0 {
            return Err("mask_rate is 0, which leaves nothing to predict; it must be above 0".into());
        }
        let counts = [
            ("steps", self.steps),
            ("batch_tokens", Some(self.batch_tokens)),
            ("eval_every", self.eval_every),
        ];
        for (key, value) in counts {
            if value == Some(0) {
                return Err(format!("{key} is 0; it must be at least 1"));
            }
        }
        for (key, value) in [("lr", self.lr), ("eps", self.eps), ("clip", self.clip)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(format!("{key} is {value}; it must be above 0"));
            }
        }
        check_rate("betas[0]", self.betas[0])?;
        check_rate("betas[1]", self.betas[1])?;
        if !(0.0..1e6).contains(&self.weight_decay) {
            return Err(format!("weight_decay is {}; it cannot be negative", self.weight_decay));
        }
        let size = self.encoder.vocab_size;
        if size > LARGEST_VOCABULARY {
            return Err(format!("encoder.vocab_size is {size}; it must be at most 65,536"));
        }
        if self.max_length < 3 {
            return Err(format!("max_length is {}; [CLS], one token and [SEP] need 3", self.max_length));
        }
        Ok(())
    }

    /// The configuration of a new encoder.
    pub(super) fn new_encoder(&self) -> Result<BertConfig> {
        let s = self.encoder;
        let config = BertConfig::with_sizes(s.vocab_size, s.layers, s.hidden, s.heads, s.positions);
        config.check().map_err(|e| self.invalid(e.to_string()))?;
        Ok(config)
    }

    /// Rejects sentences that are longer than an encoder's positions.
    pub(super) fn check_positions(&self, config: &BertConfig) -> Result<()> {
        if self.max_length <= config.max_position_embeddings {
            return Ok(());
        }
        Err(self.invalid(format!(
            "max_length is {}, more than the encoder's {} positions; lower max_length",
            self.max_length, config.max_position_embeddings
        )))
    }

    /// Warm-up steps and steps between two evaluations, for a number of steps.
    pub(super) fn for_steps(&self, steps: usize) -> Result<(usize, usize)> {
        let warmup = self.warmup_steps.unwrap_or((steps / 25).clamp(1, 1000).min(steps - 1));
        if warmup >= steps {
            return Err(self.invalid(format!("warmup_steps is {warmup}; it must be below the {steps} steps")));
        }
        Ok((warmup, self.eval_every.unwrap_or(steps.div_ceil(10))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_recipe_is_valid_and_settings_change_it() {
        let recipe = PretrainRecipe::load(None, &[]).unwrap();
        recipe.check().unwrap();
        assert_eq!((recipe.steps, recipe.batch_tokens, recipe.encoder.vocab_size), (None, 4096, 8192));
        assert_eq!(recipe.for_steps(100).unwrap(), (4, 10));
        assert_eq!(recipe.for_steps(100_000).unwrap(), (1000, 10_000));
        assert_eq!(recipe.for_steps(1).unwrap(), (0, 1));
        let settings = ["decay=cosine", "encoder.layers=2", "steps=7"].map(str::to_owned);
        let changed = PretrainRecipe::load(None, &settings).unwrap();
        assert_eq!((changed.decay, changed.encoder.layers, changed.steps), (Decay::Cosine, 2, Some(7)));
        let unknown = PretrainRecipe::load(None, &["mask=0.1".into()]).unwrap_err().to_string();
        assert!(unknown.contains("`mask`"), "{unknown}");
    }

    #[test]
    fn values_outside_their_ranges_are_rejected_by_key() {
        for (setting, key) in [
            ("mask_rate=1.5", "mask_rate is 1.5"),
            ("mask_rate=0.0", "nothing to predict"),
            ("steps=0", "steps is 0"),
            ("lr=0.0", "lr is 0"),
            ("max_length=2", "max_length is 2"),
            ("encoder.vocab_size=70000", "65,536"),
        ] {
            let recipe = PretrainRecipe::load(None, &[setting.to_owned()]).unwrap();
            let error = recipe.check().unwrap_err().to_string();
            assert!(error.contains(key), "{setting}: {error}");
        }
    }
}

//! `run.toml` of a pre-training.

use micse_data::{CorpusInfo, Masking};
use micse_model::{BertConfig, Compute, Engine, ModelFolder, Precision};
use serde::{Deserialize, Serialize};

use super::recipe::{Decay, MaskingKind, PretrainRecipe};
use crate::Result;
use crate::run::{cpu_features, hash_of_encoder, hash_of_modules};

/// Everything that determines a pre-training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) version: String,
    pub(super) engine: Engine,
    pub(super) precision: Precision,
    pub(super) cpu_features: Vec<String>,
    pub(super) seed: u64,
    pub(super) steps: usize,
    pub(super) warmup_steps: usize,
    pub(super) decay: Decay,
    pub(super) lr: f64,
    pub(super) betas: [f64; 2],
    pub(super) eps: f64,
    pub(super) weight_decay: f64,
    pub(super) clip: f64,
    pub(super) batch_tokens: usize,
    pub(super) max_length: usize,
    pub(super) masking: MaskingKind,
    pub(super) mask_rate: f64,
    pub(super) dropout: f64,
    pub(super) eval_every: usize,
    /// The requested size of a new vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) new_vocabulary: Option<usize>,
    /// SHA-256 of the weights that training starts from; `None`: random weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_sha256: Option<String>,
    /// SHA-256 of the other files of that model folder that affect its embeddings, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from_modules_sha256: Option<String>,
    pub(super) text: CorpusInfo,
    pub(super) encoder: BertConfig,
}

impl Manifest {
    /// Everything except the values that depend on the number of steps. `from`: the model that training continues from.
    pub(super) fn new(
        recipe: &PretrainRecipe,
        seed: u64,
        text: CorpusInfo,
        encoder: BertConfig,
        from: Option<&ModelFolder>,
        compute: &Compute,
    ) -> Result<Self> {
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: compute.engine,
            precision: compute.precision,
            cpu_features: cpu_features(),
            seed,
            steps: 0,
            warmup_steps: 0,
            decay: recipe.decay,
            lr: recipe.lr,
            betas: recipe.betas,
            eps: recipe.eps,
            weight_decay: recipe.weight_decay,
            clip: recipe.clip,
            batch_tokens: recipe.batch_tokens,
            max_length: recipe.max_length,
            masking: recipe.masking,
            mask_rate: recipe.mask_rate,
            dropout: recipe.dropout,
            eval_every: 0,
            new_vocabulary: from.is_none().then_some(recipe.encoder.vocab_size),
            from_sha256: from.map(hash_of_encoder).transpose()?,
            from_modules_sha256: match from {
                Some(base) => hash_of_modules(base)?,
                None => None,
            },
            text,
            encoder,
        })
    }

    pub(super) fn masking(&self) -> Masking {
        self.masking.at(self.mask_rate)
    }

    /// The learning rate of optimizer step k, counted from 0: it rises linearly over the warm-up, then falls.
    pub(super) fn learning_rate(&self, k: usize) -> f64 {
        if k < self.warmup_steps {
            return self.lr * (k + 1) as f64 / self.warmup_steps as f64;
        }
        let left = (self.steps - k) as f64 / (self.steps - self.warmup_steps) as f64;
        match self.decay {
            Decay::Linear => self.lr * left,
            Decay::Cosine => self.lr * 0.5 * (1.0 - (std::f64::consts::PI * left).cos()),
        }
    }
}

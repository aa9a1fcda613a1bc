//! A model of either kind: with an encoder, or with token vectors alone.

use std::collections::BTreeMap;
use std::path::Path;

use crate::sentence::Watch;
use crate::{
    Compute, Error, ModelFolder, Pooling, Result, SentenceModel, StaticFolder, StaticModel, modules,
};

/// A model that turns sentences into embeddings. What needs an encoder (training, export) takes a [`SentenceModel`].
///
/// ```no_run
/// use micse_model::Model;
///
/// let model = Model::open("all-MiniLM-L6-v2")?.truncated_to(128)?;
/// let rows = model.encode(&["A man plays the guitar."])?;
/// assert_eq!(rows[0].len(), 128);
/// # Ok::<(), micse_model::Error>(())
/// ```
pub enum Model {
    /// With an encoder.
    Encoder(Box<SentenceModel<'static>>),
    /// With a vector per token.
    Static(Box<StaticModel>),
}

impl Model {
    /// Loads a model folder with its own pooling, on the CPU with the fast engine.
    ///
    /// # Errors
    /// Those of [`Self::load`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::load(folder.as_ref(), None, &Compute::cpu())
    }

    /// Loads a model folder. `pooling` and `compute` concern only models with an encoder.
    ///
    /// # Errors
    /// Those of [`StaticModel::load`] and [`SentenceModel::load`].
    pub fn load(folder: &Path, pooling: Option<Pooling>, compute: &Compute) -> Result<Self> {
        match StaticFolder::find(folder)? {
            Some(folder) => Ok(StaticModel::load(&folder)?.into()),
            None => Ok(SentenceModel::load(&ModelFolder::open(folder)?, pooling, compute)?.into()),
        }
    }

    /// The prompts of a folder by name (see [`ModelFolder::prompts`]), for either kind of model.
    ///
    /// # Errors
    /// Fails if `config_sentence_transformers.json` is invalid, or a prompt is not a text.
    pub fn prompts(folder: &Path) -> Result<BTreeMap<String, String>> {
        modules::prompts(folder)
    }

    /// The embeddings of sentences: one row of [`Self::dimension`] entries each, in order.
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized.
    pub fn encode<S: AsRef<str> + Sync>(&self, sentences: &[S]) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Encoder(model) => model.encode(sentences),
            Self::Static(model) => model.encode(sentences),
        }
    }

    /// [`Self::encode`], with a function that learns of the progress and may stop it.
    ///
    /// # Errors
    /// Fails if a sentence cannot be tokenized, or with [`Error::Stopped`].
    pub fn encode_watched<S: AsRef<str> + Sync>(
        &self,
        sentences: &[S],
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Encoder(model) => model.encode_watched(sentences, watch),
            // Takes microseconds per sentence.
            Self::Static(model) => {
                let rows = model.encode(sentences)?;
                if watch(rows.len()) { Ok(rows) } else { Err(Error::Stopped) }
            }
        }
    }

    /// The same model with only the first `entries` of each embedding (see [`SentenceModel::truncated_to`]).
    ///
    /// # Errors
    /// Fails if `entries` is 0, or more than the embeddings have without truncation.
    pub fn truncated_to(self, entries: usize) -> Result<Self> {
        match self {
            Self::Encoder(model) => Ok(model.truncated_to(entries)?.into()),
            Self::Static(model) => Ok(model.truncated_to(entries)?.into()),
        }
    }

    /// Number of entries per embedding.
    pub fn dimension(&self) -> usize {
        match self {
            Self::Encoder(model) => model.dimension(),
            Self::Static(model) => model.dimension(),
        }
    }

    /// The number of entries that are kept of an embedding, if it is truncated.
    pub fn truncate_dim(&self) -> Option<usize> {
        match self {
            Self::Encoder(model) => model.truncate_dim(),
            Self::Static(model) => model.truncate_dim(),
        }
    }

    /// Maximum number of tokens per sentence, if there is one; longer sentences are truncated.
    pub fn max_length(&self) -> Option<usize> {
        match self {
            Self::Encoder(model) => Some(model.max_length()),
            Self::Static(model) => model.max_length(),
        }
    }

    /// The pooling; of token vectors, always the mean.
    pub fn pooling(&self) -> Pooling {
        match self {
            Self::Encoder(model) => model.pooling(),
            Self::Static(model) => model.pooling(),
        }
    }

    /// The text that is prepended to every sentence; usually empty.
    pub fn prompt(&self) -> &str {
        match self {
            Self::Encoder(model) => model.prompt(),
            Self::Static(model) => model.prompt(),
        }
    }

    /// The same model with another text before every sentence; `folder` is the one that it was loaded from.
    ///
    /// # Errors
    /// Fails if the folder cannot be read, or as [`SentenceModel::with_prompt`].
    pub fn with_prompt(self, prompt: &str, folder: &Path) -> Result<Self> {
        match self {
            Self::Encoder(model) => Ok(model.with_prompt(prompt, &ModelFolder::open(folder)?)?.into()),
            Self::Static(model) => Ok(model.with_prompt(prompt).into()),
        }
    }

    /// The model with its encoder; `None` if it has token vectors instead.
    pub fn as_encoder(&self) -> Option<&SentenceModel<'static>> {
        match self {
            Self::Encoder(model) => Some(model),
            Self::Static(_) => None,
        }
    }
}

impl From<SentenceModel<'static>> for Model {
    fn from(model: SentenceModel<'static>) -> Self {
        Self::Encoder(Box::new(model))
    }
}

impl From<StaticModel> for Model {
    fn from(model: StaticModel) -> Self {
        Self::Static(Box::new(model))
    }
}

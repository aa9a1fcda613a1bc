//! A model with the settings of one call.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use micse::SentenceModel;
use micse::model::{Error, ModelFolder, Pipeline, StaticModel, Watch};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::raise;

/// What a call sets; `None`: as the folder says, but for the truncation.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Settings {
    /// The text before every sentence.
    pub(crate) prompt: Option<String>,
    /// The most tokens of a sentence.
    pub(crate) max_length: Option<usize>,
    /// Tokens per batch.
    pub(crate) batch_tokens: Option<NonZeroUsize>,
    /// Entries of an embedding; `None`: all, even if the folder truncates.
    pub(crate) truncate_dim: Option<usize>,
}

/// The pipeline of the latest settings, because most calls have those of the call before.
#[derive(Default)]
pub(crate) struct Latest(Mutex<Option<(Settings, Arc<Pipeline>)>>);

/// A model with its settings.
pub(crate) enum Encoding<'a> {
    Encoder(&'a SentenceModel<'static>, Arc<Pipeline>),
    Static { model: &'a StaticModel, prompt: String, truncate_dim: Option<usize> },
}

impl<'a> Encoding<'a> {
    /// Applies settings to a model; `folder` is that of its encoder.
    pub(crate) fn new(
        model: &'a micse::Model,
        folder: Option<&ModelFolder>,
        settings: Settings,
        latest: &Latest,
    ) -> PyResult<Self> {
        match model {
            micse::Model::Encoder(model) => {
                let mut latest = lock(&latest.0);
                if let Some((known, pipeline)) = latest.as_ref()
                    && *known == settings
                {
                    return Ok(Self::Encoder(model, Arc::clone(pipeline)));
                }
                let pipeline = Arc::new(pipeline(model, folder, &settings)?);
                *latest = Some((settings, Arc::clone(&pipeline)));
                Ok(Self::Encoder(model, pipeline))
            }
            micse::Model::Static(model) => {
                let whole = model.whole_dimension();
                let asked = settings.truncate_dim.filter(|_| settings.truncate_dim != model.truncate_dim());
                if let Some(entries) = asked.filter(|entries| !(1..=whole).contains(entries)) {
                    return Err(PyValueError::new_err(format!(
                        "truncate_dim is {entries}; it must be between 1 and {whole}"
                    )));
                }
                Ok(Self::Static {
                    model,
                    prompt: settings.prompt.unwrap_or_else(|| model.prompt().to_owned()),
                    truncate_dim: settings.truncate_dim,
                })
            }
        }
    }

    /// Entries of an embedding.
    pub(crate) fn dimension(&self) -> usize {
        match self {
            Self::Encoder(model, pipeline) => pipeline.with(model.encoder(), model.convolution()).dimension(),
            Self::Static { model, truncate_dim, .. } => {
                let whole = model.whole_dimension();
                truncate_dim.map_or(whole, |entries| entries.min(whole))
            }
        }
    }

    /// The number of entries that are kept of an embedding, if it is truncated.
    pub(crate) fn truncate_dim(&self) -> Option<usize> {
        match self {
            Self::Encoder(_, pipeline) => pipeline.truncate_dim(),
            Self::Static { truncate_dim, .. } => *truncate_dim,
        }
    }

    /// The embeddings of texts. `watch` learns of the progress, and may stop it.
    pub(crate) fn encode<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        watch: &Watch<'_>,
    ) -> Result<Vec<Vec<f32>>, Error> {
        match self {
            Self::Encoder(model, pipeline) => {
                pipeline.with(model.encoder(), model.convolution()).encode_watched(texts, watch)
            }
            Self::Static { model, prompt, truncate_dim } => {
                let rows = model.encode_with(prompt, *truncate_dim, texts)?;
                if watch(rows.len()) { Ok(rows) } else { Err(Error::Stopped) }
            }
        }
    }

    /// The token IDs of texts, special tokens included.
    pub(crate) fn token_ids(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, Error> {
        match self {
            Self::Encoder(model, pipeline) => {
                let limit = pipeline.with(model.encoder(), model.convolution()).max_length();
                pipeline.tokenize(texts, limit)
            }
            Self::Static { model, .. } => texts.iter().map(|text| model.ids(text)).collect(),
        }
    }
}

/// The model's pipeline with these settings.
fn pipeline(
    model: &SentenceModel<'static>,
    folder: Option<&ModelFolder>,
    settings: &Settings,
) -> PyResult<Pipeline> {
    let mut pipeline = model.pipeline().clone();
    match settings.truncate_dim {
        None => pipeline = pipeline.untruncated(),
        // The folder's own number may be above the dimension, which keeps everything.
        own if own == pipeline.truncate_dim() => {}
        Some(entries) => {
            let whole = model.pipeline().with(model.encoder(), model.convolution());
            let truncated = whole.truncated_to(entries);
            let truncated =
                truncated.map_err(|error| PyValueError::new_err(format!("truncate_dim: {error}")))?;
            pipeline = truncated.pipeline().clone();
        }
    }
    if let Some(tokens) = settings.max_length {
        pipeline = pipeline.with_max_length(tokens).map_err(raise)?;
    }
    if let Some(tokens) = settings.batch_tokens {
        pipeline = pipeline.with_batch_tokens(tokens);
    }
    // After the limit, which decides how many tokens of the prompt there are.
    if let Some(folder) = folder.filter(|_| settings.prompt.is_some() || settings.max_length.is_some()) {
        let prompt = settings.prompt.clone().unwrap_or_else(|| pipeline.prompt().to_owned());
        pipeline = pipeline.with_prompt(&prompt, folder).map_err(raise)?;
    }
    Ok(pipeline)
}

/// Locks a value; one that another thread left behind in a panic is as good as any.
pub(crate) fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

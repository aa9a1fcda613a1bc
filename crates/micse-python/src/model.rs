//! A model: from sentences to an array of embeddings.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use micse::SentenceModel;
use micse::model::{Compute, ModelFolder, Pipeline, Pooling, Precision};
use numpy::{PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::errors::{raise, refuse};
use crate::text::texts;
use crate::{logging, threads};

/// Sentences per call without the interpreter's lock, as in `micse encode`: Ctrl-C takes effect between two calls.
const CHUNK: usize = 1024;

/// A model folder with its encoder.
#[pyclass(frozen, module = "micse._micse")]
pub(crate) struct Model {
    folder: ModelFolder,
    pooling: Pooling,
    device: String,
    /// The precision of an encoding that sets none.
    precision: Precision,
    /// The models by precision, each loaded when it is first used.
    models: [OnceLock<SentenceModel<'static>>; Precision::ALL.len()],
    /// Limits the tokens of a sentence, if the user set one.
    max_length: Mutex<Option<usize>>,
    prompts: BTreeMap<String, String>,
    /// The pipeline of the latest prompt and limits.
    latest: Mutex<Option<(Settings, Arc<Pipeline>)>>,
}

/// What distinguishes a pipeline from the folder's own.
#[derive(Clone, Default, PartialEq)]
struct Settings {
    prompt: Option<String>,
    max_length: Option<usize>,
    batch_tokens: Option<NonZeroUsize>,
}

/// Parses a name that the library defines.
fn named<T: std::str::FromStr>(text: &str) -> PyResult<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| PyValueError::new_err(error.to_string()))
}

#[pymethods]
impl Model {
    /// Loads a model by name.
    #[new]
    #[pyo3(signature = (name, pooling=None, precision=None, device="cpu"))]
    fn new(
        py: Python<'_>,
        name: &str,
        pooling: Option<&str>,
        precision: Option<&str>,
        device: &str,
    ) -> PyResult<Self> {
        logging::start();
        let precision = precision.map_or(Ok(Precision::default()), named)?;
        let pooling = pooling.map(named::<Pooling>).transpose()?;
        let model = py.detach(|| -> PyResult<Self> {
            let folder = ModelFolder::open(&micse::find(name).map_err(raise)?).map_err(raise)?;
            let own = || folder.pooling().map_err(raise);
            let pooling = pooling.map_or_else(own, |pooling| Ok(Some(pooling)))?.unwrap_or(Pooling::Mean);
            let prompts = folder.prompts().map_err(raise)?;
            Ok(Self {
                folder,
                pooling,
                device: device.to_owned(),
                precision,
                models: [const { OnceLock::new() }; Precision::ALL.len()],
                max_length: Mutex::new(None),
                prompts,
                latest: Mutex::new(None),
            })
        })?;
        py.detach(|| threads::install(|| model.of(precision).map(drop)))??;
        Ok(model)
    }

    /// The embeddings of a list of texts: float32 `[n, d]`.
    ///
    /// `progress` is called with the number of sentences that were encoded since the last call.
    #[pyo3(signature = (sentences, prompt=None, precision=None, normalize=false, truncate_dim=None, batch_tokens=None, progress=None))]
    #[allow(clippy::too_many_arguments)] // as many as the Python function has
    fn encode<'py>(
        &self,
        py: Python<'py>,
        sentences: &Bound<'py, PyList>,
        prompt: Option<String>,
        precision: Option<&str>,
        normalize: bool,
        truncate_dim: Option<usize>,
        batch_tokens: Option<usize>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let precision = precision.map_or(Ok(self.precision), named)?;
        let batch_tokens = batch_tokens
            .map(|tokens| NonZeroUsize::new(tokens).ok_or_else(|| refuse("batch_tokens must be at least 1")))
            .transpose()?;
        let settings = Settings { prompt, max_length: *lock(&self.max_length), batch_tokens };
        let (model, pipeline) = py.detach(|| -> PyResult<_> {
            let model = threads::install(|| self.of(precision))??;
            Ok((model, self.pipeline(model, settings)?))
        })?;
        let dimension = model.dimension();
        let kept = match truncate_dim {
            Some(0) => return Err(PyValueError::new_err("truncate_dim is 0; it must be at least 1")),
            Some(kept) if kept > dimension => {
                return Err(PyValueError::new_err(format!(
                    "truncate_dim is {kept}, but the model has {dimension} dimensions"
                )));
            }
            kept => kept.unwrap_or(dimension),
        };
        let count = sentences.len();
        let array = PyArray2::<f32>::zeros(py, [count, kept], false);
        let encoder = pipeline.with(model.encoder(), model.convolution());
        let mut start = 0;
        while start < count {
            let end = (start + CHUNK).min(count);
            let texts = texts(sentences, start, end)?;
            let mut rows = py.detach(|| threads::install(|| encoder.encode(&texts).map_err(raise)))??;
            if let Some(bad) = rows.iter().position(|row| row.iter().any(|value| !value.is_finite())) {
                return Err(refuse(format!(
                    "the embedding of sentence {} contains NaN or infinity; the model's weights are damaged; use \
                     another copy",
                    start + bad
                )));
            }
            for row in &mut rows {
                row.truncate(kept);
                if normalize {
                    scale_to_unit(row);
                }
            }
            let mut values = array.try_readwrite()?;
            let mut target = values.as_array_mut();
            for (mut place, row) in target.rows_mut().into_iter().skip(start).zip(&rows) {
                place.iter_mut().zip(row).for_each(|(place, &value)| *place = value);
            }
            drop(values);
            if let Some(progress) = progress {
                progress.call1((end - start,))?;
            }
            py.check_signals()?;
            start = end;
        }
        Ok(array)
    }

    /// The token IDs of texts, with the special tokens.
    fn token_ids(&self, py: Python<'_>, sentences: &Bound<'_, PyList>) -> PyResult<Vec<Vec<u32>>> {
        let texts = texts(sentences, 0, sentences.len())?;
        py.detach(|| -> PyResult<_> {
            let model = self.of(self.precision)?;
            let settings = Settings { max_length: *lock(&self.max_length), ..Settings::default() };
            let pipeline = self.pipeline(model, settings)?;
            let limit = pipeline.with(model.encoder(), model.convolution()).max_length();
            threads::install(|| pipeline.tokenize(&texts, limit).map_err(raise))?
        })
    }

    /// The prompts by name.
    #[getter]
    fn prompts(&self) -> BTreeMap<String, String> {
        self.prompts.clone()
    }

    /// The prompt before every sentence, unless another is given; usually empty.
    #[getter]
    fn default_prompt(&self) -> PyResult<String> {
        Ok(self.of(self.precision)?.prompt().to_owned())
    }

    /// Entries of an embedding.
    #[getter]
    fn dimension(&self) -> PyResult<usize> {
        Ok(self.of(self.precision)?.dimension())
    }

    /// Maximum number of tokens per sentence.
    #[getter]
    fn max_seq_length(&self) -> PyResult<usize> {
        let model = self.of(self.precision)?;
        let own = model.max_length();
        let positions = model.encoder().config().max_position_embeddings;
        Ok(lock(&self.max_length).map_or(own, |asked| asked.min(positions)))
    }

    /// Limits the tokens of a sentence.
    #[setter]
    fn set_max_seq_length(&self, tokens: usize) -> PyResult<()> {
        if tokens < 3 {
            return Err(PyValueError::new_err(format!(
                "max_seq_length is {tokens}; [CLS], one token and [SEP] need 3"
            )));
        }
        *lock(&self.max_length) = Some(tokens);
        Ok(())
    }

    /// The pooling's name.
    #[getter]
    fn pooling(&self) -> &'static str {
        self.pooling.name()
    }

    /// The precision of an encoding that sets none.
    #[getter]
    fn precision(&self) -> &'static str {
        self.precision.name()
    }

    /// The model folder.
    #[getter]
    fn folder(&self) -> String {
        self.folder.root().display().to_string()
    }

    /// The encoder's family, such as `bert`.
    #[getter]
    fn family(&self) -> PyResult<String> {
        Ok(self.folder.config().map_err(raise)?.family.to_string())
    }
}

impl Model {
    /// The model in a precision.
    pub(crate) fn of(&self, precision: Precision) -> PyResult<&SentenceModel<'static>> {
        let slot = Precision::ALL.iter().position(|&known| known == precision);
        let slot = &self.models[slot.ok_or_else(|| refuse("unknown precision"))?];
        if let Some(model) = slot.get() {
            return Ok(model);
        }
        let compute = Compute::new(&self.device, None, precision).map_err(raise)?;
        let model = SentenceModel::load(&self.folder, Some(self.pooling), &compute).map_err(raise)?;
        Ok(slot.get_or_init(|| model))
    }

    /// The model in its own precision.
    pub(crate) fn own(&self) -> PyResult<&SentenceModel<'static>> {
        self.of(self.precision)
    }

    /// The folder's root.
    pub(crate) fn root(&self) -> &ModelFolder {
        &self.folder
    }

    /// The name of the pooling.
    pub(crate) fn pooling_name(&self) -> &'static str {
        self.pooling.name()
    }

    /// The model's pipeline with these settings; the latest is kept.
    fn pipeline(&self, model: &SentenceModel<'static>, settings: Settings) -> PyResult<Arc<Pipeline>> {
        let mut latest = lock(&self.latest);
        if let Some((known, pipeline)) = latest.as_ref()
            && *known == settings
        {
            return Ok(Arc::clone(pipeline));
        }
        let mut pipeline = model.pipeline().clone();
        if let Some(tokens) = settings.max_length {
            pipeline = pipeline.with_max_length(tokens).map_err(raise)?;
        }
        if let Some(tokens) = settings.batch_tokens {
            pipeline = pipeline.with_batch_tokens(tokens);
        }
        if let Some(prompt) = &settings.prompt {
            pipeline = pipeline.with_prompt(prompt, &self.folder).map_err(raise)?;
        }
        let pipeline = Arc::new(pipeline);
        *latest = Some((settings, Arc::clone(&pipeline)));
        Ok(pipeline)
    }
}

fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scales a vector to length 1; a zero vector stays zero.
fn scale_to_unit(row: &mut [f32]) {
    let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    if norm > 0.0 {
        for value in row {
            *value /= norm;
        }
    }
}

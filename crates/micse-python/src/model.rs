//! A model: from sentences to an array of embeddings.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use micse::data::corpus::{CHUNK, CHUNK_BYTES};
use micse::eval::HubSnapshot;
use micse::model::{Compute, ModelFolder, Pooling, Precision, StaticFolder};
use numpy::{PyArray2, PyArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::encoding::{Encoding, Latest, Settings, lock};
use crate::errors::{raise, refuse};
use crate::text::{text_at, texts};
use crate::work::{Arrived, find, watch};
use crate::{logging, threads};

/// With more sentences than this, the calling thread answers Ctrl-C while others encode.
const FEW: usize = 64;

/// A model folder and its model.
#[pyclass(frozen, module = "micse._micse")]
pub(crate) struct Model {
    root: PathBuf,
    /// `None`: the model has token vectors instead of an encoder.
    folder: Option<ModelFolder>,
    pooling: Pooling,
    device: String,
    /// The precision of an encoding that sets none.
    precision: Precision,
    /// The models by precision, each loaded when it is first used.
    models: [OnceLock<micse::Model>; Precision::ALL.len()],
    /// Limits the tokens of a sentence, if the user set one.
    max_length: Mutex<Option<usize>>,
    prompts: BTreeMap<String, String>,
    latest: Latest,
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
    ///
    /// `progress` is called during a download with the name of a file, the bytes that have arrived, and its size.
    #[new]
    #[pyo3(signature = (name, pooling=None, precision=None, device="cpu", progress=None))]
    fn new(
        py: Python<'_>,
        name: &str,
        pooling: Option<&str>,
        precision: Option<&str>,
        device: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        logging::start();
        let precision = precision.map_or(Ok(Precision::default()), named)?;
        let pooling = pooling.map(named::<Pooling>).transpose()?;
        let progress = progress.map(|progress| progress.clone().unbind());
        let root = watch(
            py,
            |stop, send| find(name, stop, send),
            |py, (file, done, total): &Arrived| match &progress {
                Some(progress) => progress.call1(py, (file, done, total)).map(drop),
                None => Ok(()),
            },
        )??;
        let model = py.detach(|| -> PyResult<Self> {
            let folder = match StaticFolder::find(&root).map_err(raise)? {
                Some(_) => None,
                None => Some(ModelFolder::open(&root).map_err(raise)?),
            };
            let pooling = match (&folder, pooling) {
                (None, Some(other)) if other != Pooling::Mean => {
                    return Err(refuse(format!(
                        "{}: the model is the mean of token vectors, so it has no pooling {other}",
                        root.display()
                    )));
                }
                (_, Some(pooling)) => pooling,
                (None, None) => Pooling::Mean,
                (Some(folder), None) => folder.pooling().map_err(raise)?.unwrap_or(Pooling::Mean),
            };
            let prompts = micse::Model::prompts(&root).map_err(raise)?;
            Ok(Self {
                root,
                folder,
                pooling,
                device: device.to_owned(),
                precision,
                models: [const { OnceLock::new() }; Precision::ALL.len()],
                max_length: Mutex::new(None),
                prompts,
                latest: Latest::default(),
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
        let precision = precision.map(named).transpose()?;
        let batch_tokens = batch_tokens
            .map(|tokens| {
                NonZeroUsize::new(tokens)
                    .ok_or_else(|| PyValueError::new_err("batch_tokens is 0; it must be at least 1"))
            })
            .transpose()?;
        let settings = Settings { prompt, truncate_dim, batch_tokens, max_length: None };
        let encoding = py.detach(|| self.encoding(precision, settings))?;
        let count = sentences.len();
        let array = PyArray2::<f32>::zeros(py, [count, encoding.dimension()], false);
        let progress = progress.map(|progress| progress.clone().unbind());
        let mut start = 0;
        while start < count {
            if sentences.len() != count {
                return Err(PyRuntimeError::new_err("the list of sentences changed while it was encoded"));
            }
            let texts = chunk(sentences, start)?;
            let end = start + texts.len();
            let mut rows = if texts.len() <= FEW {
                let rows =
                    py.detach(|| threads::install(|| encoding.encode(&texts, &|_| true)))?.map_err(raise)?;
                if let Some(progress) = &progress {
                    progress.call1(py, (texts.len(),))?;
                }
                rows
            } else {
                watch(
                    py,
                    |stop, tell: &mut (dyn FnMut(usize) + Send)| {
                        let tell = Mutex::new(tell);
                        encoding.encode(&texts, &|done| {
                            lock(&tell)(done);
                            !stop.requested()
                        })
                    },
                    |py, &done| progress.as_ref().map_or(Ok(()), |f| f.call1(py, (done,)).map(drop)),
                )?
                .map_err(raise)?
            };
            if normalize {
                for row in &mut rows {
                    scale_to_unit(row);
                }
            }
            let mut values = array.try_readwrite()?;
            let mut target = values.as_array_mut();
            for (mut place, row) in target.rows_mut().into_iter().skip(start).zip(&rows) {
                place.iter_mut().zip(row).for_each(|(place, &value)| *place = value);
            }
            drop(values);
            py.check_signals()?;
            start = end;
        }
        Ok(array)
    }

    /// The token IDs of texts, with the special tokens.
    fn token_ids(&self, py: Python<'_>, sentences: &Bound<'_, PyList>) -> PyResult<Vec<Vec<u32>>> {
        let texts = texts(sentences)?;
        py.detach(|| {
            let encoding = self.encoding(None, Settings::default())?;
            threads::install(|| encoding.token_ids(&texts))?.map_err(raise)
        })
    }

    /// The prompts by name.
    #[getter]
    fn prompts(&self) -> BTreeMap<String, String> {
        self.prompts.clone()
    }

    /// Entries of an embedding that is truncated to `truncate_dim`; `None`: that is not truncated.
    #[pyo3(signature = (truncate_dim=None))]
    fn dimension(&self, py: Python<'_>, truncate_dim: Option<usize>) -> PyResult<usize> {
        let settings = Settings { truncate_dim, ..Settings::default() };
        Ok(py.detach(|| self.encoding(None, settings))?.dimension())
    }

    /// Maximum number of tokens per sentence; `None` if there is none.
    #[getter]
    fn max_seq_length(&self) -> PyResult<Option<usize>> {
        let model = self.of(self.precision)?;
        let Some(encoder) = model.as_encoder() else { return Ok(model.max_length()) };
        let positions = encoder.encoder().config().max_position_embeddings;
        let asked = lock(&self.max_length).map(|asked| asked.min(positions));
        Ok(asked.or(model.max_length()))
    }

    /// Limits the tokens of a sentence.
    #[setter]
    fn set_max_seq_length(&self, tokens: usize) -> PyResult<()> {
        if self.folder.is_none() {
            return Err(PyValueError::new_err(
                "the limit of a model of token vectors is that of its tokenizer; shorten the sentences instead",
            ));
        }
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
        self.root.display().to_string()
    }

    /// The model's ID, if the folder is in the Hub cache.
    #[getter]
    fn hub_id(&self) -> Option<String> {
        HubSnapshot::of(&self.root).map(|snapshot| snapshot.id)
    }

    /// SHA-256 over the names and contents of the folder's files but the model card, in hexadecimal digits.
    fn sha256(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| micse::files::sha256_of_folder(&self.root)).map_err(raise)
    }

    /// The encoder's family, such as `bert`; `token vectors` without an encoder.
    #[getter]
    fn family(&self) -> PyResult<String> {
        let Some(folder) = &self.folder else { return Ok("token vectors".to_owned()) };
        Ok(folder.config().map_err(raise)?.family.to_string())
    }
}

impl Model {
    /// The model in a precision.
    fn of(&self, precision: Precision) -> PyResult<&micse::Model> {
        let slot = Precision::ALL.iter().position(|&known| known == precision);
        let slot = &self.models[slot.ok_or_else(|| refuse("unknown precision"))?];
        if let Some(model) = slot.get() {
            return Ok(model);
        }
        if self.folder.is_none() && precision != Precision::F32 {
            return Err(refuse(format!(
                "{}: token vectors are averaged in f32; there are no products to compute in {precision}",
                self.root.display()
            )));
        }
        let compute = Compute::new(&self.device, None, precision).map_err(raise)?;
        let model = micse::Model::load(&self.root, Some(self.pooling), &compute).map_err(raise)?;
        Ok(slot.get_or_init(|| model))
    }

    /// The name of the pooling.
    pub(crate) fn pooling_name(&self) -> &'static str {
        self.pooling.name()
    }

    /// The model folder.
    pub(crate) fn place(&self) -> String {
        self.root.display().to_string()
    }

    /// The model in a precision, with these settings. Call it without the interpreter's lock.
    pub(crate) fn encoding(
        &self,
        precision: Option<Precision>,
        settings: Settings,
    ) -> PyResult<Encoding<'_>> {
        let model = threads::install(|| self.of(precision.unwrap_or(self.precision)))??;
        let settings = Settings { max_length: *lock(&self.max_length), ..settings };
        Encoding::new(model, self.folder.as_ref(), settings, &self.latest)
    }
}

/// The texts of a list from `start` on that `micse encode` would encode at a time, so that the bits are the same.
fn chunk(sentences: &Bound<'_, PyList>, start: usize) -> PyResult<Vec<String>> {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for i in start..sentences.len() {
        if chunk.len() == CHUNK || bytes >= CHUNK_BYTES {
            break;
        }
        let text = text_at(sentences, i)?;
        bytes += text.len();
        chunk.push(text);
    }
    Ok(chunk)
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

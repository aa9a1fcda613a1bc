//! Adapts a model to a text, as `micse train` does.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use micse::adapt::{Adaptation, Error as AdaptError, Kept, Note, Request};
use micse::data::{Corpus, Locator, Pair, PairFile, Subset, Suite, Task};
use micse::files::RunFolder;
use micse::model::{Compute, ModelFolder, Precision};
use micse::train::{Error as TrainError, Event, RunResult};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::json;

use crate::errors::{caused_by, raise};
use crate::logging;
use crate::text::texts;
use crate::work::{Arrived, Receipt, find, receipt, watch_to_the_end};

/// What the caller learns while a run goes on.
struct Told {
    kind: &'static str,
    json: String,
    /// Of a step, after which the run waits: an exception of the caller then ends it here.
    _receipt: Option<Receipt>,
}

/// Why there is no result.
enum End {
    /// The run was asked to stop, and did.
    Stopped(PyErr),
    Failed(PyErr),
}

impl From<AdaptError> for End {
    fn from(error: AdaptError) -> Self {
        match error {
            AdaptError::Stopped | AdaptError::Train(TrainError::Stopped { .. }) => {
                Self::Stopped(raise(error))
            }
            error => Self::Failed(raise(error)),
        }
    }
}

impl From<PyErr> for End {
    fn from(error: PyErr) -> Self {
        Self::Failed(error)
    }
}

/// The text to train on.
enum Source {
    Sentences(Vec<String>),
    Files(Vec<PathBuf>),
}

/// Trains, or resumes a run in `out`; returns JSON as `micse train --json` prints it.
///
/// `sentences` is a list of texts, or `files` a list of text files. `options` are those of the command, by their names.
/// `tell` is called with a kind ("step", "progress", "arrived", "development") and JSON. After a step, the run waits for
/// it: if it fails, no further step is made.
#[pyfunction]
#[pyo3(signature = (model, out, sentences, files, options, tell))]
pub(crate) fn train(
    py: Python<'_>,
    model: &str,
    out: &str,
    sentences: Option<&Bound<'_, PyList>>,
    files: Vec<PathBuf>,
    options: &Bound<'_, PyDict>,
    tell: Py<PyAny>,
) -> PyResult<String> {
    logging::start();
    let source = match sentences {
        Some(list) => Source::Sentences(texts(list)?),
        None => Source::Files(files),
    };
    let (request, precision) = request(options)?;
    let out = PathBuf::from(out);
    let (raised, done) = watch_to_the_end(
        py,
        |stop, send: &mut (dyn FnMut(Told) + Send)| -> Result<String, End> {
            let found = find(model, stop, &mut |event| send(arrived(event)));
            // A download that was stopped can go on.
            let found = found
                .map_err(|error| if stop.requested() { End::Stopped(error) } else { End::Failed(error) })?;
            let base = ModelFolder::open(&found).map_err(raise)?;
            let compute = Compute::new("cpu", None, precision).map_err(raise)?;
            let corpus = corpus(source)?;
            let adaptation = Adaptation::prepare(base, corpus, request, compute)?;
            for note in adaptation.notes() {
                match note {
                    Note::Plain(line) => tracing::info!(target: "micse", "{line}"),
                    Note::Notice(line) => tracing::warn!(target: "micse", "{line}"),
                }
            }
            let mut scored = |done, total| send(progress("sentences scored", done, total));
            let before = adaptation.score_start(&out, stop, &mut scored)?;
            let result: RunResult = adaptation.run(&out, &before, stop, &mut |event| told(event, send))?;
            let report = json!({
                "model": RunFolder::new(&out).model(),
                "dev_spearman_before": before.dev(),
                "sts_average_before": before.sts(),
                "result": result,
            });
            Ok(report.to_string())
        },
        |py, told| tell.call1(py, (told.kind, &told.json)).map(drop),
    );
    match (raised, done.map_err(End::Failed).flatten()) {
        (None, done) => done.map_err(|(End::Stopped(error) | End::Failed(error))| error),
        (Some(exception), Err(End::Failed(error))) => Err(caused_by(py, exception, error)),
        (Some(exception), _) => Err(exception),
    }
}

impl Told {
    fn new(kind: &'static str, json: impl ToString) -> Self {
        Self { kind, json: json.to_string(), _receipt: None }
    }
}

fn arrived((file, done, total): Arrived) -> Told {
    Told::new("arrived", json!({"file": file, "done": done, "total": total}))
}

fn progress(what: &str, done: usize, total: usize) -> Told {
    Told::new("progress", json!({"what": what, "done": done, "total": total}))
}

/// Passes an event on.
fn told(event: Event, send: &mut (dyn FnMut(Told) + Send)) {
    match event {
        Event::Started { step, steps } => send(progress("steps", step, steps)),
        Event::Step(report) => match serde_json::to_string(&report) {
            Ok(json) => {
                let (receipt, dealt) = receipt();
                send(Told { kind: "step", json, _receipt: Some(receipt) });
                dealt.wait();
            }
            Err(error) => tracing::warn!(target: "micse", "a step cannot be reported: {error}"),
        },
        Event::Development { step, spearman } => {
            send(Told::new("development", json!({"step": step, "spearman": spearman})));
        }
        Event::Fitting { step, steps, .. } => send(progress("steps of the fit", step, steps)),
        Event::Judging { done, total } => send(progress("texts judged", done, total)),
        Event::Evaluating { done, total } => send(progress("sentences scored", done, total)),
        Event::Notice(text) => tracing::warn!(target: "micse", "{text}"),
        _ => {}
    }
}

fn corpus(source: Source) -> PyResult<Corpus> {
    match source {
        Source::Files(files) => Corpus::open(&files).map_err(raise),
        Source::Sentences(texts) => {
            // A line feed would end the sentence.
            let lines = texts.iter().map(|text| text.split(['\n', '\r']).collect::<Vec<_>>().join(" "));
            let corpus = Corpus::from_sentences("sentences", lines);
            if corpus.is_empty() {
                return Err(PyValueError::new_err(
                    "there are no sentences; pass at least one that is not blank",
                ));
            }
            Ok(corpus)
        }
    }
}

/// Reads the options; an unknown one is an error.
fn request(options: &Bound<'_, PyDict>) -> PyResult<(Request, Precision)> {
    let mut request = Request::default();
    let mut precision = Precision::default();
    let invalid = |error: &dyn std::fmt::Display| PyValueError::new_err(error.to_string());
    for (key, value) in options {
        let key: String = key.extract()?;
        if value.is_none() {
            continue;
        }
        match key.as_str() {
            "recipe" => request.recipe = Some(value.extract()?),
            "published_settings" => request.published_settings = value.extract()?,
            "steps" => request.steps = Some(at_least_one(&key, &value)?.get()),
            "size" => request.size = value.str()?.to_string().parse().map_err(|e| invalid(&e))?,
            "seed" => request.seed = seed(&value)?,
            "with_terms" => request.with = value.extract()?,
            "settings" => request.settings = value.extract()?,
            "pairs" => request.pairs = Some(pairs(&value)?),
            "sts" => request.sts = Some(sts(&value.extract::<String>()?)?),
            "keep" => {
                request.keep = match value.extract::<String>()?.as_str() {
                    "best" => Kept::Best,
                    "last" => Kept::Last,
                    other => {
                        return Err(invalid(&format!("keep is '{other}'; it must be 'best' or 'last'")));
                    }
                };
            }
            "purpose" => {
                request.purpose = Some(value.extract::<String>()?.parse().map_err(|e| invalid(&e))?);
            }
            "chunk" => request.chunk = Some(at_least_one(&key, &value)?),
            "precision" => precision = value.extract::<String>()?.parse().map_err(|e| invalid(&e))?,
            "checkpoint_steps" => request.checkpoint_steps = at_least_one(&key, &value)?.get(),
            "allow_other_cpu" => request.allow_other_cpu = value.extract()?,
            "name" => request.card.name = Some(value.extract()?),
            "languages" => request.card.languages = value.extract()?,
            "license" => request.card.license = Some(value.extract()?),
            other => return Err(PyKeyError::new_err(format!("unknown option {other}"))),
        }
    }
    Ok((request, precision))
}

/// A seed. A run describes itself in TOML, which has no larger numbers.
fn seed(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    const LARGEST: u64 = i64::MAX as u64;
    value.extract().ok().filter(|&seed| seed <= LARGEST).ok_or_else(|| {
        PyValueError::new_err(format!("seed is {value}; it must be an integer from 0 to {LARGEST}"))
    })
}

/// A count.
fn at_least_one(key: &str, value: &Bound<'_, PyAny>) -> PyResult<NonZeroUsize> {
    let wrong = || PyValueError::new_err(format!("{key} is {value}; it must be an integer of at least 1"));
    NonZeroUsize::new(value.extract().map_err(|_| wrong())?).ok_or_else(wrong)
}

/// Development pairs: a file, or a list of (sentence, sentence, score).
fn pairs(value: &Bound<'_, PyAny>) -> PyResult<Task> {
    if let Ok(path) = value.extract::<PathBuf>() {
        return PairFile::open(&path).and_then(PairFile::into_task).map_err(raise);
    }
    let pairs: Vec<(String, String, f64)> = value.extract().map_err(|_| {
        PyValueError::new_err("pairs must be a file, or a list of (sentence, sentence, score)")
    })?;
    if let Some(i) = pairs.iter().position(|(.., score)| !score.is_finite()) {
        return Err(PyValueError::new_err(format!("the score of pair {i} is not a number")));
    }
    if pairs.is_empty() {
        return Err(PyValueError::new_err("there are no pairs"));
    }
    let pairs = pairs.into_iter().map(|(first, second, score)| Pair { first, second, score }).collect();
    Ok(Task { name: "pairs".to_owned(), subsets: vec![Subset { name: "pairs".to_owned(), pairs }] })
}

fn sts(name: &str) -> PyResult<Suite> {
    let place = Locator::from_env().and_then(|locator| locator.sts(Some(name))).map_err(raise)?.place;
    Suite::load(Path::new(&place), None).map_err(raise)
}

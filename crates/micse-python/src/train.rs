//! Adapts a model to a text, as `micse train` does.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use micse::adapt::{Adaptation, Kept, Note, Request};
use micse::data::{Corpus, Locator, Pair, PairFile, Subset, Suite, Task};
use micse::files::RunFolder;
use micse::model::{Compute, ModelFolder, Precision};
use micse::train::{Event, RunResult};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::json;

use crate::errors::raise;
use crate::logging;
use crate::text::texts;
use crate::work::{Arrived, find, watch};

/// What the caller learns while a run goes on: its kind, and JSON.
type Told = (&'static str, String);

/// The text to train on.
enum Source {
    Sentences(Vec<String>),
    Files(Vec<PathBuf>),
}

/// Trains, or resumes a run in `out`; returns JSON as `micse train --json` prints it.
///
/// `sentences` is a list of texts, or `files` a list of text files. `options` are those of the command, by their names.
/// `tell` is called with a kind ("step", "progress", "note") and JSON.
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
    watch(
        py,
        |stop, send: &mut (dyn FnMut(Told) + Send)| -> PyResult<String> {
            let base =
                ModelFolder::open(&find(model, stop, &mut |event| send(arrived(event)))?).map_err(raise)?;
            let compute = Compute::new("cpu", None, precision).map_err(raise)?;
            let corpus = corpus(source)?;
            let adaptation = Adaptation::prepare(base, corpus, request, compute).map_err(raise)?;
            for note in adaptation.notes() {
                match note {
                    Note::Plain(line) => tracing::info!(target: "micse", "{line}"),
                    Note::Notice(line) => tracing::warn!(target: "micse", "{line}"),
                }
            }
            let mut scored = |done, total| send(progress("sentences scored", done, total));
            let before = adaptation.score_start(&out, stop, &mut scored).map_err(raise)?;
            let result: RunResult =
                adaptation.run(&out, &before, stop, &mut |event| told(event, send)).map_err(raise)?;
            let report = json!({
                "model": RunFolder::new(&out).model(),
                "dev_spearman_before": before.dev(),
                "sts_average_before": before.sts(),
                "result": result,
            });
            Ok(report.to_string())
        },
        |py, (kind, text)| tell.call1(py, (kind, text)).map(drop),
    )?
}

fn arrived((file, done, total): Arrived) -> Told {
    ("arrived", json!({"file": file, "done": done, "total": total}).to_string())
}

fn progress(what: &str, done: usize, total: usize) -> Told {
    ("progress", json!({"what": what, "done": done, "total": total}).to_string())
}

/// Passes an event on.
fn told(event: Event, send: &mut (dyn FnMut(Told) + Send)) {
    match event {
        Event::Started { step, steps } => send(progress("steps", step, steps)),
        Event::Step(report) => match serde_json::to_string(&report) {
            Ok(text) => send(("step", text)),
            Err(error) => tracing::warn!(target: "micse", "a step cannot be reported: {error}"),
        },
        Event::Development { step, spearman } => {
            send(("development", json!({"step": step, "spearman": spearman}).to_string()));
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
            "seed" => request.seed = value.extract()?,
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

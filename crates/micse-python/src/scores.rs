//! Evaluation sets, and the judge without labels. Results are JSON, as the commands print it.

use std::collections::BTreeMap;

use micse::data::transfer::is_transfer_task;
use micse::data::{Locator, Suite, TransferSuite};
use micse::eval::Evaluation;
use micse::eval::judge::{Judge, Purpose};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::json;

use crate::encoding::Settings;
use crate::errors::raise;
use crate::model::Model;
use crate::text::texts;
use crate::work::{Stoppable, watch};

/// Scores a model on STS sets and transfer tasks. `progress` is called with the sentences done and their total.
#[pyfunction]
#[pyo3(signature = (model, prompt, truncate_dim, sts, tasks=None, transfer=false, progress=None))]
#[allow(clippy::too_many_arguments)] // as many as the Python function has
pub(crate) fn evaluate(
    py: Python<'_>,
    model: &Model,
    prompt: Option<String>,
    truncate_dim: Option<usize>,
    sts: &str,
    tasks: Option<Vec<String>>,
    transfer: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let (labelled, pairs): (Vec<String>, Vec<String>) =
        tasks.iter().flatten().cloned().partition(|name| is_transfer_task(name));
    let (suite, transfer) = py.detach(|| -> PyResult<_> {
        let locator = Locator::from_env().map_err(raise)?;
        let suite = if tasks.is_some() && pairs.is_empty() && !labelled.is_empty() {
            Suite { name: String::new(), tasks: Vec::new(), dev: None, sick_dev: None }
        } else {
            let place = locator.sts(Some(sts)).map_err(raise)?.place;
            Suite::load(&place, tasks.is_some().then_some(&pairs[..])).map_err(raise)?
        };
        if labelled.is_empty() && !transfer {
            return Ok((suite, None));
        }
        let place = locator.transfer(Some(sts)).map_err(raise)?.place;
        let tasks = (!labelled.is_empty()).then_some(&labelled[..]);
        Ok((suite, Some(TransferSuite::load(&place, tasks).map_err(raise)?)))
    })?;
    let settings = Settings { prompt, truncate_dim, ..Settings::default() };
    let encoding = &py.detach(|| model.encoding(None, settings))?;
    let done = watch(
        py,
        |stop, tell| -> PyResult<Evaluation> {
            let embedder = Stoppable { encoding, stop };
            let evaluation = micse::eval::evaluate(&embedder, &suite, &mut |done, total| tell((done, total)))
                .map_err(raise)?;
            let Some(tasks) = &transfer else { return Ok(evaluation) };
            let scores =
                micse::eval::score_transfer(&embedder, tasks, &mut |_, _, done, total| tell((done, total)));
            Ok(Evaluation { transfer: Some(scores.map_err(raise)?), ..evaluation })
        },
        |py, &(done, total)| progress.as_ref().map_or(Ok(()), |f| f.call1(py, (done, total)).map(drop)),
    )??;
    done.of_model(model.place(), model.pooling_name()).to_json().map_err(raise)
}

/// A model, its prompt, and the entries of an embedding to keep.
type Judged<'py> = (Bound<'py, Model>, Option<String>, Option<usize>);

fn parts<'a>((model, prompt, truncate_dim): &'a Judged<'_>) -> (&'a Model, Settings) {
    let settings = Settings { prompt: prompt.clone(), truncate_dim: *truncate_dim, ..Settings::default() };
    (model.get(), settings)
}

/// Compares two models on a text without labels. `progress` is called with the sentences done and their total.
#[pyfunction]
#[pyo3(signature = (before, after, sentences, progress=None))]
pub(crate) fn judge(
    py: Python<'_>,
    before: Judged<'_>,
    after: Judged<'_>,
    sentences: &Bound<'_, PyList>,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let texts = texts(sentences)?;
    let judge = Judge::new(texts.iter().map(|text| text.trim()))
        .ok_or_else(|| PyValueError::new_err("fewer than 20 distinct sentences; pass more"))?;
    let ((before, first), (after, second)) = (parts(&before), parts(&after));
    let encodings =
        [py.detach(|| before.encoding(None, first))?, py.detach(|| after.encoding(None, second))?];
    let change = watch(
        py,
        |stop, tell| -> PyResult<_> {
            let mut measured = 0;
            let mut measure = |encoding| {
                let embedder = Stoppable { encoding, stop };
                let measures = judge.measure(&embedder, &mut |done, total| {
                    tell((measured * total + done, encodings.len() * total));
                });
                measured += 1;
                measures.map_err(raise)
            };
            let (before, after) = (measure(&encodings[0])?, measure(&encodings[1])?);
            before.change_to(&after).map_err(raise)
        },
        |py, &(done, total)| progress.as_ref().map_or(Ok(()), |f| f.call1(py, (done, total)).map(drop)),
    )??;
    let effects: BTreeMap<String, _> =
        Purpose::ALL.map(|purpose| (purpose.to_string(), change.effect(purpose))).into();
    let mut report = serde_json::to_value(&change).map_err(raise)?;
    report["sentences"] = json!(judge.sentences().len());
    report["effects"] = json!(effects);
    Ok(report.to_string())
}

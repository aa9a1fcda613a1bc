//! `result.json`: the result of a finished run.

use std::time::Duration;

use micse_data::Suite;
use micse_eval::Evaluation;
use micse_files::RunFolder;
use micse_model::Pooling;
use serde::{Deserialize, Serialize};

use super::finish::Outcome;
use super::{Chosen, RunInputs};
use crate::{Error, Result};

/// Method, data and scores of one finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunResult {
    /// The recipe's name, or the name of a row without training.
    pub method: String,
    /// The requested size of the split; `None` without training.
    pub size: Option<String>,
    /// Sentences of the split.
    pub sentences: usize,
    /// The seed; `None` without training.
    pub seed: Option<u64>,
    /// Optimizer steps.
    pub steps: usize,
    /// The training corpus.
    pub train_text: String,
    /// How the weights were selected.
    pub selected_on: String,
    /// The step whose weights were kept, if development pairs select.
    pub selected_step: Option<usize>,
    /// The weights that the judge chose; `None` if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Chosen>,
    /// Pooling at test.
    pub pooling: Pooling,
    /// Name of the evaluation sets.
    pub evaluated_on: String,
    /// The scores.
    pub scores: Evaluation,
    /// Seconds of training over all starts, including fits after the encoder, but not the steps that a killed start ran
    /// after its last checkpoint.
    pub train_seconds: f64,
    /// Seconds of training and scoring.
    pub seconds: f64,
}

impl RunResult {
    pub(super) fn new(
        inputs: &RunInputs<'_>,
        mut scores: Evaluation,
        outcome: Outcome,
        train_time: Duration,
        time: Duration,
    ) -> Self {
        let recipe = &inputs.recipe;
        scores.model.clone_from(&recipe.name);
        scores.pooling = recipe.test_pooling().to_string();
        Self {
            method: recipe.name.clone(),
            size: Some(inputs.text.described.size.clone()),
            sentences: inputs.text.described.sentences,
            seed: Some(inputs.seed),
            steps: recipe.steps,
            train_text: inputs.text.described.name(),
            selected_on: recipe.selected_on(inputs.suite),
            selected_step: outcome.selected,
            chosen: outcome.chosen,
            pooling: recipe.test_pooling(),
            evaluated_on: inputs.suite.name.clone(),
            scores,
            train_seconds: train_time.as_secs_f64(),
            seconds: time.as_secs_f64(),
        }
    }

    pub(super) fn untrained(
        method: &str,
        pooling: Pooling,
        suite: &Suite,
        mut scores: Evaluation,
        time: Duration,
    ) -> Self {
        let method = method.to_owned();
        scores.model.clone_from(&method);
        scores.pooling = pooling.to_string();
        Self {
            method,
            size: None,
            sentences: 0,
            seed: None,
            steps: 0,
            train_text: "none".into(),
            selected_on: "none".into(),
            selected_step: None,
            chosen: None,
            pooling,
            evaluated_on: suite.name.clone(),
            scores,
            train_seconds: 0.0,
            seconds: time.as_secs_f64(),
        }
    }

    /// Reads the result of a finished run.
    ///
    /// # Errors
    /// The run is not finished, or its file is damaged.
    pub fn load(run: &RunFolder) -> Result<Self> {
        let path = run.result();
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        serde_json::from_str(&text)
            .map_err(|e| Error::run(&path, format!("not a run result ({e}); delete it to run again")))
    }
}

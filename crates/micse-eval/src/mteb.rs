//! Scores in the format of the Massive Text Embedding Benchmark (Muennighoff et al. 2023): one file per task, which
//! `mteb` and its leaderboard read.
//!
//! ```text
//! DIR/OWNER__NAME/REVISION/STS12.json       scores, between -1 and 1; main_score is cosine_spearman
//! DIR/OWNER__NAME/REVISION/model_meta.json  the model
//! ```
//!
//! The scores are from this crate's protocol on `SentEval`'s files, and the result files record this:
//! `dataset_revision` is `SentEval`, `mteb_version` is null, and every entry has the number of pairs. MTEB also
//! correlates over all pairs of a task, and has the same number of pairs in STS12 to STS16 and STSBenchmark. Its
//! SICK-R, however, has all 9,927 pairs of SICK, while `SentEval` has the 4,927 of the test split, so these two
//! scores cannot be compared. MTEB's correlations by Manhattan and Euclidean distance, which no reader needs, are
//! omitted.

use std::path::{Path, PathBuf};

use micse_data::sts::Suite;
use micse_files::write_json;
use serde_json::{Value, json};

use crate::{Error, Evaluation, Result, TaskScores};

/// MTEB's revision for a model without a commit.
const NO_REVISION: &str = "no_revision_available";
/// The dataset revision of these scores; MTEB writes the commit of its own copy.
const DATA: &str = "SentEval";
const META_FILE: &str = "model_meta.json";

/// MTEB's name for a task; `None` if MTEB does not have the task.
///
/// ```
/// assert_eq!(micse_eval::mteb::task_name("SICKRelatedness"), Some("SICK-R"));
/// assert_eq!(micse_eval::mteb::task_name("DemoSTS"), None);
/// ```
pub fn task_name(task: &str) -> Option<&str> {
    match task {
        "STS12" | "STS13" | "STS14" | "STS15" | "STS16" | "STSBenchmark" => Some(task),
        "SICKRelatedness" => Some("SICK-R"),
        _ => None,
    }
}

/// Rejects a suite without any of MTEB's tasks, before time is spent on scoring.
pub fn check(suite: &Suite) -> Result<()> {
    if suite.tasks.iter().any(|task| task_name(&task.name).is_some()) {
        return Ok(());
    }
    if suite.tasks.is_empty() {
        let reason = "no STS task is scored, and MTEB scores transfer tasks by another protocol; name an STS task with \
                      --tasks, such as STS12";
        return Err(Error::Mteb(reason.into()));
    }
    Err(Error::Mteb(format!("`{}` has none of MTEB's tasks; pass SentEval's folder with --sts", suite.name)))
}

/// The name and commit of a model, which are also the names of its result folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtebModel {
    name: String,
    revision: String,
}

/// Known facts about a model, other than its name.
#[derive(Clone, Debug, Default)]
pub struct MtebFacts {
    /// Number of parameters.
    pub parameters: Option<usize>,
    /// Number of parameters in the word table.
    pub embedding_parameters: Option<usize>,
    /// Tokens to which longer sentences are truncated.
    pub max_tokens: Option<usize>,
    /// Entries of an embedding.
    pub dimension: Option<usize>,
    /// Frameworks that load the model, by MTEB's names: `Sentence Transformers`, `safetensors`, ...
    pub frameworks: Vec<&'static str>,
}

impl MtebModel {
    /// A model by name, `owner/name`, and commit; without a commit, MTEB's placeholder is used.
    ///
    /// # Errors
    /// The name does not have this form, or contains a character that is not allowed in a file name.
    pub fn new(name: &str, revision: Option<&str>) -> Result<Self> {
        let good = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
        };
        if !name.split_once('/').is_some_and(|(owner, name)| good(owner) && good(name)) {
            return Err(Error::Mteb(format!(
                "{name:?} is not a valid model name; pass --mteb-name OWNER/NAME, of letters, digits, `-`, `_` and `.`"
            )));
        }
        let revision = revision.unwrap_or(NO_REVISION);
        if !good(revision) {
            return Err(Error::Mteb(format!(
                "{revision:?} is not a valid revision; --mteb-revision accepts letters, digits, `-`, `_` and `.`"
            )));
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// Writes a file for each task that MTEB has, and one for the model. Returns the folder.
    ///
    /// # Errors
    /// The evaluation has no such task, a correlation is undefined, or the folder cannot be written.
    pub fn write(&self, folder: &Path, facts: &MtebFacts, evaluation: &Evaluation) -> Result<PathBuf> {
        let folder = folder.join(self.name.replace('/', "__")).join(&self.revision);
        let of_mteb = |(task, scores)| Some((task_name(task)?, task, scores));
        let tasks: Vec<(&str, &str, &TaskScores)> = evaluation.tasks.iter().filter_map(of_mteb).collect();
        if tasks.is_empty() {
            return Err(Error::Mteb("the evaluation has none of MTEB's tasks".into()));
        }
        let results: Vec<Value> =
            tasks.iter().map(|&(name, task, scores)| result(name, task, scores)).collect::<Result<_>>()?;
        for ((name, ..), result) in tasks.iter().zip(&results) {
            write_json(&folder.join(format!("{name}.json")), result)?;
        }
        write_json(&folder.join(META_FILE), &self.meta(facts))?;
        Ok(folder)
    }

    /// All of MTEB's keys: its reader rejects other keys and requires most of these. Unknown values are null. Memory is
    /// computed like MTEB does, with four bytes per weight.
    fn meta(&self, facts: &MtebFacts) -> Value {
        json!({
            "name": self.name,
            "revision": self.revision,
            "release_date": null,
            "languages": null,
            "loader": null,
            "loader_kwargs": {},
            "n_parameters": facts.parameters,
            "n_active_parameters_override": null,
            "n_embedding_parameters": facts.embedding_parameters,
            "memory_usage_mb": facts.parameters.map(|count| 4.0 * count as f64 / f64::from(1 << 20)),
            "max_tokens": facts.max_tokens,
            "embed_dim": facts.dimension,
            "license": null,
            "open_weights": null,
            "public_training_code": null,
            "public_training_data": null,
            "framework": facts.frameworks,
            "reference": null,
            "similarity_fn_name": "cosine",
            "use_instructions": false,
            "training_datasets": null,
            "adapted_from": null,
            "superseded_by": null,
            "modalities": ["text"],
            "model_type": ["dense"],
            "citation": null,
            "contacts": null,
        })
    }
}

/// One task's file.
fn result(name: &str, task: &str, scores: &TaskScores) -> Result<Value> {
    let share = |metric: &str, value: f64| {
        let undefined =
            || Error::Mteb(format!("{metric}'s correlation on {task} is undefined: all cosines are equal"));
        // Six decimals, as MTEB rounds them.
        value.is_finite().then(|| (value * 1e4).round() / 1e6).ok_or_else(undefined)
    };
    let (spearman, pearson) =
        (share("Spearman", scores.spearman.all)?, share("Pearson", scores.pearson.all)?);
    Ok(json!({
        "dataset_revision": DATA,
        "task_name": name,
        "mteb_version": null,
        "scores": {"test": [{
            "main_score": spearman,
            "cosine_spearman": spearman,
            "cosine_pearson": pearson,
            "spearman": spearman,
            "pearson": pearson,
            "hf_subset": "default",
            "languages": ["eng-Latn"],
            "pairs": scores.pairs,
            "data": format!("SentEval's files of {task}: one correlation over all pairs"),
        }]},
        "evaluation_time": null,
        "kg_co2_emissions": null,
    }))
}

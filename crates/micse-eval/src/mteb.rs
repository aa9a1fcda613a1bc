//! Scores in the form of the Massive Text Embedding Benchmark (Muennighoff et al. 2023): one file a task, which `mteb`
//! and its leaderboard read.
//!
//! ```text
//! DIR/OWNER__NAME/REVISION/STS12.json       scores, between -1 and 1; main_score is cosine_spearman
//! DIR/OWNER__NAME/REVISION/model_meta.json  the model
//! ```
//!
//! What is measured is this crate's protocol on `SentEval`'s files, and the files say so: `dataset_revision` is
//! `SentEval`, `mteb_version` is null, and every entry has the number of pairs. MTEB too correlates over all pairs of a
//! task together, on as many pairs in STS12 to STS16 and STSBenchmark; its SICK-R, though, has all 9,927 pairs of SICK,
//! `SentEval`'s the 4,927 of the test split, so that these two scores cannot be compared. Correlations by Manhattan and
//! Euclidean distances, which MTEB computes as well and no reader needs, are left out.

use std::path::{Path, PathBuf};

use micse_data::sts::Suite;
use micse_files::write_json;
use serde_json::{Value, json};

use crate::{Error, Evaluation, Result, TaskScores};

/// What MTEB writes for a model without a commit.
const NO_REVISION: &str = "no_revision_available";
/// What our data is, where MTEB has the commit of its copy.
const DATA: &str = "SentEval";
const META_FILE: &str = "model_meta.json";

/// MTEB's name of a task; none if it has none on these data.
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

/// Refuses a suite without a task of MTEB, before it is scored in vain.
pub fn check(suite: &Suite) -> Result<()> {
    if suite.tasks.iter().any(|task| task_name(&task.name).is_some()) {
        return Ok(());
    }
    Err(Error::Mteb(format!("`{}` has none of MTEB's tasks; give SentEval's folder by --sts", suite.name)))
}

/// A model by its name and commit, which are the names of its folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtebModel {
    name: String,
    revision: String,
}

/// What is known of a model beside its name.
#[derive(Clone, Debug, Default)]
pub struct MtebFacts {
    /// Numbers in the weights.
    pub parameters: Option<usize>,
    /// Those of the word table.
    pub embedding_parameters: Option<usize>,
    /// Tokens at which sentences are cut.
    pub max_tokens: Option<usize>,
    /// Entries of an embedding.
    pub dimension: Option<usize>,
    /// What loads the model, by MTEB's names: `Sentence Transformers`, `safetensors`, ...
    pub frameworks: Vec<&'static str>,
}

impl MtebModel {
    /// A model by its name, `owner/name`, and its commit; none: MTEB's words for that.
    ///
    /// # Errors
    /// The name has another form, or a character that does not belong in the name of a file.
    pub fn new(name: &str, revision: Option<&str>) -> Result<Self> {
        let good = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
        };
        if !name.split_once('/').is_some_and(|(owner, name)| good(owner) && good(name)) {
            return Err(Error::Mteb(format!(
                "{name:?} is no model's name; --mteb-name has to be OWNER/NAME, of letters, digits, `-`, `_` and `.`"
            )));
        }
        let revision = revision.unwrap_or(NO_REVISION);
        if !good(revision) {
            return Err(Error::Mteb(format!(
                "{revision:?} is no revision; --mteb-revision takes letters, digits, `-`, `_` and `.`"
            )));
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// Writes a file for each task that MTEB has, and one for the model. Gives the folder.
    ///
    /// # Errors
    /// The evaluation has no such task, a correlation is not defined, or the folder cannot be written.
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

    /// All of MTEB's keys: its reader takes no others, and wants most of these. What is not known is null; memory is
    /// told, as MTEB does, for weights of four bytes.
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
            || Error::Mteb(format!("{metric}'s correlation on {task} is not defined: all cosines are equal"));
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

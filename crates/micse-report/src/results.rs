//! Reads `result.json` files into data frames: one row per score, then mean and standard deviation over seeds.

use std::collections::HashMap;
use std::path::Path;

use micse_files::RunFolder;
use micse_train::RunResult;
use polars::prelude::*;

use crate::provenance::Provenance;
use crate::scores::{Scores, SummaryRow};
use crate::{Failure, Grid, Result};

/// The finished cells of a sweep.
pub struct Results {
    /// Long form, one row per score: method, size, sentences, seed, steps, training seconds, pooling, dimension and
    /// truncation of embeddings, corpus, selected on, task, subset, metric, aggregation, value.
    pub long: DataFrame,
    /// Mean, standard deviation (n - 1), n, minimum and maximum over seeds of Spearman `all`, one row per (method,
    /// size, task). The task `Avg.` is the mean over tasks.
    pub summary: DataFrame,
    /// Methods in sweep order, untrained first.
    pub methods: Vec<Method>,
    /// Sizes in sweep order.
    pub sizes: Vec<String>,
    /// Tasks in evaluation order, with `Avg.` last.
    pub tasks: Vec<String>,
    /// The cells with a result, in sweep order.
    pub cells: Vec<FinishedCell>,
    /// All methods of the sweep, finished or not, in sweep order, and whether they train.
    pub(crate) planned: Vec<(String, bool)>,
    /// The cells without a result, in sweep order.
    pub holes: Vec<Hole>,
    /// Number of CPU kinds used for training; results are bit-for-bit reproducible only on one kind.
    pub processors: usize,
    /// The summary, by key.
    pub(crate) scores: Scores,
    /// Scores on the development pairs, under the task [`DEVELOPMENT`]; empty without development pairs.
    pub(crate) development: Scores,
    /// Accuracies on transfer tasks; empty if no cell was scored on any.
    pub(crate) transfer: Scores,
    /// Transfer tasks in evaluation order, with `Avg.` last; empty without transfer scores.
    pub(crate) transfer_tasks: Vec<String>,
}

/// A cell without a result.
pub struct Hole {
    /// The cell: method, size and seed.
    pub cell: String,
    /// Its folder, which may not exist.
    pub run: RunFolder,
    /// Why it failed; `None` if it has not finished yet.
    pub reason: Option<String>,
}

/// A cell with a result.
pub struct FinishedCell {
    /// Its folder.
    pub run: RunFolder,
    /// Its result.
    pub result: RunResult,
}

impl FinishedCell {
    /// Spearman's correlation times 100 over all pairs of a task, or the average for [`AVERAGE`]. `None` if the cell
    /// was not scored on the task, NaN if the correlation is undefined.
    pub fn score(&self, task: &str) -> Option<f64> {
        let scores = &self.result.scores;
        if task == AVERAGE {
            return Some(scores.average);
        }
        scores.tasks.get(task).map(|scores| scores.spearman.all)
    }
}

/// What the tables show of a method besides its scores.
pub struct Method {
    /// Its name.
    pub name: String,
    /// The encoder that it starts from, and to how many entries its embeddings are truncated, if they are; `none` for
    /// word vectors.
    pub encoder: String,
    /// Whether tables name its encoder: it is not the sweep's, or its embeddings are truncated.
    pub(crate) names_encoder: bool,
    /// The name of its own corpus; `None` if it trains on the sweep's, or not at all.
    pub(crate) own_corpus: Option<String>,
    /// Whether its recipe has other values than the built-in one.
    pub(crate) changed: bool,
    /// The training corpus.
    pub train_text: String,
    /// What selected the weights.
    pub selected_on: String,
    /// Mean training seconds over seeds, per size in sweep order; `None` without training.
    pub train_seconds: Vec<Option<f64>>,
}

/// Shown as the corpus of a method without a result.
pub(crate) const UNKNOWN: &str = "-";

/// The corpus of a method without training, and the encoder of word vectors.
pub(crate) const NONE: &str = "none";

/// The training-set size in comparisons of a sweep that trains nothing.
pub(crate) const NO_SIZE: &str = "";

/// The task name of the development pairs.
pub(crate) const DEVELOPMENT: &str = "dev";

/// The task name of the mean over tasks.
pub const AVERAGE: &str = "Avg.";

impl Results {
    /// Reads the results in a sweep folder; cells without a result become holes in the tables.
    ///
    /// # Errors
    /// A result cannot be read, or its cell is not comparable with the others.
    pub fn collect(folder: &Path, grid: &Grid) -> Result<Self> {
        let (mut cells, mut sizes, mut methods) = (Vec::new(), Vec::new(), Vec::<Method>::new());
        let mut holes = Vec::new();
        let mut runs: HashMap<(String, Option<String>), usize> = HashMap::new();
        let mut provenance = Provenance::default();
        let mut planned: Vec<(String, bool)> = Vec::new();
        for cell in &grid.cells {
            if let Some(size) = &cell.size {
                push_new(&mut sizes, size);
            }
            if planned.iter().all(|(name, _)| *name != cell.method) {
                planned.push((cell.method.clone(), cell.size.is_some()));
                methods.push(Method {
                    name: cell.method.clone(),
                    encoder: match (&cell.encoder, cell.vectors) {
                        (_, true) => NONE.into(),
                        (Some(own), _) => own.clone(),
                        (None, _) => grid.encoder().unwrap_or(UNKNOWN).to_owned(),
                    },
                    names_encoder: cell.encoder.is_some(),
                    own_corpus: cell.corpus.clone(),
                    changed: cell.changed,
                    train_text: UNKNOWN.into(),
                    selected_on: UNKNOWN.into(),
                    train_seconds: Vec::new(),
                });
            }
            *runs.entry((cell.method.clone(), cell.size.clone())).or_default() += 1;
            let run = RunFolder::new(folder.join(&cell.folder));
            if !run.is_finished() {
                let reason = Failure::load(&run)?.map(|failure| failure.reason);
                holes.push(Hole { cell: cell.to_string(), run, reason });
                continue;
            }
            let result = RunResult::load(&run)?;
            provenance.add(cell, &run)?;
            if let Some(method) = methods.iter_mut().find(|m| m.name == result.method) {
                method.train_text.clone_from(&result.train_text);
                method.selected_on.clone_from(&result.selected_on);
                let truncated = result.scores.truncate_dim.map(|n| format!(" (first {n} entries)"));
                if let Some(truncated) = truncated.filter(|t| !method.encoder.ends_with(t.as_str())) {
                    method.encoder.push_str(&truncated);
                    method.names_encoder = true;
                }
            }
            cells.push(FinishedCell { run, result });
        }
        tell_corpora_apart(&mut methods);
        for method in &mut methods {
            let seconds = |size: &String| {
                let of = |r: &&RunResult| {
                    r.method == method.name && r.size.as_ref() == Some(size) && r.train_seconds > 0.0
                };
                let runs = cells.iter().map(|cell| &cell.result).filter(of);
                let all: Vec<f64> = runs.map(|r| r.train_seconds).collect();
                (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
            };
            let of_sizes = sizes.iter().map(seconds).collect();
            method.train_seconds = of_sizes;
        }
        let mut tasks: Vec<String> = Vec::new();
        for cell in &cells {
            cell.result.scores.tasks.iter().for_each(|(name, _)| push_new(&mut tasks, name));
        }
        if tasks.len() > 1 {
            tasks.push(AVERAGE.into());
        }
        let long = long_form(&cells)?;
        let all = cells.iter().flat_map(|cell| {
            let r = &cell.result;
            let names = r.scores.tasks.iter().map(|(name, _)| name).chain([AVERAGE]);
            names
                .filter_map(move |task| Some((r.method.as_str(), r.size.as_deref(), task, cell.score(task)?)))
        });
        let scores = Scores::of(all, runs.clone());
        // Undefined scores count: a setting at which some runs collapse must not win by the runs that did not.
        let has_development = cells.iter().any(|cell| cell.result.scores.dev_spearman.is_some());
        let development = cells.iter().filter(|_| has_development).map(|cell| {
            let r = &cell.result;
            (r.method.as_str(), r.size.as_deref(), DEVELOPMENT, r.scores.dev_spearman.unwrap_or(f64::NAN))
        });
        let development = Scores::of(development, runs.clone());
        let (transfer, transfer_tasks) = transfer_scores(&cells, runs);
        let summary = scores.frame()?;
        Ok(Self {
            long,
            summary,
            methods,
            sizes,
            tasks,
            cells,
            planned,
            holes,
            processors: provenance.processors(),
            scores,
            development,
            transfer,
            transfer_tasks,
        })
    }

    /// The sizes at which rows are compared: those of the sweep, or [`NO_SIZE`] if none of its rows is trained.
    pub(crate) fn compared_sizes(&self) -> Vec<&str> {
        if self.sizes.is_empty() { vec![NO_SIZE] } else { self.sizes.iter().map(String::as_str).collect() }
    }

    /// The planned number of runs of a method at a size.
    pub(crate) fn runs(&self, method: &str, size: &str) -> usize {
        self.scores.planned_runs(method, size)
    }

    /// Mean and standard deviation over seeds, as in [`summary`](Self::summary).
    pub fn summary_rows(&self) -> Vec<SummaryRow> {
        self.scores.rows()
    }

    /// The task whose score summarizes a method: the average, or the only task; `None` without results.
    pub fn headline(&self) -> Option<&str> {
        self.tasks.last().map(String::as_str)
    }
}

/// Different corpora can have files of the same name: then a method's own corpus has the name that the sweep gave it.
fn tell_corpora_apart(methods: &mut [Method]) {
    let is_unclear = |method: &Method| {
        let unclear =
            |other: &&Method| other.train_text == method.train_text && other.own_corpus != method.own_corpus;
        method.train_text != UNKNOWN && methods.iter().any(|other| unclear(&other))
    };
    let named = |method: &Method| method.own_corpus.clone().filter(|_| is_unclear(method));
    let names: Vec<Option<String>> = methods.iter().map(named).collect();
    for (method, name) in methods.iter_mut().zip(names) {
        if let Some(name) = name {
            method.train_text = name;
        }
    }
}

/// Accuracies on transfer tasks over seeds, and the tasks in evaluation order.
fn transfer_scores(
    cells: &[FinishedCell],
    runs: HashMap<(String, Option<String>), usize>,
) -> (Scores, Vec<String>) {
    let mut tasks = Vec::new();
    let mut all = Vec::new();
    for result in cells.iter().map(|cell| &cell.result) {
        let Some(transfer) = &result.scores.transfer else { continue };
        let (method, size) = (result.method.as_str(), result.size.as_deref());
        for (name, task) in transfer.tasks.iter() {
            push_new(&mut tasks, name);
            all.push((method, size, name, task.accuracy));
        }
        all.push((method, size, AVERAGE, transfer.average));
    }
    if !tasks.is_empty() {
        tasks.push(AVERAGE.to_owned());
    }
    (Scores::of(all.into_iter(), runs), tasks)
}

fn push_new(list: &mut Vec<String>, name: &str) {
    if list.iter().all(|known| known != name) {
        list.push(name.to_owned());
    }
}

/// One score: task, subset, metric, aggregation, value.
type Score<'a> = (&'a str, Option<&'a str>, &'a str, Option<&'a str>, f64);

fn scores(result: &RunResult) -> Vec<Score<'_>> {
    let mut rows: Vec<Score<'_>> = Vec::new();
    for (task, scores) in result.scores.tasks.iter() {
        for (metric, aggregates) in [("spearman", &scores.spearman), ("pearson", &scores.pearson)] {
            for (how, value) in
                [("all", aggregates.all), ("mean", aggregates.mean), ("wmean", aggregates.wmean)]
            {
                rows.push((task, None, metric, Some(how), value));
            }
        }
        for (subset, scores) in scores.subsets.iter() {
            rows.push((task, Some(subset), "spearman", None, scores.spearman));
            rows.push((task, Some(subset), "pearson", None, scores.pearson));
        }
    }
    rows.push((AVERAGE, None, "spearman", Some("all"), result.scores.average));
    for (metric, value) in [
        ("spearman", result.scores.dev_spearman),
        ("alignment", result.scores.alignment),
        ("uniformity", result.scores.uniformity),
    ] {
        rows.extend(value.map(|value| ("dev", None, metric, None, value)));
    }
    if let Some(transfer) = &result.scores.transfer {
        for (task, scores) in transfer.tasks.iter() {
            rows.push((task, None, "accuracy", None, scores.accuracy));
            rows.push((task, None, "dev_accuracy", None, scores.dev_accuracy));
            rows.extend(scores.f1.map(|f1| (task, None, "f1", None, f1)));
        }
        rows.push((AVERAGE, None, "accuracy", None, transfer.average));
    }
    rows
}

fn long_form(cells: &[FinishedCell]) -> Result<DataFrame> {
    let results = cells.iter().map(|cell| &cell.result);
    let rows: Vec<(&RunResult, Score<'_>)> =
        results.flat_map(|r| scores(r).into_iter().map(move |score| (r, score))).collect();
    let text = |f: &dyn Fn(&(&RunResult, Score<'_>)) -> String| rows.iter().map(f).collect::<Vec<_>>();
    let optional =
        |f: &dyn Fn(&(&RunResult, Score<'_>)) -> Option<String>| rows.iter().map(f).collect::<Vec<_>>();
    let entries = |f: &dyn Fn(&RunResult) -> Option<usize>| {
        rows.iter().map(|(r, _)| f(r).map(|n| n as u64)).collect::<Vec<_>>()
    };
    Ok(df!(
        "method" => text(&|(r, _)| r.method.clone()),
        "size" => optional(&|(r, _)| r.size.clone()),
        "sentences" => rows.iter().map(|(r, _)| r.sentences as u64).collect::<Vec<_>>(),
        "seed" => rows.iter().map(|(r, _)| r.seed).collect::<Vec<_>>(),
        "steps" => rows.iter().map(|(r, _)| r.steps as u64).collect::<Vec<_>>(),
        "train_seconds" => rows.iter().map(|(r, _)| r.train_seconds).collect::<Vec<_>>(),
        "pooling" => text(&|(r, _)| r.pooling.to_string()),
        "dimension" => entries(&|r| r.scores.dimension),
        "truncate_dim" => entries(&|r| r.scores.truncate_dim),
        "train_text" => text(&|(r, _)| r.train_text.clone()),
        "selected_on" => text(&|(r, _)| r.selected_on.clone()),
        "task" => text(&|(_, s)| s.0.to_owned()),
        "subset" => optional(&|(_, s)| s.1.map(str::to_owned)),
        "metric" => text(&|(_, s)| s.2.to_owned()),
        "aggregation" => optional(&|(_, s)| s.3.map(str::to_owned)),
        "value" => rows.iter().map(|(_, s)| s.4).collect::<Vec<_>>(),
    )?)
}

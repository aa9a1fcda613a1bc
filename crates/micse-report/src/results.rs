//! From `result.json` files to data frames: one row a score, then mean and deviation over seeds.

use std::collections::HashMap;
use std::path::Path;

use micse_files::RunFolder;
use micse_train::RunResult;
use polars::prelude::*;

use crate::provenance::Provenance;
use crate::scores::Scores;
use crate::{Failure, Grid, Result};

/// The finished cells of a sweep.
pub struct Results {
    /// Long form, a row a score: method, size, sentences, seed, steps, seconds of training, pooling, train text,
    /// selected on, task, subset, metric, aggregation, value.
    pub long: DataFrame,
    /// Mean, standard deviation (n - 1), n, least and largest over seeds of Spearman `all`, a row a (method, size,
    /// task); the task `Avg.` is the mean of the tasks.
    pub summary: DataFrame,
    /// Methods in the order of the sweep, untrained first.
    pub methods: Vec<Method>,
    /// Sizes in the order of the sweep.
    pub sizes: Vec<String>,
    /// Tasks in the evaluation's order, with `Avg.` last.
    pub tasks: Vec<String>,
    /// The cells that have a result, in the order of the sweep.
    pub cells: Vec<FinishedCell>,
    /// Methods that the sweep has, finished or not, in its order, and whether they train.
    pub(crate) planned: Vec<(String, bool)>,
    /// The cells without a result, in the order of the sweep.
    pub holes: Vec<Hole>,
    /// Kinds of processors that trained; results of one kind repeat to the bit.
    pub processors: usize,
    /// The summary, by its keys.
    pub(crate) scores: Scores,
    /// The same of the development pairs, under the task [`DEVELOPMENT`]; empty where there are none.
    pub(crate) development: Scores,
}

/// A cell that has no result.
pub struct Hole {
    /// The cell: method, size and seed.
    pub cell: String,
    /// Its folder, which may not exist.
    pub run: RunFolder,
    /// Why it failed; none if it was not run to its end yet.
    pub reason: Option<String>,
}

/// A cell that has a result.
pub struct FinishedCell {
    /// Its folder.
    pub run: RunFolder,
    /// Its result.
    pub result: RunResult,
}

impl FinishedCell {
    /// Spearman's correlation, times 100, over all pairs of a task, or the average for [`AVERAGE`]; none if the cell was
    /// not scored on the task, NaN if its correlation is not defined.
    pub fn score(&self, task: &str) -> Option<f64> {
        let scores = &self.result.scores;
        if task == AVERAGE {
            return Some(scores.average);
        }
        scores.tasks.get(task).map(|scores| scores.spearman.all)
    }
}

/// What the tables say of a method beside its scores.
pub struct Method {
    /// Its name.
    pub name: String,
    /// The text that training saw.
    pub train_text: String,
    /// What chose the weights.
    pub selected_on: String,
    /// Mean seconds of training over seeds, for each size in the sweep's order; none without training.
    pub train_seconds: Vec<Option<f64>>,
}

/// What stands for the train text of a method that has no result yet.
pub(crate) const UNKNOWN: &str = "-";

/// The name of the development pairs among tasks.
pub(crate) const DEVELOPMENT: &str = "dev";

/// The name of the mean over tasks.
pub const AVERAGE: &str = "Avg.";

impl Results {
    /// Reads the results that stand in a sweep's folder; cells without one are holes in the tables.
    ///
    /// # Errors
    /// A result cannot be read.
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
            }
            cells.push(FinishedCell { run, result });
        }
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
        // A score that is not defined counts: a value at which runs collapse is not the best by those that did not.
        let has_development = cells.iter().any(|cell| cell.result.scores.dev_spearman.is_some());
        let development = cells.iter().filter(|_| has_development).map(|cell| {
            let r = &cell.result;
            (r.method.as_str(), r.size.as_deref(), DEVELOPMENT, r.scores.dev_spearman.unwrap_or(f64::NAN))
        });
        let development = Scores::of(development, runs);
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
        })
    }

    /// How many runs a method was to have at a size.
    pub(crate) fn runs(&self, method: &str, size: &str) -> usize {
        self.scores.planned_runs(method, size)
    }

    /// The score that stands for a method in one figure: the average, or the one task that there is; none without
    /// results.
    pub fn headline(&self) -> Option<&str> {
        self.tasks.last().map(String::as_str)
    }
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
    rows
}

fn long_form(cells: &[FinishedCell]) -> Result<DataFrame> {
    let results = cells.iter().map(|cell| &cell.result);
    let rows: Vec<(&RunResult, Score<'_>)> =
        results.flat_map(|r| scores(r).into_iter().map(move |score| (r, score))).collect();
    let text = |f: &dyn Fn(&(&RunResult, Score<'_>)) -> String| rows.iter().map(f).collect::<Vec<_>>();
    let optional =
        |f: &dyn Fn(&(&RunResult, Score<'_>)) -> Option<String>| rows.iter().map(f).collect::<Vec<_>>();
    Ok(df!(
        "method" => text(&|(r, _)| r.method.clone()),
        "size" => optional(&|(r, _)| r.size.clone()),
        "sentences" => rows.iter().map(|(r, _)| r.sentences as u64).collect::<Vec<_>>(),
        "seed" => rows.iter().map(|(r, _)| r.seed).collect::<Vec<_>>(),
        "steps" => rows.iter().map(|(r, _)| r.steps as u64).collect::<Vec<_>>(),
        "train_seconds" => rows.iter().map(|(r, _)| r.train_seconds).collect::<Vec<_>>(),
        "pooling" => text(&|(r, _)| r.pooling.to_string()),
        "train_text" => text(&|(r, _)| r.train_text.clone()),
        "selected_on" => text(&|(r, _)| r.selected_on.clone()),
        "task" => text(&|(_, s)| s.0.to_owned()),
        "subset" => optional(&|(_, s)| s.1.map(str::to_owned)),
        "metric" => text(&|(_, s)| s.2.to_owned()),
        "aggregation" => optional(&|(_, s)| s.3.map(str::to_owned)),
        "value" => rows.iter().map(|(_, s)| s.4).collect::<Vec<_>>(),
    )?)
}

//! Mean and standard deviation over seeds, per method, size and task.

use std::collections::HashMap;

use micse_stats::Summary;
use polars::prelude::*;
use serde::Serialize;

use crate::Result;

/// Scores of a method at a size on a task, over seeds: Spearman's correlation times 100.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SummaryRow {
    /// The method.
    pub method: String,
    /// The requested training-set size; `None` without training.
    pub size: Option<String>,
    /// The task; `Avg.` is the mean of the tasks.
    pub task: String,
    /// The mean over seeds; NaN (`null` in JSON) if a score is not defined.
    pub mean: f64,
    /// The sample standard deviation; `None` for one seed.
    pub std: Option<f64>,
    /// Number of seeds.
    pub n: usize,
    /// The lowest score.
    pub min: f64,
    /// The highest score.
    pub max: f64,
}

/// Method, size (`None` without training), task.
type Key = (String, Option<String>, String);

/// Summaries over seeds, in sweep order.
pub(crate) struct Scores {
    rows: Vec<(Key, Summary)>,
    places: HashMap<Key, usize>,
    /// The planned number of runs per method and size.
    planned: HashMap<(String, Option<String>), usize>,
}

impl Scores {
    /// Summarizes single scores: method, size, task, Spearman's correlation times 100.
    pub(crate) fn of<'a>(
        values: impl Iterator<Item = (&'a str, Option<&'a str>, &'a str, f64)>,
        planned: HashMap<(String, Option<String>), usize>,
    ) -> Self {
        let mut groups: Vec<(Key, Vec<f64>)> = Vec::new();
        let mut places = HashMap::new();
        for (method, size, task, value) in values {
            let key = (method.to_owned(), size.map(str::to_owned), task.to_owned());
            let place = *places.entry(key.clone()).or_insert(groups.len());
            if place == groups.len() {
                groups.push((key, Vec::new()));
            }
            groups[place].1.push(value);
        }
        // No group is empty, so every group keeps its index.
        let rows =
            groups.into_iter().filter_map(|(key, values)| Some((key, Summary::of(&values)?))).collect();
        Self { rows, places, planned }
    }

    /// Whether it has no scores.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The summary at this size; a method without training has the same at every size.
    pub(crate) fn get(&self, method: &str, size: &str, task: &str) -> Option<&Summary> {
        let of = |size: Option<&str>| {
            let key = (method.to_owned(), size.map(str::to_owned), task.to_owned());
            self.places.get(&key).map(|&place| &self.rows[place].1)
        };
        of(None).or_else(|| of(Some(size)))
    }

    /// `61.23±0.45`; `61.23` with one run; `-` without runs. If runs are missing, their number is appended:
    /// `61.23±0.45 (n=2)`.
    pub(crate) fn cell(&self, method: &str, size: &str, task: &str) -> String {
        let Some(summary) = self.get(method, size, task) else { return "-".into() };
        let planned = self.planned.get(&(method.to_owned(), Some(size.to_owned())));
        if planned.is_some_and(|&planned| summary.n < planned) {
            return format!("{} (n={})", mean_and_std(summary), summary.n);
        }
        mean_and_std(summary)
    }

    /// The planned number of runs of a method at a size.
    pub(crate) fn planned_runs(&self, method: &str, size: &str) -> usize {
        self.planned.get(&(method.to_owned(), Some(size.to_owned()))).copied().unwrap_or(0)
    }

    /// The number of runs per table cell: `5`, or `3 to 5`.
    pub(crate) fn runs(&self, size: Option<&str>) -> String {
        let trained =
            self.rows.iter().filter(|((_, s, _), _)| s.is_some() && (size.is_none() || s.as_deref() == size));
        let counts: Vec<usize> = trained.map(|(_, summary)| summary.n).collect();
        match (counts.iter().min(), counts.iter().max()) {
            (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
            (Some(n), _) => n.to_string(),
            _ => "0".into(),
        }
    }

    /// One row per method, size and task.
    pub(crate) fn rows(&self) -> Vec<SummaryRow> {
        let row = |((method, size, task), s): &(Key, Summary)| SummaryRow {
            method: method.clone(),
            size: size.clone(),
            task: task.clone(),
            mean: s.mean,
            std: s.std,
            n: s.n,
            min: s.min,
            max: s.max,
        };
        self.rows.iter().map(row).collect()
    }

    /// The same as a data frame.
    pub(crate) fn frame(&self) -> Result<DataFrame> {
        let keys = |of: &dyn Fn(&Key) -> String| self.rows.iter().map(|(key, _)| of(key)).collect::<Vec<_>>();
        let values = |of: &dyn Fn(&Summary) -> f64| self.rows.iter().map(|(_, s)| of(s)).collect::<Vec<_>>();
        Ok(df!(
            "method" => keys(&|key| key.0.clone()),
            "size" => self.rows.iter().map(|(key, _)| key.1.clone()).collect::<Vec<_>>(),
            "task" => keys(&|key| key.2.clone()),
            "mean" => values(&|s| s.mean),
            "std" => self.rows.iter().map(|(_, s)| s.std).collect::<Vec<_>>(),
            "n" => self.rows.iter().map(|(_, s)| s.n as u32).collect::<Vec<_>>(),
            "min" => values(&|s| s.min),
            "max" => values(&|s| s.max),
        )?)
    }
}

/// `61.23±0.45`; `61.23` with one run.
pub(crate) fn mean_and_std(summary: &Summary) -> String {
    match summary.std {
        _ if summary.mean.is_nan() => "undefined".into(),
        Some(std) => format!("{:.2}±{std:.2}", summary.mean),
        None => format!("{:.2}", summary.mean),
    }
}

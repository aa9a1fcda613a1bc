//! The report's input: the cells of a sweep with their results, manifests and metrics.

use std::path::Path;
use std::time::SystemTime;

use micse_stats::Summary;
use micse_train::RunResult;
use micse_train::run::Metrics;

use crate::axes::reference_row;
use crate::chart::look::Looks;
use crate::comparison::over_seeds;
use crate::{AVERAGE, Comparison, Comparisons, Error, FinishedCell, Grid, GridCell, Hole, Result, Results};

/// The current state of a sweep.
pub(crate) struct Sweep {
    pub(crate) grid: Grid,
    pub(crate) results: Results,
    pub(crate) comparisons: Option<Comparisons>,
    /// The finished cells, in sweep order.
    pub(crate) runs: Vec<Run>,
    /// Methods with training and at least one result, in sweep order.
    pub(crate) methods: Vec<String>,
    /// Rows without training, with their scores.
    pub(crate) untrained: Vec<(String, f64)>,
    /// Sizes with at least one result, in ascending order.
    pub(crate) sizes: Vec<Size>,
    pub(crate) looks: Looks,
    /// What the headline score is: `Spearman × 100, average of 7 tasks`.
    pub(crate) score: String,
}

/// A training-set size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// As requested: `0.1%`, `1000`.
    pub(crate) name: String,
    pub(crate) sentences: usize,
}

/// A finished cell.
pub(crate) struct Run {
    pub(crate) result: RunResult,
    pub(crate) manifest: toml::Table,
    pub(crate) metrics: Vec<Metrics>,
    pub(crate) finished: SystemTime,
}

impl Size {
    /// `1,000 sentences`; `10% (1,000 sentences)` if the size was requested as a share.
    pub(crate) fn words(&self) -> String {
        let count = thousands(self.sentences);
        if self.name == self.sentences.to_string() {
            format!("{count} sentences")
        } else {
            format!("{} ({count} sentences)", self.name)
        }
    }
}

/// `1,234,567`.
pub(crate) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn push_new(list: &mut Vec<String>, name: &str) {
    if list.iter().all(|known| known != name) {
        list.push(name.to_owned());
    }
}

impl Sweep {
    pub(crate) fn load(folder: &Path, baseline: Option<&str>) -> Result<Self> {
        let grid = Grid::load(folder)?;
        let results = Results::collect(folder, &grid)?;
        let comparisons = Comparisons::new(&results, baseline)?;
        let runs = results.cells.iter().map(Run::load).collect::<Result<Vec<_>>>()?;
        let (mut methods, mut untrained, mut sizes) = (Vec::new(), Vec::new(), Vec::<Size>::new());
        for run in &runs {
            let result = &run.result;
            match &result.size {
                None => untrained.push((result.method.clone(), run.score())),
                Some(name) => {
                    push_new(&mut methods, &result.method);
                    if sizes.iter().all(|s| s.name != *name) {
                        sizes.push(Size { name: name.clone(), sentences: result.sentences });
                    }
                }
            }
        }
        // Methods with their own corpus have other numbers of sentences at the same share.
        for size in &mut sizes {
            let own = |cell: &&GridCell| cell.corpus.is_none() && cell.size.as_ref() == Some(&size.name);
            let methods: Vec<&str> = grid.cells.iter().filter(own).map(|cell| cell.method.as_str()).collect();
            let of_sweep = runs.iter().map(|run| &run.result).find(|result| {
                result.size.as_ref() == Some(&size.name) && methods.contains(&result.method.as_str())
            });
            size.sentences = of_sweep.map_or(size.sentences, |result| result.sentences);
        }
        sizes.sort_by_key(|s| s.sentences);
        let score = match results.headline() {
            Some(AVERAGE) => format!("Spearman × 100, average of {} tasks", results.tasks.len() - 1),
            Some(task) => format!("Spearman × 100 on {task}"),
            None => "Spearman × 100".into(),
        };
        let looks = Looks::default();
        let mut sweep = Self { grid, results, comparisons, runs, methods, untrained, sizes, looks, score };
        sweep.looks = Looks::assign(&sweep.methods, &sweep.best_first());
        Ok(sweep)
    }

    /// Whether any row is trained, finished or not.
    pub(crate) fn trains(&self) -> bool {
        !self.results.sizes.is_empty()
    }

    /// What all rows are compared with, in words.
    pub(crate) fn baseline(&self) -> Option<String> {
        self.comparisons.as_ref().map(Comparisons::baseline_words)
    }

    /// The row that a method is compared with.
    pub(crate) fn baseline_row(&self, method: &str) -> Option<&str> {
        let names = self.results.planned.iter().map(|(name, _)| name.as_str());
        reference_row(names, &self.comparisons.as_ref()?.baseline, method)
    }

    /// Whether a row is the baseline, or the baseline at a point of the axes.
    pub(crate) fn is_baseline(&self, row: &str) -> bool {
        self.comparisons.as_ref().is_some_and(|c| c.is_baseline(row))
    }

    /// A method's headline score compared with the baseline's.
    pub(crate) fn against_baseline(&self, method: &str, size: &str) -> Option<&Comparison> {
        self.comparisons.as_ref()?.get(method, size, self.results.headline()?)
    }

    /// Methods by their best mean at any size, highest first.
    fn best_first(&self) -> Vec<String> {
        let best = |method: &String| {
            let means = self.sizes.iter().filter_map(|s| self.summary(method, &s.name)).map(|s| s.mean);
            means.filter(|mean| mean.is_finite()).fold(f64::NEG_INFINITY, f64::max)
        };
        let mut order: Vec<(f64, String)> = self.methods.iter().map(|m| (best(m), m.clone())).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order.into_iter().map(|(_, method)| method).collect()
    }

    /// The finished runs of a method at a size.
    pub(crate) fn runs_of<'a>(&'a self, method: &'a str, size: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |r| r.result.method == method && r.result.size.as_deref() == Some(size))
    }

    /// Mean and standard deviation of the headline score over seeds.
    pub(crate) fn summary(&self, method: &str, size: &str) -> Option<Summary> {
        let values: Vec<f64> = self.runs_of(method, size).map(Run::score).collect();
        Summary::of(&values)
    }

    /// A method's headline score compared with another's, over their common seeds.
    pub(crate) fn difference(&self, method: &str, other: &str, size: &str) -> Result<Option<Comparison>> {
        let Some(headline) = self.results.headline() else { return Ok(None) };
        over_seeds(&self.results, method, other, size, headline)
    }

    /// Distinct values of the finished runs, in run order.
    pub(crate) fn distinct(&self, of: impl Fn(&Run) -> Option<String>) -> Vec<String> {
        let mut values = Vec::new();
        self.runs.iter().filter_map(of).for_each(|value| push_new(&mut values, &value));
        values
    }
}

impl Run {
    fn load(cell: &FinishedCell) -> Result<Self> {
        let (manifest, finished) = (cell.run.manifest(), cell.run.result());
        let text = std::fs::read_to_string(&manifest).map_err(|e| Error::file(&manifest, e))?;
        let time = std::fs::metadata(&finished).and_then(|m| m.modified());
        Ok(Self {
            result: cell.result.clone(),
            manifest: text
                .parse()
                .map_err(|e| Error::file(&manifest, format!("not a valid run description ({e})")))?,
            metrics: Metrics::load(&cell.run)?,
            finished: time.map_err(|e| Error::file(&finished, e))?,
        })
    }

    /// The headline score.
    pub(crate) fn score(&self) -> f64 {
        self.result.scores.average
    }

    /// The manifest value under a path of keys, as text.
    pub(crate) fn fact(&self, path: &[&str]) -> Option<String> {
        let mut value = self.manifest.get(*path.first()?)?;
        for key in &path[1..] {
            value = value.get(key)?;
        }
        Some(match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(entries) => {
                let entries = entries.iter().map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned));
                entries.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        })
    }
}

/// Why a cell has no result, or how far it came.
pub(super) fn state(hole: &Hole) -> Result<String> {
    if let Some(reason) = &hole.reason {
        return Ok(format!("failed: {reason}"));
    }
    if let Some(step) = Metrics::last_step(&hole.run)? {
        return Ok(format!("no result yet; its metrics reach step {step}"));
    }
    Ok(if hole.run.is_begun() { "started, no result yet" } else { "not started" }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_in_words() {
        assert_eq!([5, 1000, 1_234_567].map(thousands), ["5", "1,000", "1,234,567"]);
        let size = |name: &str, sentences| Size { name: name.into(), sentences }.words();
        assert_eq!(size("1000", 1000), "1,000 sentences");
        assert_eq!(size("10%", 10_000), "10% (10,000 sentences)");
    }
}

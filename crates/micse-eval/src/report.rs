//! An evaluation as a readable table, and as CSV for programs.

use comfy_table::{CellAlignment, Table, presets};

use crate::evaluation::{Aggregates, Evaluation, TaskScores};
use crate::{Result, TransferScores, TransferTaskScores};

/// The name of a correlation, and its aggregates for a task.
type Metric = (&'static str, fn(&TaskScores) -> Aggregates);
/// The name of an aggregation, and its value.
type Aggregation = (&'static str, fn(Aggregates) -> f64);

const METRICS: [Metric; 2] = [("spearman", |task| task.spearman), ("pearson", |task| task.pearson)];
const AGGREGATIONS: [Aggregation; 3] =
    [("all", |scores| scores.all), ("mean", |scores| scores.mean), ("wmean", |scores| scores.wmean)];

impl Evaluation {
    /// The tables of STS and of transfer tasks, as far as they were scored. The STS table has one row per correlation
    /// and aggregation, and the tasks, their average, alignment and uniformity as columns. Its first row, Spearman over
    /// all pairs, is the one that the field reports. The transfer table has accuracies, and F1 for tasks of pairs.
    pub fn to_table(&self) -> String {
        let sts = (!self.tasks.is_empty()).then(|| self.sts_table());
        let transfer = self.transfer.as_ref().map(|scores| scores.to_table(self.truncation()));
        sts.into_iter().chain(transfer).collect::<Vec<_>>().join("\n")
    }

    /// What distinguishes the scores of truncated embeddings from those of the whole ones.
    fn truncation(&self) -> Option<String> {
        self.truncate_dim.map(|entries| format!("first {entries} entries"))
    }

    fn sts_table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        let names = self.tasks.iter().map(|(name, _)| name);
        let first = self.truncation().unwrap_or_default();
        let columns = ["average", "alignment", "uniformity"];
        table.set_header([first.as_str()].into_iter().chain(names).chain(columns));
        // Alignment and uniformity appear in the first row only, because they belong to no correlation.
        let mut geometry = vec![two_decimals(self.alignment), two_decimals(self.uniformity)];
        for (metric, scores) in METRICS {
            for (aggregation, figure) in AGGREGATIONS {
                let values: Vec<f64> = self.tasks.iter().map(|(_, task)| figure(scores(task))).collect();
                let average = values.iter().sum::<f64>() / values.len() as f64;
                let mut line = vec![format!("{metric}, {aggregation}")];
                line.extend(values.iter().chain([&average]).map(|&value| two_decimals(Some(value))));
                line.append(&mut geometry);
                table.add_row(line);
            }
        }
        right_aligned(table)
    }

    /// Every value as a line `task,subset,metric,aggregation,value,pairs`, after a header line.
    ///
    /// Lines for subsets have no aggregation, lines for tasks no subset; the average, alignment and uniformity
    /// have no task, nor have the embeddings' `dimension` and, if they were truncated, `truncate_dim`. An undefined value
    /// is empty. Transfer tasks have the metrics `accuracy`, `dev_accuracy` and
    /// `f1`, and the number of tested examples as `pairs`.
    ///
    /// # Errors
    /// None are expected, because the text is written to memory.
    pub fn to_csv(&self) -> Result<String> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["task", "subset", "metric", "aggregation", "value", "pairs"])?;
        let mut add = |names: [&str; 4], value: Option<f64>, pairs: Option<usize>| {
            let value = value.filter(|value| value.is_finite()).map_or_else(String::new, |v| v.to_string());
            let pairs = pairs.map_or_else(String::new, |pairs| pairs.to_string());
            table.write_record(names.into_iter().chain([value.as_str(), pairs.as_str()]))
        };
        for (name, task) in self.tasks.iter() {
            for (metric, scores) in METRICS {
                for (aggregation, figure) in AGGREGATIONS {
                    add([name, "", metric, aggregation], Some(figure(scores(task))), Some(task.pairs))?;
                }
            }
            for (subset, scores) in task.subsets.iter() {
                for (metric, value) in [("spearman", scores.spearman), ("pearson", scores.pearson)] {
                    add([name, subset, metric, ""], Some(value), Some(scores.pairs))?;
                }
            }
        }
        let pairs = self.tasks.iter().map(|(_, task)| task.pairs).sum();
        if !self.tasks.is_empty() {
            add(["", "", "spearman", "average"], Some(self.average), Some(pairs))?;
        }
        add(["", "", "alignment", ""], self.alignment, None)?;
        add(["", "", "uniformity", ""], self.uniformity, None)?;
        for (name, entries) in [("dimension", self.dimension), ("truncate_dim", self.truncate_dim)] {
            if let Some(entries) = entries {
                add(["", "", name, ""], Some(entries as f64), None)?;
            }
        }
        if let Some(transfer) = &self.transfer {
            for (name, task) in transfer.tasks.iter() {
                add([name, "", "accuracy", ""], Some(task.accuracy), Some(task.tested))?;
                add([name, "", "dev_accuracy", ""], Some(task.dev_accuracy), None)?;
                if task.f1.is_some() {
                    add([name, "", "f1", ""], task.f1, Some(task.tested))?;
                }
            }
            add(["", "", "accuracy", "average"], Some(transfer.average), None)?;
            add(["", "", "dev_accuracy", "average"], Some(transfer.dev_average), None)?;
        }
        let bytes = table.into_inner().map_err(|e| csv::Error::from(e.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl TransferScores {
    /// A table with the tasks and their average as columns. `truncation` describes truncated embeddings.
    fn to_table(&self, truncation: Option<String>) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        let names = self.tasks.iter().map(|(name, _)| name);
        let first = ["transfer".to_owned()].into_iter().chain(truncation).collect::<Vec<_>>().join(", ");
        table.set_header([first.as_str()].into_iter().chain(names).chain(["average"]));
        let mut add = |name: &str, of: fn(&TransferTaskScores) -> Option<f64>, average: Option<f64>| {
            let values = self.tasks.iter().map(|(_, task)| of(task)).chain([average]);
            table.add_row([name.to_owned()].into_iter().chain(values.map(two_decimals)));
        };
        add("accuracy", |task| Some(task.accuracy), Some(self.average));
        add("dev accuracy", |task| Some(task.dev_accuracy), Some(self.dev_average));
        if self.tasks.iter().any(|(_, task)| task.f1.is_some()) {
            add("F1", |task| task.f1, None);
        }
        right_aligned(table)
    }
}

/// The table with its numbers aligned to the right.
fn right_aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// A number with two decimals; a dash if it is absent or undefined.
fn two_decimals(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.2}"),
        _ => "-".to_owned(),
    }
}

//! An evaluation as a table for people and as CSV for programs.

use comfy_table::{CellAlignment, Table, presets};

use crate::Result;
use crate::evaluation::{Aggregates, Evaluation, TaskScores};

/// A correlation's name and its figures of a task.
type Metric = (&'static str, fn(&TaskScores) -> Aggregates);
/// An aggregation's name and its figure.
type Aggregation = (&'static str, fn(Aggregates) -> f64);

const METRICS: [Metric; 2] = [("spearman", |task| task.spearman), ("pearson", |task| task.pearson)];
const AGGREGATIONS: [Aggregation; 3] =
    [("all", |scores| scores.all), ("mean", |scores| scores.mean), ("wmean", |scores| scores.wmean)];

impl Evaluation {
    /// A table with a line for each correlation and aggregation, and the tasks, their average, alignment and
    /// uniformity as columns. The first line (Spearman over all pairs) is the field's.
    pub fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        let names = self.tasks.iter().map(|(name, _)| name);
        table.set_header([""].into_iter().chain(names).chain(["average", "alignment", "uniformity"]));
        // Only the first line is followed by alignment and uniformity: they belong to no correlation.
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
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    /// Every figure as a line `task,subset,metric,aggregation,value,pairs` after a header line.
    ///
    /// A line of a subset has no aggregation, a line of a task no subset; the average, alignment and
    /// uniformity have no task. A value that is not defined is empty.
    ///
    /// # Errors
    /// None is known: the text is written to memory.
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
        add(["", "", "spearman", "average"], Some(self.average), Some(pairs))?;
        add(["", "", "alignment", ""], self.alignment, None)?;
        add(["", "", "uniformity", ""], self.uniformity, None)?;
        let bytes = table.into_inner().map_err(|e| csv::Error::from(e.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A number for people; a dash where there is none.
fn two_decimals(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.2}"),
        _ => "-".to_owned(),
    }
}

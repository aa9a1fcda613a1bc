//! An evaluation as a table for people and as CSV for programs.

use comfy_table::{CellAlignment, Table, presets};

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
    pub fn to_csv(&self) -> String {
        let mut lines = vec!["task,subset,metric,aggregation,value,pairs".to_owned()];
        let mut add =
            |task: &str, subset: &str, metric: &str, of: &str, value: Option<f64>, pairs: String| {
                let value =
                    value.filter(|value| value.is_finite()).map_or_else(String::new, |v| v.to_string());
                lines.push(
                    [&field(task), &field(subset), metric, of, &value, &pairs].map(|s| s as &str).join(","),
                );
            };
        for (name, task) in self.tasks.iter() {
            for (metric, scores) in METRICS {
                for (aggregation, figure) in AGGREGATIONS {
                    add(name, "", metric, aggregation, Some(figure(scores(task))), task.pairs.to_string());
                }
            }
            for (subset, scores) in task.subsets.iter() {
                for (metric, value) in [("spearman", scores.spearman), ("pearson", scores.pearson)] {
                    add(name, subset, metric, "", Some(value), scores.pairs.to_string());
                }
            }
        }
        let pairs: usize = self.tasks.iter().map(|(_, task)| task.pairs).sum();
        add("", "", "spearman", "average", Some(self.average), pairs.to_string());
        add("", "", "alignment", "", self.alignment, String::new());
        add("", "", "uniformity", "", self.uniformity, String::new());
        lines.join("\n") + "\n"
    }
}

/// A number for people; a dash where there is none.
fn two_decimals(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.2}"),
        _ => "-".to_owned(),
    }
}

/// A CSV field (RFC 4180): in quotes if it holds a comma, a quote or a line end.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

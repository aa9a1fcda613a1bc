//! Tables in the paper's layout: methods by sizes (its Table 2), methods by tasks (its Table 1), as text,
//! Markdown, CSV and parquet.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use micse_model::files::write_whole;
use polars::prelude::*;

use crate::Result;
use crate::results::Results;
use crate::sheets::{by_size, by_task, effect_of_ami};

/// A table before it is text or Markdown.
pub struct Sheet {
    /// One line above it.
    pub title: String,
    /// The columns' names.
    pub header: Vec<String>,
    /// The rows, each as long as the header.
    pub rows: Vec<Vec<String>>,
}

/// Writes every form into the sweep's folder and prints the text.
///
/// # Errors
/// A file cannot be written.
pub fn write_tables(out: &Path, results: &Results, settings: &str) -> Result<()> {
    let scores = Scores::new(&results.summary)?;
    let mut sheets = vec![by_size(results, &scores)];
    if results.tasks.len() > 1 {
        sheets.extend(results.sizes.iter().map(|size| by_task(results, &scores, size)));
    }
    sheets.extend(effect_of_ami(results, &scores));
    let text: String = sheets.iter().map(Sheet::text).chain([format!("{settings}\n")]).collect();
    let markdown: String = sheets.iter().map(Sheet::markdown).chain([format!("{settings}\n")]).collect();
    println!("{text}");
    write_whole(&out.join("tables.txt"), text.as_bytes())?;
    write_whole(&out.join("tables.md"), markdown.as_bytes())?;
    for (name, frame) in [("results", &results.long), ("summary", &results.summary)] {
        let (mut csv, mut parquet) = (Vec::new(), Vec::new());
        CsvWriter::new(&mut csv).finish(&mut frame.clone())?;
        let writer = ParquetWriter::new(&mut parquet).with_compression(ParquetCompression::Uncompressed);
        writer.finish(&mut frame.clone())?;
        write_whole(&out.join(format!("{name}.csv")), &csv)?;
        write_whole(&out.join(format!("{name}.parquet")), &parquet)?;
    }
    println!("tables.txt, tables.md, summary and results (csv, parquet) are in {}", out.display());
    Ok(())
}

/// Method, size (none without training), task.
type Key = (String, Option<String>, String);

/// Mean, deviation and n.
pub(crate) struct Scores(HashMap<Key, (f64, Option<f64>, u32)>);

impl Scores {
    fn new(summary: &DataFrame) -> Result<Self> {
        let (method, size, task) = (
            summary.column("method")?.str()?,
            summary.column("size")?.str()?,
            summary.column("task")?.str()?,
        );
        let (mean, std) = (summary.column("mean")?.f64()?, summary.column("std")?.f64()?);
        let n = summary.column("n")?.cast(&DataType::UInt32)?;
        let n = n.u32()?;
        let mut scores = HashMap::new();
        for row in 0..summary.height() {
            let (Some(method), Some(task), Some(mean)) = (method.get(row), task.get(row), mean.get(row))
            else {
                continue;
            };
            let key = (method.to_owned(), size.get(row).map(str::to_owned), task.to_owned());
            scores.insert(key, (mean, std.get(row), n.get(row).unwrap_or(0)));
        }
        Ok(Self(scores))
    }

    /// `61.23±0.45`; without a deviation where there is one run; `-` where there is none.
    pub(crate) fn cell(&self, method: &str, size: Option<&str>, task: &str) -> String {
        match self.0.get(&(method.to_owned(), size.map(str::to_owned), task.to_owned())) {
            None => "-".into(),
            Some((mean, Some(std), n)) if *n > 1 => format!("{mean:.2}±{std:.2}"),
            Some((mean, _, _)) => format!("{mean:.2}"),
        }
    }

    /// The mean alone.
    pub(crate) fn mean(&self, method: &str, size: &str, task: &str) -> Option<f64> {
        self.0.get(&(method.to_owned(), Some(size.to_owned()), task.to_owned())).map(|(mean, _, _)| *mean)
    }

    /// How many runs stand behind the cells of a table: `5`, or `3 to 5`.
    pub(crate) fn runs(&self, size: Option<&str>) -> String {
        let counts =
            self.0.iter().filter(|((_, s, _), _)| s.is_some() && (size.is_none() || s.as_deref() == size));
        let counts: Vec<u32> = counts.map(|(_, (_, _, n))| *n).collect();
        match (counts.iter().min(), counts.iter().max()) {
            (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
            (Some(n), _) => n.to_string(),
            _ => "0".into(),
        }
    }
}

impl Sheet {
    fn text(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(&self.header);
        table.add_rows(&self.rows);
        for (index, name) in self.header.iter().enumerate() {
            let words = index == 0 || name == "train text" || name == "selected on";
            if let (false, Some(column)) = (words, table.column_mut(index)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("{}\n{table}\n\n", self.title)
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("**{}**\n\n{}", self.title, line(&self.header));
        let rule: Vec<String> =
            (0..self.header.len()).map(|i| if i == 0 { "---" } else { "---:" }.to_owned()).collect();
        text.push_str(&line(&rule));
        for row in &self.rows {
            // Writing into a String cannot fail.
            let _ = write!(text, "{}", line(row));
        }
        text.push('\n');
        text
    }
}

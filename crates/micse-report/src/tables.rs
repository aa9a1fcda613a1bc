//! Writes the tables of a sweep: text, Markdown and LaTeX to read, CSV and Parquet to process.

mod latex;
mod sheet;

use std::path::Path;

use micse_files::write_whole;
use polars::prelude::*;

use crate::comparison::Comparisons;
use crate::results::Results;
use crate::{Against, Error, Grid, Result, sheets};
pub use sheet::Sheet;

/// Options of the tables.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// The method to compare all others with; the default is described at [`Comparisons::new`].
    pub baseline: Option<String>,
    /// Adds tables that compare the sweep with published results.
    pub against: Option<Against>,
}

/// The tables of a sweep in every format.
pub struct Tables {
    /// Plain text, for a terminal.
    pub text: String,
    markdown: String,
    latex: String,
    frames: [(&'static str, DataFrame); 3],
}

impl Tables {
    /// The files that [`Self::write`] writes.
    pub const FILES: [&str; 9] = [
        "tables.txt",
        "tables.md",
        "tables.tex",
        "results.csv",
        "results.parquet",
        "summary.csv",
        "summary.parquet",
        "comparisons.csv",
        "comparisons.parquet",
    ];

    /// Builds the tables from the results of a sweep.
    ///
    /// # Errors
    /// The sweep has no method with the baseline's name, or a run's cosines are damaged.
    pub fn new(results: &Results, grid: &Grid, options: &TableOptions) -> Result<Self> {
        let comparisons = Comparisons::new(results, options.baseline.as_deref())?;
        let mut sheets = sheets::all(results, grid, comparisons.as_ref())?;
        if let Some(against) = options.against {
            sheets.extend(sheets::published(results, grid, against)?);
        }
        let settings =
            &[&grid.settings].into_iter().chain(&grid.remarks).cloned().collect::<Vec<_>>().join("\n\n");
        let compared = Comparisons::frame(comparisons.as_ref())?;
        Ok(Self {
            text: sheets.iter().map(Sheet::text).chain([format!("{settings}\n")]).collect(),
            markdown: sheets.iter().map(Sheet::markdown).chain([format!("{settings}\n")]).collect(),
            latex: latex::document(&sheets, settings),
            frames: [
                ("results", results.long.clone()),
                ("summary", results.summary.clone()),
                ("comparisons", compared),
            ],
        })
    }

    /// Writes every format into the sweep folder.
    ///
    /// `tables.txt`, `tables.md` and `tables.tex` contain the formatted tables. `results` (one row per score),
    /// `summary` (mean and standard deviation over seeds) and `comparisons` (every method against the baseline) contain
    /// the numbers, each as `.csv` and `.parquet`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, out: &Path) -> Result<()> {
        write_whole(&out.join("tables.txt"), self.text.as_bytes())?;
        write_whole(&out.join("tables.md"), self.markdown.as_bytes())?;
        write_whole(&out.join("tables.tex"), self.latex.as_bytes())?;
        for (name, frame) in &self.frames {
            let mut parquet = Vec::new();
            let writer = ParquetWriter::new(&mut parquet).with_compression(ParquetCompression::Uncompressed);
            writer.finish(&mut frame.clone())?;
            write_whole(&out.join(format!("{name}.csv")), &csv(frame)?)?;
            write_whole(&out.join(format!("{name}.parquet")), &parquet)?;
        }
        Ok(())
    }
}

/// A frame as CSV with a header; a missing value is empty.
fn csv(frame: &DataFrame) -> Result<Vec<u8>> {
    let failed = |e: csv::Error| Error::Csv(e.to_string());
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(frame.get_column_names().iter().map(|name| name.as_str())).map_err(failed)?;
    for row in 0..frame.height() {
        let values = frame.columns().iter().map(|column| Ok(field(&column.get(row)?)));
        table.write_record(values.collect::<Result<Vec<_>>>()?).map_err(failed)?;
    }
    table.into_inner().map_err(|e| failed(e.into_error().into()))
}

fn field(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::Float64(number) => format!("{number:?}"),
        // Polars would print text with quotation marks.
        other => other.get_str().map_or_else(|| other.to_string(), str::to_owned),
    }
}

//! A sweep's tables as files: text, Markdown and LaTeX to read, CSV and parquet to compute with.

mod latex;
mod sheet;

use std::path::Path;

use micse_model::files::write_whole;
use polars::prelude::*;

use crate::comparison::Comparisons;
use crate::results::Results;
use crate::{Grid, Result, sheets};
pub use sheet::Sheet;

/// What the tables compare.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// The method that others are compared with; none: see [`Comparisons::new`].
    pub baseline: Option<String>,
    /// One more table: against the figures of the miCSE paper.
    pub against_paper: bool,
}

/// Writes every form into the sweep's folder and prints the text.
///
/// `tables.txt`, `tables.md` and `tables.tex` hold the tables; `results` (a row a score), `summary` (mean and deviation
/// over seeds) and `comparisons` (every method against the baseline), each as `csv` and `parquet`, the numbers.
///
/// # Errors
/// The sweep has no such baseline, a run's cosines are damaged, or a file cannot be written.
pub fn write_tables(out: &Path, results: &Results, grid: &Grid, options: &TableOptions) -> Result<()> {
    let comparisons = Comparisons::new(results, options.baseline.as_deref())?;
    let sheets = sheets::all(results, grid, comparisons.as_ref(), options.against_paper)?;
    let settings = &grid.settings;
    let text: String = sheets.iter().map(Sheet::text).chain([format!("{settings}\n")]).collect();
    let markdown: String = sheets.iter().map(Sheet::markdown).chain([format!("{settings}\n")]).collect();
    println!("{text}");
    write_whole(&out.join("tables.txt"), text.as_bytes())?;
    write_whole(&out.join("tables.md"), markdown.as_bytes())?;
    write_whole(&out.join("tables.tex"), latex::document(&sheets, settings).as_bytes())?;
    let compared = Comparisons::frame(comparisons.as_ref())?;
    for (name, frame) in
        [("results", &results.long), ("summary", &results.summary), ("comparisons", &compared)]
    {
        let (mut csv, mut parquet) = (Vec::new(), Vec::new());
        CsvWriter::new(&mut csv).finish(&mut frame.clone())?;
        let writer = ParquetWriter::new(&mut parquet).with_compression(ParquetCompression::Uncompressed);
        writer.finish(&mut frame.clone())?;
        write_whole(&out.join(format!("{name}.csv")), &csv)?;
        write_whole(&out.join(format!("{name}.parquet")), &parquet)?;
    }
    println!("{text}");
    println!(
        "tables (txt, md, tex), results, summary and comparisons (csv, parquet) are in {}",
        out.display()
    );
    Ok(())
}

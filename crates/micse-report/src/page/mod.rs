//! Writes `report.html`, one page about a sweep, and its pictures as files.

mod chosen;
mod compared;
mod data;
mod development;
mod figures;
mod head;
mod html;
mod manifest;
mod models;
mod save;
mod scores;
mod tables;
mod training;

use std::path::{Path, PathBuf};

use crate::Result;
pub use chosen::ComparedCell;
pub use compared::Compare;
use data::Sweep;
pub use figures::{FiguresPage, check_figures_folder, write_figures};
use html::Page;

/// The files of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The page.
    pub page: PathBuf,
    /// The pictures, without file extension; each exists as `.svg`, and with the feature `png` as `.png`.
    pub pictures: Vec<PathBuf>,
    /// Whether the pictures exist as PNG too (feature `png`).
    pub png: bool,
    /// Cells of the sweep.
    pub cells: usize,
    /// Cells without a result.
    pub missing: usize,
}

/// Writes `report.html`, `figures/*.svg` and, with the feature `png`, `figures/*.png` into a sweep folder. The page is
/// self-contained: no network, no scripts, no other file. Pictures of an earlier report that this one does not have are
/// removed; other files in `figures` stay. `baseline` is the method or row to compare with; by default
/// `simcse-baseline`, else `simcse`, else the first row without training.
///
/// # Errors
/// The folder is not a sweep folder or not writable, a file of a finished cell cannot be read, or the sweep has no
/// method with the baseline's name.
pub fn write_report(folder: &Path, baseline: Option<&str>) -> Result<Report> {
    write(folder, baseline, None)
}

/// Like [`write_report`], with figures that need models: `compare` computes them for two cells that kept theirs. If the
/// sweep kept no two comparable models, the page names the remedy.
///
/// # Errors
/// Like [`write_report`], and if `compare` fails.
pub fn write_report_with(folder: &Path, baseline: Option<&str>, compare: &mut Compare<'_>) -> Result<Report> {
    write(folder, baseline, Some(compare))
}

fn write(folder: &Path, baseline: Option<&str>, compare: Option<&mut Compare<'_>>) -> Result<Report> {
    let sweep = Sweep::load(folder, baseline)?;
    let mut page = Page::default();
    let mut left_out = Vec::new();
    head::write(&mut page, &sweep);
    scores::over_sizes(&mut page, &sweep);
    left_out.extend(scores::components(&mut page, &sweep)?);
    left_out.extend(scores::positives(&mut page, &sweep)?);
    tables::write(&mut page, &sweep)?;
    left_out.extend(training::write(&mut page, &sweep));
    left_out.extend(scores::geometry(&mut page, &sweep));
    left_out.extend(compared::write(&mut page, &sweep, compare)?);
    left_out.extend(tables::published(&mut page, &sweep)?);
    manifest::write(&mut page, &sweep, &left_out)?;
    let title = format!("{}: {}", sweep.grid.preset, head::headline(&sweep));
    let finished = page.finish(&title, &head::headline(&sweep), &head::lead(&sweep));
    let (page, paths) = save::save(folder, "report.html", &finished)?;
    let (cells, missing) = (sweep.grid.cells.len(), sweep.results.holes.len());
    Ok(Report { page, pictures: paths, png: cfg!(feature = "png"), cells, missing })
}

//! Writes `report.html`, one page about a sweep, and its pictures as files.

mod data;
mod head;
mod html;
mod manifest;
mod scores;
mod tables;
mod training;

use std::path::{Path, PathBuf};

use micse_files::write_whole;

#[cfg(feature = "png")]
use crate::chart::png::Renderer;
use crate::{Error, Result};
use data::Sweep;
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

/// Writes `report.html`, `figures/*.svg` and, with the feature `png`, `figures/*.png` into a sweep folder. The page is self-contained: no
/// network, no scripts, no other file. `baseline` is the method or row to compare with; by default `simcse-baseline`, `simcse`, or the
/// first row without training.
///
/// # Errors
/// The folder is not a sweep folder or not writable, a file of a finished cell cannot be read, or the sweep has no
/// method with the baseline's name.
pub fn write_report(folder: &Path, baseline: Option<&str>) -> Result<Report> {
    let sweep = Sweep::load(folder, baseline)?;
    let mut page = Page::default();
    let mut left_out = Vec::new();
    head::write(&mut page, &sweep);
    scores::over_sizes(&mut page, &sweep);
    left_out.extend(scores::components(&mut page, &sweep)?);
    left_out.extend(scores::positives(&mut page, &sweep)?);
    let published = tables::write(&mut page, &sweep)?;
    left_out.extend(training::write(&mut page, &sweep));
    left_out.extend(scores::geometry(&mut page, &sweep));
    left_out.extend(tables::published(&mut page, &sweep, published)?);
    manifest::write(&mut page, &sweep, &left_out)?;
    let title = format!("{}: {}", sweep.grid.preset, head::headline(&sweep));
    let (text, pictures) = page.finish(&title, &head::headline(&sweep), &head::lead(&sweep));
    #[cfg(feature = "png")]
    let renderer = Renderer::new();
    let mut paths = Vec::new();
    for picture in &pictures {
        let path = folder.join("figures").join(&picture.name);
        let svg = picture.file();
        #[cfg(feature = "png")]
        {
            let png = path.with_extension("png");
            write_whole(&png, &renderer.render(&png, &svg)?)?;
        }
        write_whole(&path.with_extension("svg"), svg.as_bytes())?;
        paths.push(path);
    }
    remove_others(&folder.join("figures"), &paths)?;
    let page = folder.join("report.html");
    write_whole(&page, text.as_bytes())?;
    let (cells, missing) = (sweep.grid.cells.len(), sweep.results.holes.len());
    Ok(Report { page, pictures: paths, png: cfg!(feature = "png"), cells, missing })
}

/// Removes pictures of an earlier report that this one did not write; other files stay.
fn remove_others(figures: &Path, made: &[PathBuf]) -> Result<()> {
    let entries = match std::fs::read_dir(figures) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::file(figures, e)),
    };
    for entry in entries {
        let path = entry.map_err(|e| Error::file(figures, e))?.path();
        let is_picture = path.extension().is_some_and(|e| e == "svg" || e == "png");
        if is_picture && !made.contains(&path.with_extension("")) {
            std::fs::remove_file(&path).map_err(|e| Error::file(&path, e))?;
        }
    }
    Ok(())
}

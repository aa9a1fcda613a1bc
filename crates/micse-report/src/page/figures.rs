//! Writes `figures.html`, one page that compares any two models.

use std::path::{Path, PathBuf};

use micse_figures::Figure;

use super::html::Page;
use super::{models, save};
use crate::{Error, Grid, Result};

/// The files of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiguresPage {
    /// The page.
    pub page: PathBuf,
    /// The pictures, without file extension; each exists as `.svg` and `.csv`, and with the feature `png` as `.png`.
    pub pictures: Vec<PathBuf>,
    /// Whether the pictures exist as PNG too (feature `png`).
    pub png: bool,
}

/// Writes `figures.html` and `figures/*` into a folder: figures that compare the models `names`, each with its numbers as
/// CSV. The page is self-contained; `settings` says how the numbers were computed. Figures of an earlier page that this
/// one does not have are removed; other files in `figures` stay.
///
/// # Errors
/// The folder cannot be written, or is that of a sweep ([`check_figures_folder`]).
pub fn write_figures(
    folder: &Path,
    names: [&str; 2],
    figures: &[Figure],
    settings: &[String],
) -> Result<FiguresPage> {
    check_figures_folder(folder)?;
    let mut page = Page::default();
    page.section("models", "Figures");
    models::write(&mut page, figures)?;
    page.section("settings", "Settings");
    page.list(settings.iter().map(String::as_str));
    let title = format!("{} and {}", names[0], names[1]);
    let lead = "Syntactic similarity, the mutual information of attention, against semantic similarity, the cosine of \
                embeddings: the figures 1, 4, 5 and 6 of the miCSE paper for these two models.";
    let (page, pictures) = save::save(folder, "figures.html", &page.finish(&title, &title, lead))?;
    Ok(FiguresPage { page, pictures, png: cfg!(feature = "png") })
}

/// Checks, before anything is computed, that [`write_figures`] may write into a folder.
///
/// # Errors
/// The folder is that of a sweep: its report has figures of the same names.
pub fn check_figures_folder(folder: &Path) -> Result<()> {
    let sweep = folder.join(Grid::FILE);
    if sweep.exists() {
        return Err(Error::file(
            &sweep,
            "this is the folder of a sweep, whose report has figures of the same names; pass another --out",
        ));
    }
    Ok(())
}

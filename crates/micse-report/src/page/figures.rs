//! Writes `figures.html`, one page that compares any two models.

use std::path::{Path, PathBuf};

use micse_figures::Figure;
use micse_files::write_whole;

use super::html::Page;
use super::{models, save};
use crate::Result;

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
/// CSV. The page is self-contained; `settings` says how the numbers were computed.
///
/// # Errors
/// The folder cannot be written.
pub fn write_figures(
    folder: &Path,
    names: [&str; 2],
    figures: &[Figure],
    settings: &[String],
) -> Result<FiguresPage> {
    let mut page = Page::default();
    page.section("models", "Figures");
    models::write(&mut page, figures)?;
    page.section("settings", "Settings");
    page.list(settings.iter().map(String::as_str));
    let title = format!("{} and {}", names[0], names[1]);
    let lead = "Syntactic similarity, the mutual information of attention, against semantic similarity, the cosine of \
                embeddings: the figures 1, 4, 5 and 6 of the miCSE paper for these two models.";
    let (text, pictures, numbers) = page.finish(&title, &title, lead);
    let paths = save::save(folder, &pictures, &numbers)?;
    let page = folder.join("figures.html");
    write_whole(&page, text.as_bytes())?;
    Ok(FiguresPage { page, pictures: paths, png: cfg!(feature = "png") })
}

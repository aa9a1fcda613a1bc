//! Writes pictures and their numbers into the folder `figures`.

use std::path::{Path, PathBuf};

use micse_files::write_whole;

use super::html::Numbers;
use crate::chart::Picture;
#[cfg(feature = "png")]
use crate::chart::png::Renderer;
use crate::{Error, Result};

/// Writes `figures/*.svg`, with the feature `png` also `figures/*.png`, and the CSV of pictures that have one. Removes
/// files of these kinds that an earlier page left. Returns the paths without extension.
pub(super) fn save(folder: &Path, pictures: &[Picture], numbers: &[Numbers]) -> Result<Vec<PathBuf>> {
    #[cfg(feature = "png")]
    let renderer = Renderer::new();
    let figures = folder.join("figures");
    let mut paths = Vec::new();
    for picture in pictures {
        let path = figures.join(&picture.name);
        let svg = picture.file();
        #[cfg(feature = "png")]
        {
            let png = path.with_extension("png");
            write_whole(&png, &renderer.render(&png, &svg)?)?;
        }
        write_whole(&path.with_extension("svg"), svg.as_bytes())?;
        paths.push(path);
    }
    for (name, csv) in numbers {
        write_whole(&figures.join(name).with_extension("csv"), csv)?;
    }
    remove_others(&figures, &paths)?;
    Ok(paths)
}

/// Removes pictures of an earlier page, and the numbers next to them; other files stay.
fn remove_others(figures: &Path, made: &[PathBuf]) -> Result<()> {
    let entries = match std::fs::read_dir(figures) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::file(figures, e)),
    };
    for entry in entries {
        let path = entry.map_err(|e| Error::file(figures, e))?.path();
        let is_picture = path.extension().is_some_and(|e| e == "svg" || e == "png");
        if !is_picture || made.contains(&path.with_extension("")) {
            continue;
        }
        for stale in [&path, &path.with_extension("csv")] {
            match std::fs::remove_file(stale) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::file(stale, e)),
                _ => {}
            }
        }
    }
    Ok(())
}

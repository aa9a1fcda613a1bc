//! Writes a page, its pictures and their numbers, and removes those that an earlier page left.
//!
//! A page links to each of its files. Only these are removed, and only by a page of the same name: the folder `figures`
//! may contain pictures that others put there.

use std::path::{Path, PathBuf};

use micse_files::write_whole;

use super::html::Finished;
#[cfg(feature = "png")]
use crate::chart::png::Renderer;
use crate::{Error, Result};

/// The folder of the pictures and their numbers, next to the page.
const FOLDER: &str = "figures";

/// The start of a link to a file of a page, before its name. In other text of the page, quotation marks are escaped.
const LINK: &str = "href=\"figures/";

/// Writes the page with this name into `folder`, and into its folder `figures` each picture as SVG, with the feature
/// `png` also as PNG, and the CSV of those that have one. Removes files of the earlier page of this name that this one
/// does not have. Returns the path of the page, and those of the pictures without extension.
pub(super) fn save(folder: &Path, name: &str, finished: &Finished) -> Result<(PathBuf, Vec<PathBuf>)> {
    #[cfg(feature = "png")]
    let renderer = Renderer::new();
    let (page, figures) = (folder.join(name), folder.join(FOLDER));
    let earlier = earlier_text(&page)?;
    let mut paths = Vec::new();
    for picture in &finished.pictures {
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
    for (name, csv) in &finished.numbers {
        write_whole(&figures.join(name).with_extension("csv"), csv)?;
    }
    remove_others(&figures, &linked(&earlier), &linked(&finished.text))?;
    write_whole(&page, finished.text.as_bytes())?;
    Ok((page, paths))
}

/// The text of the page that is to be replaced; empty if there is none.
fn earlier_text(page: &Path) -> Result<String> {
    match std::fs::read(page) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(Error::file(page, e)),
    }
}

/// The names of the files that a page links to. Whatever a damaged page links to, only plain names are among them.
fn linked(text: &str) -> Vec<&str> {
    let is_name = |name: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let parts = name.split_once('.');
        parts.is_some_and(|(stem, ending)| stem.chars().all(plain) && ["svg", "png", "csv"].contains(&ending))
    };
    let names = text.split(LINK).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    names.filter(is_name).collect()
}

/// Removes the files of an earlier page that are not among those just written.
fn remove_others(figures: &Path, earlier: &[&str], written: &[&str]) -> Result<()> {
    for stale in earlier.iter().filter(|name| !written.contains(name)) {
        let path = figures.join(stale);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::file(&path, e)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_the_earlier_page_links_to_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let figures = folder.path().join(FOLDER);
        let page = folder.path().join("page.html");
        assert_eq!(earlier_text(&page).expect("no page"), "");
        // Written by a build with the feature `png`; now without it, and without one of the pictures.
        let names = ["a.svg", "a.png", "b.svg", "b.csv", "../a.svg", "a/b.svg", "a.txt"];
        let links = names.map(|name| format!("<a {LINK}{name}\">file</a>")).concat();
        std::fs::write(&page, links).expect("a page");
        std::fs::create_dir_all(&figures).expect("a folder");
        for name in ["a.svg", "a.png", "b.svg", "b.csv", "c.svg", "c.png", "c.csv", "a.txt", "../a.svg"] {
            std::fs::write(figures.join(name), "old").expect("a file");
        }
        let earlier = earlier_text(&page).expect("a page");
        remove_others(&figures, &linked(&earlier), &["a.svg"]).expect("removed");
        let left = |name: &str| figures.join(name).exists();
        assert!(["a.svg", "c.svg", "c.png", "c.csv", "a.txt", "../a.svg"].into_iter().all(left));
        assert!(!["a.png", "b.svg", "b.csv"].into_iter().any(left), "a file of the earlier page stays");
    }
}

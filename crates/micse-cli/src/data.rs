//! Resolves `--corpus`, `--sts` and `--treebank`: the option, else `MICSE_DATA`, else the demo data. A note reports the choice.

use std::path::PathBuf;

use anyhow::Result;
use micse_data::Locator;
use micse_data::locate::{CorpusSource, DEMO, Located};

use crate::output::note;

/// Resolves the corpus, and prints a note on its source.
///
/// # Errors
/// A file does not exist.
pub fn corpus(locator: &Locator, given: &[String]) -> Result<Located<CorpusSource>> {
    let demo = [DEMO.to_owned()];
    let falls_back = given.is_empty() && locator.micse_data.is_none();
    let located = locator.corpus(if falls_back { &demo } else { given })?;
    note(&located.note);
    Ok(located)
}

/// Resolves the folder of STS sets, and prints a note on its source.
///
/// # Errors
/// The folder does not exist.
pub fn sts(locator: &Locator, given: Option<&str>) -> Result<Located<PathBuf>> {
    let located = locate_sts(locator, given)?;
    note(&located.note);
    Ok(located)
}

/// [`sts`] for a command that prints the note itself.
///
/// # Errors
/// As [`sts`].
pub fn locate_sts(locator: &Locator, given: Option<&str>) -> Result<Located<PathBuf>> {
    let demo = locator.micse_data.is_none().then_some(DEMO);
    Ok(locator.sts(given.or(demo))?)
}

/// Resolves the folder of transfer tasks, and prints a note on its source.
///
/// # Errors
/// The folder does not exist.
pub fn transfer(locator: &Locator, given: Option<&str>) -> Result<Located<PathBuf>> {
    let located = locate_transfer(locator, given)?;
    note(&located.note);
    Ok(located)
}

/// [`transfer`] for a command that prints the note itself.
///
/// # Errors
/// As [`transfer`].
pub fn locate_transfer(locator: &Locator, given: Option<&str>) -> Result<Located<PathBuf>> {
    let demo = locator.micse_data.is_none().then_some(DEMO);
    Ok(locator.transfer(given.or(demo))?)
}

/// Resolves the files of a treebank, and prints a note on their source.
///
/// # Errors
/// A file does not exist.
pub fn treebank(locator: &Locator, given: &[String]) -> Result<Located<Vec<PathBuf>>> {
    let demo = [DEMO.to_owned()];
    let falls_back = given.is_empty() && locator.micse_data.is_none();
    let located = locator.treebank(if falls_back { &demo } else { given })?;
    note(&located.note);
    Ok(located)
}

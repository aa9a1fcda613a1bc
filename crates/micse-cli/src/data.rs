//! Defaults of `--corpus` and `--sts`: what was given, else what `MICSE_DATA` has, else the shipped demo, with a note.

use std::path::PathBuf;

use anyhow::Result;
use micse_data::Locator;
use micse_data::locate::{CorpusSource, DEMO, Located};

use crate::output::note;

/// The corpus; notes where it comes from.
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

/// The folder of STS sets; notes where it comes from.
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

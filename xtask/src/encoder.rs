//! Resolves model options to folders.

use std::path::PathBuf;

use anyhow::Result;
use micse_data::Locator;
use micse_data::locate::{DEMO, Located};
use micse_hub::progress::folder_of_id;

/// The model to train: a model folder, a Hub model ID, or `demo` for the shipped encoder; by default the encoder in
/// `MICSE_DATA`.
pub(crate) fn encoder(locator: &Locator, value: Option<&str>) -> Result<Located<PathBuf>> {
    match of_the_hub("--encoder", value)? {
        Some(fetched) => Ok(fetched),
        None => Ok(locator.encoder(value)?),
    }
}

/// The model to use, with the same values.
pub(crate) fn model(locator: &Locator, value: &str) -> Result<Located<PathBuf>> {
    match of_the_hub("--model", Some(value))? {
        Some(fetched) => Ok(fetched),
        None => Ok(locator.model(Some(value))?),
    }
}

fn of_the_hub(flag: &str, value: Option<&str>) -> Result<Option<Located<PathBuf>>> {
    let Some(name) = value.filter(|&name| name != DEMO) else { return Ok(None) };
    Ok(folder_of_id(name)?.map(|place| {
        let note = format!("encoder: {} ({flag} {name})", place.display());
        Located { place, note }
    }))
}

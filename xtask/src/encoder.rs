//! The encoder that a flag names.

use std::path::{Path, PathBuf};

use anyhow::Result;
use micse_data::Locator;
use micse_data::locate::{DEMO, Located};
use micse_hub::progress::folder_or_id;

/// A model folder, `demo` for the shipped one, or an id of the Hub; without a flag that of `MICSE_DATA`.
pub(crate) fn locate(locator: &Locator, flag: Option<&str>) -> Result<Located<PathBuf>> {
    let named = flag.filter(|&name| name != DEMO).map(folder_or_id).transpose()?;
    Ok(locator.encoder(named.as_deref().and_then(Path::to_str).or(flag))?)
}

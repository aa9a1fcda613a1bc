//! Resolves `--model`: one rule for all commands.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use micse_data::Locator;
use micse_data::locate::{DEMO, Located};
use micse_files::RunFolder;
use micse_hub::{Hub, is_hub_id};
use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};

use crate::download::Download;
use crate::options::ComputeOptions;
use crate::output::note;

/// The folder of the model that `value` names: a model folder, a run folder, a Hub model ID, or `demo` for the shipped
/// encoder; without a value, the encoder in `MICSE_DATA`. A Hub model is downloaded into the cache shared with Python's
/// libraries.
///
/// # Errors
/// The model is not found, a download fails, or a run is not finished.
pub fn locate_model(locator: &Locator, value: Option<&str>) -> Result<Located<PathBuf>> {
    if let Some(name) = value.filter(|&name| name != DEMO)
        && let Some(place) = hub_model(name)?
    {
        let note = format!("encoder: {} (--model {name})", place.display());
        return Ok(Located { place, note });
    }
    let located = locator.model(value)?;
    let run = RunFolder::new(&located.place);
    if !run.is_begun() {
        return Ok(located);
    }
    let place = run.finished_model()?;
    let note = format!("encoder: {} (--model {})", place.display(), located.place.display());
    Ok(Located { place, note })
}

/// [`locate_model`] for a given value; returns only the folder.
///
/// # Errors
/// As [`locate_model`].
pub fn model_folder(value: &str) -> Result<PathBuf> {
    Ok(locate_model(&Locator::from_env()?, Some(value))?.place)
}

/// Downloads the missing files of a Hub model, and returns its folder. `None` if the name is not a Hub model ID, or
/// if a local file or folder has this name, which takes precedence.
fn hub_model(name: &str) -> Result<Option<PathBuf>> {
    if Path::new(name).exists() || !is_hub_id(name) {
        return Ok(None);
    }
    note(format_args!("no local folder {name}; using the Hub"));
    let mut download = Download::new();
    Ok(Some(Hub::from_env()?.model(name, &mut |event| download.tell(event))?))
}

/// The pooling of a model folder; `mean`, with a note, if the folder does not define one.
///
/// # Errors
/// The folder's pooling is not supported.
pub fn pooling_of(folder: &ModelFolder) -> Result<Pooling> {
    Ok(folder.pooling()?.unwrap_or_else(|| {
        note("pooling: mean, because the folder has no 1_Pooling/config.json (--pooling selects another)");
        Pooling::Mean
    }))
}

/// The model that a command uses, and how to compute it.
#[derive(Args, Debug)]
pub struct ModelOptions {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    #[arg(long)]
    pub model: String,
    /// Pooling, device, engine, precision and threads.
    #[command(flatten)]
    pub how: Computation,
}

/// How to compute a model.
#[derive(Args, Debug)]
#[command(next_help_heading = "Computation")]
pub struct Computation {
    /// cls, mean, first-last-avg, emb-last-avg or top2-avg [default: the model folder's, else mean]
    #[arg(long)]
    pub pooling: Option<Pooling>,
    /// Device, engine, precision, threads.
    #[command(flatten)]
    pub compute: ComputeOptions,
}

impl Computation {
    /// Loads a model by its name.
    ///
    /// # Errors
    /// The model cannot be found or loaded.
    pub fn load(&self, model: &str, compute: &Compute) -> Result<SentenceModel<'static>> {
        let folder = ModelFolder::open(&model_folder(model)?)?;
        let pooling = match self.pooling {
            Some(pooling) => pooling,
            None => pooling_of(&folder)?,
        };
        Ok(SentenceModel::load(&folder, Some(pooling), compute)?)
    }
}

impl ModelOptions {
    /// Starts the threads, and loads the model.
    ///
    /// # Errors
    /// As [`ComputeOptions::start`] and [`Computation::load`].
    pub fn start(&self) -> Result<SentenceModel<'static>> {
        let compute = self.how.compute.start()?;
        self.how.load(&self.model, &compute)
    }
}

//! Resolves `--model`: one rule for all commands.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_data::Locator;
use micse_data::locate::{DEMO, Located};
use micse_files::RunFolder;
use micse_hub::{Hub, is_hub_id};
use micse_model::{Compute, Model, ModelFolder, Pooling, SentenceModel, StaticFolder, StaticModel};

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
    let pooling =
        folder.pooling().context("the model's pooling cannot be used; choose one with --pooling")?;
    Ok(pooling.unwrap_or_else(|| {
        note("pooling: mean, because the folder has no 1_Pooling/config.json (--pooling selects another)");
        Pooling::Mean
    }))
}

/// Loads a model folder with the options `--pooling` and `--truncate-dim`; without them, the folder's own values, else
/// mean pooling and all entries.
///
/// # Errors
/// The folder is not a usable model, or an option does not fit it.
pub fn load_model(
    folder: &Path,
    pooling: Option<Pooling>,
    truncate_dim: Option<NonZeroUsize>,
    compute: &Compute,
) -> Result<Model> {
    let model = if let Some(folder) = StaticFolder::find(folder)? {
        if let Some(pooling) = pooling.filter(|pooling| *pooling != Pooling::Mean) {
            bail!(
                "{}: the model is the mean of token vectors, so it has no pooling {pooling}; remove --pooling",
                folder.root().display()
            );
        }
        Model::from(StaticModel::load(&folder)?)
    } else {
        let folder = ModelFolder::open(folder)?;
        let pooling = pooling.map_or_else(|| pooling_of(&folder), Ok)?;
        Model::from(SentenceModel::load(&folder, Some(pooling), compute)?)
    };
    Ok(match truncate_dim {
        Some(entries) => model.truncated_to(entries.get())?,
        None => model,
    })
}

/// The model that a command uses, and how to compute it.
#[derive(Args, Debug)]
pub struct ModelOptions {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    #[arg(long)]
    pub model: String,
    /// Pooling, truncation, device, engine, precision and threads.
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
    /// Keep only the first N entries of each embedding, after all modules [default: the model folder's, else all]
    #[arg(long, value_name = "N")]
    pub truncate_dim: Option<NonZeroUsize>,
    /// Device, engine, precision, threads.
    #[command(flatten)]
    pub compute: ComputeOptions,
}

impl Computation {
    /// Loads a model by its name.
    ///
    /// # Errors
    /// The model cannot be found or loaded.
    pub fn load(&self, model: &str, compute: &Compute) -> Result<Model> {
        load_model(&model_folder(model)?, self.pooling, self.truncate_dim, compute)
    }
}

impl ModelOptions {
    /// Starts the threads, and loads the model.
    ///
    /// # Errors
    /// As [`ComputeOptions::start`] and [`Computation::load`].
    pub fn start(&self) -> Result<Model> {
        let compute = self.how.compute.start()?;
        self.how.load(&self.model, &compute)
    }
}

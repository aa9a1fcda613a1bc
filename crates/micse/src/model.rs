//! Where the value of `--model` leads.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use micse::SentenceModel;
use micse::data::Locator;
use micse::data::locate::DEMO;
use micse::model::options::ComputeOptions;
use micse::model::{Compute, ModelFolder, Pooling};
use micse_hub::progress::folder_of_id;

/// The file that makes a folder a run's.
pub(crate) const RUN_FILE: &str = "run.toml";

/// The folder of the model that a person named: a model folder, a run's folder, `demo`, or an id of the Hub, whose model
/// is fetched into the cache that Python's library shares.
pub(crate) fn model_folder(model: &str) -> Result<PathBuf> {
    if model != DEMO
        && let Some(folder) = folder_of_id(model)?
    {
        return Ok(folder);
    }
    let place = Locator::from_env()?.model(Some(model))?.place;
    if place.join(RUN_FILE).is_file() { model_of_run(&place) } else { Ok(place) }
}

/// The finished model of a run.
fn model_of_run(run: &Path) -> Result<PathBuf> {
    let model = run.join("model");
    let finished = run.join("result.json").is_file();
    if finished && model.join("model.safetensors").is_file() {
        return Ok(model);
    }
    let run = run.display();
    if finished {
        bail!("{run}: this run is finished, but its model was not kept; run it again by `micse train`");
    }
    bail!("{run}: this run is not finished; go on with `micse train --out {run} --resume`");
}

/// Which model a command takes, and how it is computed.
#[derive(Args)]
pub(crate) struct ModelOptions {
    /// A model folder, a run's folder, an id of the Hub, or `demo` for the shipped encoder
    #[arg(long)]
    pub(crate) model: String,
    #[command(flatten, next_help_heading = "Computation")]
    pub(crate) how: Computation,
}

/// How a model is computed.
#[derive(Args)]
pub(crate) struct Computation {
    /// cls, mean, first-last-avg, emb-last-avg or top2-avg [default: the folder's own]
    #[arg(long)]
    pub(crate) pooling: Option<Pooling>,
    #[command(flatten, next_help_heading = "Computation")]
    pub(crate) compute: ComputeOptions,
}

impl Computation {
    /// The model of a name.
    pub(crate) fn load(&self, model: &str, compute: &Compute) -> Result<SentenceModel<'static>> {
        Ok(SentenceModel::load(&ModelFolder::open(&model_folder(model)?)?, self.pooling, compute)?)
    }
}

impl ModelOptions {
    /// Starts the threads, and loads the model.
    pub(crate) fn start(&self) -> Result<SentenceModel<'static>> {
        let compute = self.how.compute.start()?;
        self.how.load(&self.model, &compute)
    }
}

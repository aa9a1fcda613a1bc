//! `cargo xtask adaptation`: the experiments behind the judge and the settings of `micse train`.

mod correlations;
mod deliver;
mod domains;
mod encoders;
mod lines;
mod study;
mod truth;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Measure what training changes, and which measures without labels show it
#[derive(Args)]
pub(crate) struct Adaptation {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Study(study::Study),
    Correlations(correlations::Correlations),
    Deliver(deliver::Deliver),
}

impl Adaptation {
    pub(crate) fn run(&self) -> Result<()> {
        match &self.what {
            What::Study(study) => study.run(),
            What::Correlations(correlations) => correlations.run(),
            What::Deliver(deliver) => deliver.run(),
        }
    }
}

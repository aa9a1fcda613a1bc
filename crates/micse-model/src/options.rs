//! Command-line options for what computes, shared by all commands (feature `clap`).

use std::num::NonZeroUsize;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::threads::start_threads;
use crate::{Compute, Engine, Precision, Result};

/// `--engine`, `--precision` and `--threads`.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct EngineOptions {
    /// What computes the encoder: packed (fast, CPUs only) or tensor (the reference) [default: packed on CPUs, else
    /// tensor]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<Engine>,
    /// f32 or bf16: what the encoder's matrix products are computed in
    #[arg(long, value_name = "PRECISION", default_value_t)]
    pub precision: Precision,
    /// Threads that compute [default: `RAYON_NUM_THREADS`, else all cores that the process may use]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

impl EngineOptions {
    /// Sets the number of threads, tells mimalloc to keep freed memory, and says how encoders are computed on the
    /// named device. To be called once, at a command's start.
    ///
    /// # Errors
    /// The device is not there, or the options do not go together.
    pub fn start(&self, device: &str) -> Result<Compute> {
        // Before the device: its driver may start threads.
        start_threads(self.threads)?;
        let compute = Compute::new(device, self.engine, self.precision)?;
        crate::memory::keep_freed_memory();
        Ok(compute)
    }
}

/// `--device`, and the [`EngineOptions`].
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct ComputeOptions {
    /// cpu, cuda or metal; cuda:1 is the second card
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// What runs there.
    #[command(flatten)]
    pub engine: EngineOptions,
}

impl ComputeOptions {
    /// [`EngineOptions::start`] on the device asked for.
    ///
    /// # Errors
    /// As [`EngineOptions::start`].
    pub fn start(&self) -> Result<Compute> {
        self.engine.start(&self.device)
    }
}

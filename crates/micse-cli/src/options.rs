//! Options for device, engine, precision and threads.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;
use micse_model::{Compute, Engine, Precision};
use serde::{Deserialize, Serialize};

use crate::memory::keep_freed_memory;
use crate::threads::start_threads;

/// The device without `--device`.
pub const DEFAULT_DEVICE: &str = "cpu";

/// `--engine`, `--precision` and `--threads`.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct EngineOptions {
    /// packed (fast, CPUs only) or tensor (the reference) [default: packed on CPUs, else tensor]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<Engine>,
    /// Precision of the encoder's matrix products: f32, bf16, or int8 (only models exported in int8, which need no option)
    ///
    /// Choose bf16 if the CPU has AMX (Intel servers since Sapphire Rapids, on Linux; `amx_bf16` in /proc/cpuinfo) or is
    /// an AMD with AVX512_BF16 (since Zen 4; `avx512_bf16`): training and encoding are 1.4 to 2.9 times as fast, and scores
    /// differ less than those of two seeds. On other CPUs f32 is faster.
    #[arg(long, value_name = "PRECISION", default_value_t)]
    pub precision: Precision,
    /// Computing threads [default: `RAYON_NUM_THREADS`, else all available cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

impl EngineOptions {
    /// Starts the threads, tells mimalloc to keep freed memory, and returns the configuration for encoders on this
    /// device. Call it once, when a command starts.
    ///
    /// # Errors
    /// The device is not available, or the options cannot be combined.
    pub fn start(&self, device: &str) -> Result<Compute> {
        // Before the device: its driver may start threads.
        start_threads(self.threads)?;
        let compute = Compute::new(device, self.engine, self.precision)?;
        keep_freed_memory();
        Ok(compute)
    }
}

/// `--device` and the [`EngineOptions`].
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct ComputeOptions {
    /// cpu, cuda or metal; cuda:1 is the second GPU
    #[arg(long, default_value = DEFAULT_DEVICE)]
    pub device: String,
    /// Engine, precision and threads.
    #[command(flatten)]
    pub engine: EngineOptions,
}

impl ComputeOptions {
    /// [`EngineOptions::start`] on the requested device.
    ///
    /// # Errors
    /// As [`EngineOptions::start`].
    pub fn start(&self) -> Result<Compute> {
        self.engine.start(&self.device)
    }
}

/// `--threads`, for commands that do not run an encoder.
#[derive(Args, Clone, Copy, Debug)]
pub struct ThreadOptions {
    /// Computing threads [default: `RAYON_NUM_THREADS`, else all available cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
}

impl ThreadOptions {
    /// Starts the threads. Call it once, when a command starts.
    ///
    /// # Errors
    /// This machine cannot run that many threads.
    pub fn start(self) -> Result<usize> {
        start_threads(self.threads)
    }
}

/// Parses a seed. TOML, in which runs describe themselves, has no larger numbers.
pub fn seed() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}

/// Parses a positive number of minutes.
///
/// # Errors
/// The text is not a number above 0 and below a million.
pub fn minutes(text: &str) -> Result<f64> {
    match text.parse() {
        Ok(minutes) if minutes > 0.0 && minutes < 1e6 => Ok(minutes),
        _ => anyhow::bail!("must be a number of minutes above 0 and below a million"),
    }
}

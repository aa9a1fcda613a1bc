//! A run folder in use by this process, and the pace of its checkpoints.

use std::time::{Duration, Instant};

use micse_files::{Lock, RunFolder};
use serde::Serialize;

use super::claim::identity;
use crate::checkpoint::set_aside_foreign;
use crate::{Error, Result};

/// A run folder that this process has locked, and the run's identity.
pub(crate) struct Place {
    pub(crate) run: RunFolder,
    pub(crate) lock: Lock,
    pub(crate) identity: String,
}

impl Place {
    pub(crate) fn new(run: RunFolder, lock: Lock, manifest: &impl Serialize) -> Result<Self> {
        Ok(Self { run, lock, identity: identity(manifest)? })
    }

    /// Sets aside a checkpoint of another run; returns a notice if there was one.
    pub(crate) fn set_aside_foreign(&self) -> Result<Option<String>> {
        let aside = set_aside_foreign(&self.run.checkpoint(), &self.identity)?;
        Ok(aside.map(|aside| {
            format!(
                "the checkpoint in this folder was written by another run; it was moved to {}, and this run starts \
                 from the beginning",
                aside.display()
            )
        }))
    }
}

/// Removes the checkpoint with its folder.
pub(crate) fn remove_checkpoint(run: &RunFolder) -> Result<()> {
    let folder = run.checkpoint_folder();
    if folder.exists() { std::fs::remove_dir_all(&folder).map_err(Error::io(&folder)) } else { Ok(()) }
}

/// The pace of checkpoints, in steps and in time.
pub(crate) struct Pace {
    steps: usize,
    time: Duration,
    saved: Instant,
}

impl Pace {
    /// Starts now.
    pub(crate) fn new(steps: usize, time: Duration) -> Self {
        Self { steps, time, saved: Instant::now() }
    }

    /// Whether a checkpoint is due after this many finished steps.
    pub(crate) fn is_due(&self, done: usize) -> bool {
        done.is_multiple_of(self.steps) || self.saved.elapsed() >= self.time
    }

    /// The time since the last checkpoint.
    pub(crate) fn since(&self) -> Duration {
        self.saved.elapsed()
    }

    /// Records that a checkpoint was written.
    pub(crate) fn saved(&mut self) {
        self.saved = Instant::now();
    }
}

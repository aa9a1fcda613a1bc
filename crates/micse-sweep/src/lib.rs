//! Sweeps: trains methods x training-set sizes x seeds, and tabulates mean±std. Has the commands `sweep`,
//! `sweep-cell`, `report` and `figures`.
//!
//! A sweep is a folder of run folders, one per cell; a cell is finished once it has a `result.json`. Each cell runs in
//! its own process. If a sweep is interrupted, the same command resumes it.
//!
//! | module | subject |
//! |---|---|
//! | `command`, `options` | the command and its options |
//! | `preset`, `axis`, `recipes`, `inputs`, `plan` | from options to cells |
//! | `dry_run`, `clock` | cells, memory and time of a sweep that is not run |
//! | `cell`, `file` | one cell; `sweep.json`, which lists all cells |
//! | `folder` | the lock of the sweep folder, and the checks before a start |
//! | `models`, `memory` | which models are kept; the memory that cells need |
//! | `pool`, `process`, `progress` | cells as processes on this machine |
//! | `slurm` | cells on a cluster |
//! | `status` | `sweep status` and `sweep collect` |
//! | `report` | `report` |
//! | `figures` | `figures`: two models compared |
//!
//! A sweep runs the current program once per cell, so the program must offer [`SweepCell`] as the command `sweep-cell`
//! and [`Sweep`] as `sweep`.

mod axis;
mod cell;
mod clock;
mod command;
mod dry_run;
mod figures;
mod file;
mod folder;
mod inputs;
mod memory;
mod models;
mod options;
mod plan;
mod pool;
mod preset;
mod process;
mod progress;
mod recipes;
mod report;
mod slurm;
mod status;

pub use command::Sweep;
pub use figures::Figures;
pub use process::SweepCell;
pub use report::Report;

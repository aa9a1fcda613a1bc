//! Sweeps: methods x training-set sizes x seeds, to tables of mean±std; the commands `sweep`, `sweep-cell` and `report`.
//!
//! A sweep is a folder of run folders, one per cell; a cell with a `result.json` is finished. Each cell runs in its own
//! process. If a sweep is killed, the same command resumes it.
//!
//! | module | subject |
//! |---|---|
//! | `command`, `options` | the command and its options |
//! | `preset`, `axis`, `plan` | from options to cells |
//! | `cell`, `file` | one cell, and `sweep.json` with all of them |
//! | `folder`, `models`, `memory` | who works in the folder, what stays there, what fits |
//! | `pool`, `process`, `progress` | cells in processes on this machine |
//! | `slurm` | cells on a cluster |
//! | `status` | what a sweep folder contains |
//! | `report` | the page of a sweep |
//!
//! The program that runs a sweep starts itself again for each cell, so it must offer [`SweepCell`] as the command
//! `sweep-cell` and [`Sweep`] as `sweep`.

mod axis;
mod cell;
mod command;
mod file;
mod folder;
mod memory;
mod models;
mod options;
mod plan;
mod pool;
mod preset;
mod process;
mod progress;
mod report;
mod slurm;
mod status;

pub use command::Sweep;
pub use process::SweepCell;
pub use report::Report;

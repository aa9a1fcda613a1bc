//! Code that all commands share: global options, logging, progress bars, threads, the model resolver, exit statuses.
//!
//! | module | subject |
//! |---|---|
//! | [`global`] | options that every command accepts, logging |
//! | [`options`] | `--device`, `--engine`, `--precision`, `--threads` |
//! | [`model`] | resolves `--model` |
//! | [`data`] | resolves `--corpus`, `--sts` and `--treebank` |
//! | [`progress`], [`download`] | bars on a terminal, plain lines elsewhere |
//! | [`output`] | results, notes and tables |
//! | [`exit`] | exit statuses |
//!
//! Results go to standard output, everything else to standard error. With `--quiet`, only errors go to standard error.

pub mod data;
pub mod download;
pub mod exit;
pub mod global;
mod memory;
pub mod model;
pub mod options;
pub mod output;
pub mod progress;
mod threads;

pub use exit::{Interrupted, OutputClosed, Stopped};
pub use global::{GlobalOptions, run};
pub use options::{ComputeOptions, EngineOptions};
pub use output::{note, notice, print, print_json};

// Each step allocates and frees hundreds of tensors; the system allocator returns their pages every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

//! What the commands share: global options, logging, progress, threads, the model resolver, exit statuses.
//!
//! | module | subject |
//! |---|---|
//! | [`global`] | options that every command accepts, logging |
//! | [`options`] | `--device`, `--engine`, `--precision`, `--threads` |
//! | [`model`] | what `--model` accepts, and where it leads |
//! | [`data`] | defaults of `--corpus` and `--sts` |
//! | [`progress`], [`download`] | bars on a terminal, plain lines elsewhere |
//! | [`output`] | results, notes and tables |
//! | [`exit`] | exit statuses |
//!
//! Results go to standard output; everything else goes to standard error, and `--quiet` silences all of it but errors.

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

pub use exit::{Interrupted, Stopped};
pub use global::{GlobalOptions, run};
pub use options::{ComputeOptions, EngineOptions};
pub use output::{note, notice, print, print_json};

// Tensors are allocated and freed by the hundred in each step; the system allocator returns their pages every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

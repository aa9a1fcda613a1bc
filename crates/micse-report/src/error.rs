//! What can go wrong.

use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the sweep cannot be read, or is not what it should be.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A run's result cannot be read.
    #[error(transparent)]
    Run(#[from] micse_train::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] micse_files::Error),
    /// The sweep has no such baseline.
    #[error("baseline {name}: the sweep has no such method; give one of {methods}")]
    Baseline {
        /// The name given.
        name: String,
        /// The sweep's methods.
        methods: String,
    },
    /// The published figures that are built in are not what they should be.
    #[error("data/paper.toml: {reason}")]
    Paper {
        /// Which figure, and what is wrong.
        reason: String,
    },
    /// A comparison cannot be computed.
    #[error("a comparison: {0}")]
    Statistics(#[from] micse_stats::Error),
    /// A data frame operation failed.
    #[error("a table: {0}")]
    Frame(#[from] polars::error::PolarsError),
    /// A table cannot be written as CSV.
    #[error("a table cannot be written as CSV: {0}")]
    Csv(String),
}

impl Error {
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

//! The error type of this crate.

use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the sweep cannot be read or is invalid.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong and how to fix it.
        reason: String,
    },
    /// A run's result cannot be read.
    #[error(transparent)]
    Run(#[from] micse_train::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] micse_files::Error),
    /// The sweep has no method with the baseline's name.
    #[error("baseline {name}: no such method in this sweep; choose one of {methods}")]
    Baseline {
        /// The requested name.
        name: String,
        /// The sweep's methods.
        methods: String,
    },
    /// The built-in published results are inconsistent.
    #[error("data/paper.toml: {reason}")]
    Paper {
        /// Which entry, and what is wrong.
        reason: String,
    },
    /// A comparison cannot be computed.
    #[error("cannot compute a comparison: {0}")]
    Statistics(#[from] micse_stats::Error),
    /// A data frame operation failed.
    #[error("cannot build a table: {0}")]
    Frame(#[from] polars::error::PolarsError),
    /// Two models cannot be compared.
    #[error("cannot compare two models of the sweep: {0}")]
    Compare(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Numbers of a figure cannot be computed or written.
    #[error(transparent)]
    Figure(Box<micse_figures::Error>),
    /// A table cannot be written as CSV.
    #[error("a table cannot be written as CSV: {0}")]
    Csv(String),
}

impl From<micse_figures::Error> for Error {
    fn from(error: micse_figures::Error) -> Self {
        Self::Figure(Box::new(error))
    }
}

impl Error {
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_path_buf(), reason: reason.to_string() }
    }
}

/// The result type of this crate.
pub type Result<T> = std::result::Result<T, Error>;

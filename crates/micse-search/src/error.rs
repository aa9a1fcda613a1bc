//! The crate's error type.

use std::path::{Path, PathBuf};

/// Errors of embedding files and searches.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Not a NumPy file with one f32 matrix.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The problem and the fix.
        reason: String,
    },
    /// A row with NaN or infinity, which has no cosine.
    #[error("{}: row {row} contains NaN or infinity, so it has no cosine; encode its sentence again", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: usize,
    },
    /// Rows that cannot be indexed.
    #[error("rows: {reason}")]
    Rows {
        /// What is wrong.
        reason: String,
    },
    /// A query that cannot be compared with the rows.
    #[error("query {query}: {reason}")]
    Query {
        /// The query, from 0.
        query: usize,
        /// The problem and the fix.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn format(path: &Path, reason: impl Into<String>) -> Self {
        Self::Format { path: path.into(), reason: reason.into() }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

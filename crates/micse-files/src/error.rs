//! The crate's one error type.

use std::path::{Path, PathBuf};

/// What can go wrong with files and folders.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}{}", path.display(), remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A value that JSON cannot express.
    #[error("{}: cannot be written as JSON: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Another process holds a folder.
    #[error("{}: another process works here ({holder}); wait for it, or end it", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Its number, machine and age, as far as it said them.
        holder: String,
    },
    /// A file system without locks.
    #[error(
        "{}: this file system cannot lock files, without which two processes could write one folder; use a folder on \
         another one",
        path.display()
    )]
    NoLocks {
        /// The lock's file.
        path: PathBuf,
    },
    /// A folder that is no longer the one that was locked.
    #[error(
        "{}: the folder was removed or replaced while this process worked in it; nothing more is written there. Start \
         again in a folder that stays",
        path.display()
    )]
    Replaced {
        /// The lock's file.
        path: PathBuf,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What to do about a system's error, to be said after it; nothing for most of them.
pub fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        "; make room and start the same command again: what was written before is whole"
    } else {
        ""
    }
}

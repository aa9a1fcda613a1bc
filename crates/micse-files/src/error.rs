//! The crate's error type.

use std::path::{Path, PathBuf};

/// Errors of file and folder operations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}{}", path.display(), remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A folder that cannot be created or written.
    #[error("{}: cannot write to this folder: {source}{}", path.display(), folder_remedy(source))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A folder where a file is to be written.
    #[error("{}: is a folder; pass the name of a file", path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A device, pipe or socket where a file is to be written.
    #[error("{}: is a device, a pipe or a socket, no regular file; pass the name of a file", path.display())]
    NoFile {
        /// The device, pipe or socket.
        path: PathBuf,
    },
    /// A value that JSON cannot express.
    #[error("{}: cannot be written as JSON: {reason}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Another process has locked a folder.
    #[error("{}: another process is using this folder ({holder}); wait for it to finish, or stop it", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
        /// Its process ID, host and age, as far as the lock file records them.
        holder: String,
    },
    /// A file system without file locks.
    #[error(
        "{}: this file system cannot lock files, so two processes could write to the same folder; use a folder on \
        another file system",
        path.display()
    )]
    NoLocks {
        /// The lock file.
        path: PathBuf,
    },
    /// The folder is no longer the one that was locked.
    #[error(
        "{}: the folder was removed or replaced while this process was working in it; nothing more is written. \
         Run the same command again, in a folder that nothing else removes",
        path.display()
    )]
    Replaced {
        /// The lock file.
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

fn folder_remedy(error: &std::io::Error) -> &'static str {
    match remedy(error) {
        "" => "; pass another folder",
        full => full,
    }
}

/// What to do about an operating-system error, to append to its message; empty for most errors.
pub fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        "; free some space and run the same command again; files already written are intact"
    } else {
        ""
    }
}

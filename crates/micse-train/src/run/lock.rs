//! One process at a time in a run's folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::{Error, Result};

/// Held while a process works on a run; the system lets go of it when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the folder, making it if it is not there.
    ///
    /// # Errors
    /// Another process holds it, or it cannot be written.
    pub fn take(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let path = folder.join(".lock");
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::run(folder, "another process works on this run; wait for it, or end it"))
            }
            Err(TryLockError::Error(e)) => Err(Error::io(&path)(e)),
        }
    }
}

//! Locks that admit one process at a time to a folder.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// A lock on a folder. The operating system releases it when the process ends, however it ends.
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Name of the lock file.
    pub const FILE: &str = ".lock";

    /// Locks the folder, creating it if it is missing. Waits up to `patience` for another process to release
    /// it.
    ///
    /// # Errors
    /// Fails if another process holds the lock (the error reports its process ID, host and age), or if the
    /// folder cannot be written.
    pub fn take(folder: &Path, patience: Duration) -> Result<Self> {
        let refused = |source| Error::Folder { path: folder.into(), source };
        std::fs::create_dir_all(folder).map_err(refused)?;
        let path = folder.join(Self::FILE);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(refused)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if since.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Held { folder: folder.into(), holder: holder(&mut file) });
                }
                Err(TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => {
                    return Err(Error::NoLocks { path });
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(&path)(e)),
            }
        }
        // The holder's name is information for people only. The lock works without it, so a full disk is no
        // error here.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
            write!(file, "process {} on {}", std::process::id(), gethostname::gethostname().to_string_lossy())
        });
        Ok(Self { file, path })
    }

    /// Checks that the folder is still the one that was locked. Somebody may have removed it and created it
    /// again, and it then belongs to their run. Call this before every write.
    ///
    /// # Errors
    /// Fails if the folder was removed or replaced.
    pub fn check(&self) -> Result<()> {
        if self.is_in_place().map_err(Error::io(&self.path))? {
            return Ok(());
        }
        Err(Error::Replaced { path: self.path.clone() })
    }

    #[cfg(unix)]
    fn is_in_place(&self) -> std::io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let held = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (held.dev(), held.ino())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// On other systems, open files cannot be removed.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> std::io::Result<bool> {
        Ok(self.path.is_file())
    }

    /// Whether a process holds the lock, as far as this machine can see.
    pub fn is_held(folder: &Path) -> bool {
        let Ok(file) = File::options().read(true).open(folder.join(Self::FILE)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // An unreadable lock file counts as empty.
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut text));
    let age = file.metadata().and_then(|m| m.modified()).ok().and_then(|m| m.elapsed().ok());
    let text = if text.is_empty() { "unknown process".to_owned() } else { text };
    age.map_or_else(|| text.clone(), |age| format!("{text}, for {} min", age.as_secs() / 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Lock::is_held(folder.path()));
        let first = Lock::take(folder.path(), Duration::ZERO).unwrap();
        assert!(Lock::is_held(folder.path()));
        let Err(error) = Lock::take(folder.path(), Duration::from_millis(80)) else { panic!("taken twice") };
        assert!(error.to_string().contains(&format!("process {} on ", std::process::id())), "{error}");
        drop(first);
        assert!(!Lock::is_held(folder.path()));
        Lock::take(folder.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_folder_that_was_replaced_is_no_longer_held() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        let lock = Lock::take(&folder, Duration::ZERO).unwrap();
        lock.check().unwrap();
        std::fs::rename(&folder, parent.path().join("away")).unwrap();
        assert!(lock.check().unwrap_err().to_string().contains("removed or replaced"));
        let second = Lock::take(&folder, Duration::ZERO).unwrap();
        assert!(lock.check().is_err());
        second.check().unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_a_remedy() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "text").unwrap();
        let Err(error) = Lock::take(&file, Duration::ZERO) else { panic!("a file was locked as a folder") };
        assert!(error.to_string().contains("file: cannot write to this folder"), "{error}");
        assert!(error.to_string().ends_with("; pass another folder"), "{error}");
    }

    #[test]
    fn a_patient_one_waits() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), Duration::ZERO).unwrap();
        let waiting = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(120));
            drop(first);
        });
        Lock::take(folder.path(), Duration::from_secs(30)).unwrap();
        waiting.join().unwrap();
    }
}

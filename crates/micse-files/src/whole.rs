//! Atomic file writes: written under a temporary name, synced, renamed, and the folder synced.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::leftovers::PREFIX;
use crate::{Error, Result};

/// A file that gets its final name only when it is complete.
pub struct WholeFile {
    temporary: NamedTempFile,
    path: PathBuf,
}

/// The folder that contains `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new name survives a power cut once the folder is synced. Where folders cannot be opened, the operating
/// system takes care of it.
fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

impl WholeFile {
    /// Creates the temporary file, and missing folders.
    ///
    /// # Errors
    /// Fails if the folder cannot be written, or the path is a folder.
    pub fn create(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::IsFolder { path: path.into() });
        }
        let folder = folder_of(path);
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let temporary =
            tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).map_err(Error::io(folder))?;
        Ok(Self { temporary, path: path.into() })
    }

    /// The open file, for writing.
    ///
    /// # Errors
    /// Fails if the operating system has no file handles left.
    pub fn handle(&self) -> Result<File> {
        self.temporary.as_file().try_clone().map_err(Error::io(&self.path))
    }

    /// The file's final path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file and gives it its final name.
    ///
    /// # Errors
    /// Fails if the disk is full or the folder cannot be written. An older file of this name is then
    /// untouched.
    pub fn publish(self) -> Result<()> {
        let Self { temporary, path } = self;
        temporary.as_file().sync_all().map_err(Error::io(&path))?;
        // Temporary files are private; published files get the usual permissions.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let permissions = std::fs::Permissions::from_mode(0o644);
            temporary.as_file().set_permissions(permissions).map_err(Error::io(&path))?;
        }
        temporary.persist(&path).map_err(|e| Error::Io { path: path.clone(), source: e.error })?;
        sync_folder(folder_of(&path))
    }
}

/// Writes `bytes` to `path` atomically: at any moment, either the old file or the complete new one exists.
/// Creates missing folders.
///
/// # Errors
/// Fails if the folder cannot be written (no permission, no space). The old file is then untouched.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = WholeFile::create(path)?;
    file.temporary.as_file().write_all(bytes).map_err(Error::io(path))?;
    file.publish()
}

/// Writes a value with [`write_whole`], as indented JSON with a final newline.
///
/// # Errors
/// Those of [`write_whole`], or a value that JSON cannot express.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::Json { path: path.into(), reason: e.to_string() })?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}

/// Renames a complete file or folder within one file system, replacing anything at `to`, and syncs the
/// folder.
///
/// # Errors
/// Fails if the folder cannot be written.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(Error::io(to))?;
    sync_folder(folder_of(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("file");
        write_whole(&path, b"old").unwrap();
        let file = WholeFile::create(&path).unwrap();
        file.handle().unwrap().write_all(b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        file.publish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        // A dropped file leaves nothing behind.
        drop(WholeFile::create(&path).unwrap());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let other = folder.path().join("other");
        rename(&path, &other).unwrap();
        assert!(other.is_file() && !path.exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let occupied = folder.path().join("occupied");
        write_whole(&occupied, b"").unwrap();
        let error = write_whole(&occupied.join("file"), b"").unwrap_err().to_string();
        assert!(error.contains("occupied"), "{error}");
        let error =
            write_json(&folder.path().join("a.json"), &std::collections::BTreeMap::from([((1, 2), 3)]));
        assert!(error.unwrap_err().to_string().contains("a.json"));
    }
}

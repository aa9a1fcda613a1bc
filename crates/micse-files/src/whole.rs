//! Atomic file writes: written under a temporary name, synced, renamed, and the folder synced.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::leftovers::{self, PREFIX};
use crate::{Error, Result};

/// A file that gets its final name only when it is complete.
pub struct WholeFile {
    temporary: NamedTempFile,
    path: PathBuf,
    /// Where it goes: the path, or what the links there lead to.
    target: PathBuf,
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

/// The most links that are followed, as in Linux.
const LINKS: usize = 40;

/// The file that the symbolic links at `path` lead to, whether it exists or not.
fn behind_links(path: &Path) -> Result<PathBuf> {
    let mut target = path.to_path_buf();
    for _ in 0..LINKS {
        match std::fs::read_link(&target) {
            Ok(link) => target = folder_of(&target).join(link),
            // Not a link, or not there.
            Err(_) => return Ok(target),
        }
    }
    Err(Error::io(path)(std::io::Error::other("too many symbolic links")))
}

/// A new file with the permissions that the user's settings give (the umask), under a name of its own.
fn temporary_file(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

impl WholeFile {
    /// Creates the temporary file, and missing folders. A symbolic link at `path` stays: the file that it leads to
    /// is replaced.
    ///
    /// # Errors
    /// Fails if the folder cannot be written, or the path is a folder, a device, a pipe or a socket.
    pub fn create(path: &Path) -> Result<Self> {
        // Before the links are followed by name: those of /dev/stdout end in a pipe that has none.
        match std::fs::metadata(path) {
            Ok(facts) if facts.is_dir() => return Err(Error::IsFolder { path: path.into() }),
            Ok(facts) if !facts.is_file() => return Err(Error::NoFile { path: path.into() }),
            // What cannot be looked at cannot be written either, and the next steps say why.
            _ => {}
        }
        let target = behind_links(path)?;
        let folder = folder_of(&target);
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let temporary = temporary_file(folder).map_err(Error::io(folder))?;
        leftovers::mark_as_used(temporary.as_file());
        Ok(Self { temporary, path: path.into(), target })
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

    /// Syncs the file and gives it its final name, and the permissions of the file that it replaces.
    ///
    /// # Errors
    /// Fails if the disk is full or the folder cannot be written. An older file of this name is then
    /// untouched.
    pub fn publish(self) -> Result<()> {
        let Self { temporary, path, target } = self;
        temporary.as_file().sync_all().map_err(Error::io(&path))?;
        #[cfg(unix)]
        if let Ok(replaced) = std::fs::metadata(&target) {
            temporary.as_file().set_permissions(replaced.permissions()).map_err(Error::io(&path))?;
        }
        temporary.persist(&target).map_err(|e| Error::Io { path, source: e.error })?;
        sync_folder(folder_of(&target))
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

    #[cfg(unix)]
    #[test]
    fn links_stay_and_what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        std::fs::create_dir(at("disk")).unwrap();
        std::fs::write(at("disk/rows"), b"old").unwrap();
        link("disk/rows", "rows");
        link("rows", "second");
        link("disk/new", "dangling");
        for (name, target) in [("second", "disk/rows"), ("dangling", "disk/new")] {
            write_whole(&at(name), name.as_bytes()).unwrap();
            assert_eq!(std::fs::read(at(target)).unwrap(), name.as_bytes());
            assert!(std::fs::read_link(at(name)).is_ok() && !at(target).is_symlink());
        }
        link("b", "a");
        link("a", "b");
        assert!(write_whole(&at("a"), b"").unwrap_err().to_string().contains("too many symbolic links"));
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        link("/dev/null", "null");
        link("disk", "folder");
        for (name, reason) in
            [("socket", "no regular file"), ("null", "no regular file"), ("folder", "is a folder")]
        {
            let error = write_whole(&at(name), b"").unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(reason), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_replaced_file_keeps_its_permissions_and_a_new_one_has_the_usual_ones() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let [usual, new, old] = ["usual", "new", "old"].map(|name| folder.path().join(name));
        std::fs::write(&usual, b"").unwrap();
        write_whole(&new, b"").unwrap();
        assert_eq!(mode(&new), mode(&usual));
        std::fs::write(&old, b"private").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o600)).unwrap();
        write_whole(&old, b"still private").unwrap();
        assert_eq!(mode(&old), 0o600);
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

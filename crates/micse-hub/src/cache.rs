//! The layout of the cache, which is that of the Python library:
//!
//! ```text
//! CACHE/models--OWNER--NAME/blobs/ETAG                 file contents
//! CACHE/models--OWNER--NAME/blobs/ETAG.incomplete      a download in progress
//! CACHE/models--OWNER--NAME/snapshots/COMMIT/FILE      links to blobs
//! CACHE/models--OWNER--NAME/refs/REVISION              the commit of a branch or tag
//! CACHE/models--OWNER--NAME/.no_exist/COMMIT/FILE      empty: the commit has no such file
//! CACHE/.locks/models--OWNER--NAME/ETAG.lock           locked during a download
//! ```
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::id;
use crate::{Event, Hub, Progress};

/// Pause between two attempts to take a held lock.
const POLL: Duration = Duration::from_millis(100);

const REMEDY: &str = "set HF_HOME or HF_HUB_CACHE to a folder on a local disk that you can write to";

/// One repository's part of the cache.
pub(crate) struct Store {
    root: PathBuf,
    locks: PathBuf,
}

impl Store {
    pub(crate) fn new(cache: &Path, folder: &str) -> Self {
        Self { root: cache.join(folder), locks: cache.join(".locks").join(folder) }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    pub(crate) fn partial(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The commit that a revision pointed to at the last lookup.
    pub(crate) fn commit(&self, revision: &str) -> Result<Option<String>> {
        if id::is_commit(revision) {
            return Ok(Some(revision.to_owned()));
        }
        let path = self.root.join("refs").join(revision);
        match std::fs::read_to_string(&path) {
            Ok(commit) => Ok(Some(commit.trim().to_owned()).filter(|commit| id::is_commit(commit))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", &path, source)),
        }
    }

    /// Records the commit of a branch or tag.
    pub(crate) fn set_commit(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.commit(revision)?.as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        let temporary = beside(&path);
        create_parent(&path)?;
        std::fs::write(&temporary, commit).map_err(|source| failed("write", &temporary, source))?;
        rename(&temporary, &path)
    }

    /// The readable files of a snapshot, by their names in the repository.
    pub(crate) fn files(&self, commit: &str) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let snapshot = self.snapshot(commit);
        if snapshot.is_dir() {
            collect(&snapshot, "", &mut names)?;
        }
        Ok(names)
    }

    /// Whether the cache records that a commit does not have a file.
    pub(crate) fn lacks(&self, commit: &str, file: &str) -> bool {
        self.absent(commit, file).exists()
    }

    /// Records that a commit does not have a file.
    pub(crate) fn set_lacking(&self, commit: &str, file: &str) -> Result<()> {
        let path = self.absent(commit, file);
        create_parent(&path)?;
        File::create(&path).map(|_| ()).map_err(|source| failed("write", &path, source))
    }

    fn absent(&self, commit: &str, file: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(file)
    }

    /// Waits for the lock on a blob. Dropping the returned file releases it.
    pub(crate) fn lock(
        &self,
        etag: &str,
        file: &str,
        hub: &Hub,
        progress: &mut Progress<'_>,
    ) -> Result<File> {
        let path = self.locks.join(format!("{etag}.lock"));
        create_parent(&path)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| failed("open the lock file", &path, source))?;
        let longest = hub.settings.patience.lock;
        let begun = Instant::now();
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path, source)),
                Err(TryLockError::WouldBlock) if begun.elapsed() >= longest => {
                    return Err(Error::Locked {
                        file: file.to_owned(),
                        seconds: begun.elapsed().as_secs(),
                        lock: path,
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        told = true;
                        progress(Event::Note(&format!(
                            "{file}: waiting for another process that is downloading it"
                        )));
                    }
                    hub.go_on()?;
                    std::thread::sleep(POLL.min(longest));
                }
            }
        }
    }

    /// Links a blob into a snapshot.
    pub(crate) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<PathBuf> {
        let blob = self.blob(etag);
        let path = self.snapshot(commit).join(file);
        create_parent(&path)?;
        // Created in the blob folder, so that a snapshot never contains a temporary name.
        let temporary = beside(&blob);
        remove(&temporary)?;
        link(&blob, &temporary, file).map_err(|source| failed("create the link", &path, source))?;
        rename(&temporary, &path)?;
        Ok(path)
    }

    /// Removes a file from a snapshot, together with its blob.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        // Remove the target of the link only if it is one of this repository's own blobs.
        let content = std::fs::canonicalize(path).ok();
        let blobs = std::fs::canonicalize(self.root.join("blobs")).ok();
        std::fs::remove_file(path).map_err(|source| failed("remove", path, source))?;
        match (content, blobs) {
            (Some(content), Some(blobs)) if content.parent() == Some(&blobs) => remove(&content),
            _ => Ok(()),
        }
    }
}

/// The link is relative, so that the cache can be moved as a whole.
#[cfg(unix)]
fn link(blob: &Path, path: &Path, file: &str) -> io::Result<()> {
    let name = blob.file_name().unwrap_or_default();
    let mut target: PathBuf = std::iter::repeat_n("..", 2 + file.matches('/').count()).collect();
    target.extend([Path::new("blobs"), Path::new(name)]);
    std::os::unix::fs::symlink(target, path)
}

/// On other systems, symbolic links need rights that users seldom have.
#[cfg(not(unix))]
fn link(blob: &Path, path: &Path, _file: &str) -> io::Result<()> {
    std::fs::hard_link(blob, path)
}

/// Removes a file that may already be gone.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(failed("remove", path, source)),
        _ => Ok(()),
    }
}

pub(crate) fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(|source| failed("create", parent, source))
}

pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.to_owned(), remedy: REMEDY, source }
}

/// Gives a complete file its final name.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    micse_files::rename(from, to).map_err(|error| match error {
        micse_files::Error::Io { path, source } => failed("write", &path, source),
        other => failed("write", to, io::Error::other(other)),
    })
}

/// A temporary name in the same folder that no other process or thread uses.
fn beside(path: &Path) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.{thread}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn collect(folder: &Path, prefix: &str, names: &mut BTreeSet<String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|source| failed("read", folder, source))?;
    for entry in entries {
        let path = entry.map_err(|source| failed("read", folder, source))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), names)?;
        } else if path.is_file() {
            names.insert(format!("{prefix}{name}"));
        }
    }
    Ok(())
}

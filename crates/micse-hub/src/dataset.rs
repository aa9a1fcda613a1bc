//! One file of a dataset.
use std::path::PathBuf;

use crate::cache::Store;
use crate::error::{Error, Result};
use crate::fetch::sha256;
use crate::id::{Repository, is_safe_path, is_sha256};
use crate::{Event, Hub, Progress};

impl Hub {
    /// A file of a dataset in the cache; it is fetched if it is not there.
    ///
    /// `id` is `owner/name` or `name`, `revision` a branch, tag or commit. With `sha256` (64 hexadecimal digits) the
    /// file is compared: one in the cache that has it is taken without a request, a wrong one is removed. Without,
    /// see [`crate::sha256`] for what to show the user. If the Hub does not answer, or refuses, a file of the cache is
    /// taken, and an [`Event::Note`] says so.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Checksum`], [`Error::Name`] (an id, file or checksum that is none), and those
    /// of [`Hub::model`].
    pub fn dataset_file(
        &self,
        id: &str,
        file: &str,
        revision: &str,
        sha256: Option<&str>,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf> {
        let repository = Repository::dataset(id, revision)?;
        if !is_safe_path(file) {
            return Err(Error::Name {
                value: file.to_owned(),
                what: "file of a dataset",
                remedy: "write its path in the repository, as its page shows it",
            });
        }
        let wanted = sha256.map(str::to_ascii_lowercase);
        if let Some(wanted) = wanted.as_ref().filter(|wanted| !is_sha256(wanted)) {
            return Err(Error::Name {
                value: wanted.clone(),
                what: "SHA-256",
                remedy: "write 64 hexadecimal digits",
            });
        }
        let wanted = wanted.as_deref();
        let store = self.store(&repository);
        let there = cached(&store, &repository, file)?;
        if let (Some(path), Some(wanted)) = (&there, wanted)
            && crate::sha256(path)? == wanted
        {
            return Ok(path.clone());
        }
        let path = if self.settings.offline {
            there.ok_or_else(|| Error::Offline {
                id: id.to_owned(),
                revision: revision.to_owned(),
                missing: format!("{file} is not in the cache"),
                cache: store.root().to_owned(),
            })?
        } else {
            match (self.current(&store, &repository, file, wanted, progress), there) {
                (Ok(path), _) => path,
                (Err(error), Some(path)) if is_of_the_connection(&error) => {
                    progress(Event::Note(&format!("{id} {file}: taken from the cache, because {error}")));
                    path
                }
                (Err(error), _) => return Err(error),
            }
        };
        match wanted {
            Some(wanted) => compare(&store, file, path, wanted),
            None => Ok(path),
        }
    }

    /// The file as the Hub has it now.
    fn current(
        &self,
        store: &Store,
        repository: &Repository,
        file: &str,
        wanted: Option<&str>,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf> {
        let content = self.describe(repository, &repository.revision, file)?;
        // The Hub names the sum of a large file, so that a wrong one need not be fetched.
        if let Some(expected) = wanted.filter(|wanted| is_sha256(&content.etag) && *wanted != content.etag) {
            return Err(Error::Checksum {
                file: file.to_owned(),
                expected: expected.to_owned(),
                found: content.etag,
            });
        }
        let path = store.snapshot(&content.commit).join(file);
        let whole = path
            .metadata()
            .is_ok_and(|there| there.is_file() && content.size.is_none_or(|size| size == there.len()));
        let path = if whole { path } else { self.fetch(repository, file, &content, progress)? };
        store.set_commit(&repository.revision, &content.commit)?;
        Ok(path)
    }
}

fn cached(store: &Store, repository: &Repository, file: &str) -> Result<Option<PathBuf>> {
    let commit = store.commit(&repository.revision)?;
    Ok(commit.map(|commit| store.snapshot(&commit).join(file)).filter(|path| path.is_file()))
}

fn compare(store: &Store, file: &str, path: PathBuf, wanted: &str) -> Result<PathBuf> {
    let found = sha256(&path)?;
    if found == wanted {
        return Ok(path);
    }
    store.remove(&path)?;
    Err(Error::Checksum { file: file.to_owned(), expected: wanted.to_owned(), found })
}

/// Whether an error says that the Hub cannot be asked, rather than what it answers.
fn is_of_the_connection(error: &Error) -> bool {
    matches!(
        error,
        Error::Unreachable { .. } | Error::Status { .. } | Error::Reply { .. } | Error::Refused { .. }
    )
}

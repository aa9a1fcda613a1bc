//! Downloads single files of a dataset.
use std::path::PathBuf;

use crate::cache::Store;
use crate::error::{Error, Result};
use crate::fetch::sha256;
use crate::id::{Repository, is_safe_path, is_sha256};
use crate::{Event, Hub, Progress};

impl Hub {
    /// Returns the cached path of a dataset file, and downloads the file if it is missing.
    ///
    /// `id` is `owner/name` or `name`; `revision` is a branch, tag or commit. With `sha256` (64 hexadecimal
    /// digits), the file is checked: a cached file that matches is used without a request, and a file that
    /// does not match is removed. Without it, show the user the [`crate::sha256`] of the file. If the Hub
    /// does not answer, or rejects the request, a cached file is used and an [`Event::Note`] reports it.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Checksum`], [`Error::Name`] (an invalid ID, file name or checksum),
    /// and the errors of [`Hub::model`].
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
                what: "path in a dataset repository",
                remedy: "write the path as the dataset's page on the Hub shows it",
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
                    progress(Event::Note(&format!("{id} {file}: using the cached copy, because {error}")));
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

    /// The current version of the file on the Hub.
    fn current(
        &self,
        store: &Store,
        repository: &Repository,
        file: &str,
        wanted: Option<&str>,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf> {
        let content = self.describe(repository, &repository.revision, file)?;
        // The Hub states the checksum of a large file, so a file that differs need not be downloaded.
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

/// Whether the error means that the Hub cannot answer, as opposed to being its answer.
fn is_of_the_connection(error: &Error) -> bool {
    matches!(
        error,
        Error::Unreachable { .. } | Error::Status { .. } | Error::Reply { .. } | Error::Refused { .. }
    )
}

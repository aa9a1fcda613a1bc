//! Downloads model folders.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use crate::cache::{Store, failed};
use crate::error::{Error, Result};
use crate::http::Ask;
use crate::id::{self, Repository};
use crate::plan::{MODULES, NoPlan, plan};
use crate::refusal::{Fault, Subject};
use crate::{Event, Hub, Progress};

/// A repository's files at a commit.
struct Listing {
    commit: String,
    /// Names, with sizes in bytes where the Hub states them.
    files: BTreeMap<String, Option<u64>>,
}

#[derive(Deserialize)]
struct ListingReply {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(default)]
    size: Option<u64>,
}

/// Whether the Hub, or offline the cache, does not have the repository. To an anonymous request, the Hub answers 401 in
/// that case, as for a private repository.
fn is_unknown(error: &Error) -> bool {
    match error {
        Error::NoSuchRepository { .. } | Error::Offline { .. } => true,
        Error::Refused { status: 401, said, .. } => !said.contains("Invalid credentials"),
        _ => false,
    }
}

impl Hub {
    /// Returns the cached folder of a model with all files that a model needs, and downloads the missing
    /// ones.
    ///
    /// `id` is `owner/name` or `name`, optionally followed by `@` and a branch, tag or commit (default:
    /// `main`). A name without an owner that the Hub does not have, or of which only `sentence-transformers/name` is in the
    /// cache, means that model, and an [`Event::Note`] reports it. One request looks up the current commit and its files; a full commit hash that is in the
    /// cache needs none. If the Hub does not answer, or rejects the request, a complete cached folder is used
    /// and an [`Event::Note`] reports it.
    ///
    /// # Errors
    /// - [`Error::Name`]: `id` is not a valid Hub ID.
    /// - [`Error::NoSuchRepository`], [`Error::NoSuchRevision`], [`Error::Refused`], [`Error::Status`],
    ///   [`Error::Reply`], [`Error::Unreachable`]: the Hub's answer, or none.
    /// - [`Error::Offline`]: offline mode is on, and the cache is incomplete.
    /// - [`Error::NotAModel`]: the repository has no weights, configuration or tokenizer of a known name, or
    ///   refers to files outside its folder.
    /// - [`Error::BrokenOff`], [`Error::Size`], [`Error::Checksum`]: a download failed.
    /// - [`Error::DiskFull`], [`Error::Locked`], [`Error::File`]: the cache cannot be written.
    pub fn model(&self, id: &str, progress: &mut Progress<'_>) -> Result<PathBuf> {
        let repository = Repository::model(id)?;
        let Some(owned) = repository.of_sentence_transformers() else {
            return self.model_of(&repository, progress);
        };
        let is_cached = |repository: &Repository| self.settings.cache.join(repository.folder()).is_dir();
        if is_cached(&owned) && !is_cached(&repository) {
            return self.model_instead(id, &owned, progress);
        }
        match self.model_of(&repository, progress) {
            Err(error) if is_unknown(&error) => match self.model_instead(id, &owned, progress) {
                // Neither exists: the error is that of the name as it was given.
                Err(second) if is_unknown(&second) => Err(error),
                other => other,
            },
            other => other,
        }
    }

    /// [`Self::model_of`] for another repository than the one that was asked for, which a note reports.
    fn model_instead(
        &self,
        asked: &str,
        repository: &Repository,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf> {
        let folder = self.model_of(repository, progress)?;
        progress(Event::Note(&format!("{asked}: using {}", repository.id)));
        Ok(folder)
    }

    fn model_of(&self, repository: &Repository, progress: &mut Progress<'_>) -> Result<PathBuf> {
        let store = self.store(repository);
        if self.settings.offline {
            return cached(repository, &store, progress);
        }
        if id::is_commit(&repository.revision)
            && is_settled(&store, &repository.revision)
            && let Ok(folder) = cached(repository, &store, progress)
        {
            return Ok(folder);
        }
        match self.listing(repository) {
            Ok(listing) => self.complete(repository, &store, &listing, progress),
            Err(error @ Error::NoSuchRevision { .. }) => Err(error),
            Err(error) => match cached(repository, &store, progress) {
                Ok(folder) => {
                    let id = &repository.id;
                    progress(Event::Note(&format!("{id}: using the cached copy, because {error}")));
                    Ok(folder)
                }
                Err(_) => Err(error),
            },
        }
    }

    fn listing(&self, repository: &Repository) -> Result<Listing> {
        let url = self.client.address(&repository.listing());
        let subject = Subject { repository, file: None, revision: &repository.revision, url: &url };
        let odd = |problem| Error::Reply { url: url.clone(), problem };
        let cut_off = |cause| Fault::passing(Error::Unreachable { url: url.clone(), cause });
        let text = self.insist(|| self.ask(Ask::Get { from: 0 }, &subject)?.text().map_err(cut_off))?;
        let reply: ListingReply =
            serde_json::from_str(&text).map_err(|error| odd(format!("not a list of files ({error})")))?;
        if !id::is_commit(&reply.sha) {
            return Err(odd(format!("sha {:?} is not a commit hash", reply.sha)));
        }
        let size = |file: &Sibling| file.lfs.as_ref().and_then(|lfs| lfs.size).or(file.size);
        let files = reply.siblings.into_iter().map(|file| (file.rfilename.clone(), size(&file))).collect();
        Ok(Listing { commit: reply.sha, files })
    }

    /// Downloads the files that are in the plan but not in the snapshot.
    fn complete(
        &self,
        repository: &Repository,
        store: &Store,
        listing: &Listing,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf> {
        let commit = &listing.commit;
        let snapshot = store.snapshot(commit);
        let names: BTreeSet<String> = listing.files.keys().cloned().collect();
        let mut fetched = 0;
        let mut have = |name: &str| -> Result<PathBuf> {
            let path = snapshot.join(name);
            let size = listing.files.get(name).copied().flatten();
            match path.metadata() {
                Ok(there) if size.is_none_or(|size| there.len() == size) => return Ok(path),
                Ok(there) => progress(Event::Note(&format!(
                    "{name}: {} bytes in the cache, {} on the Hub; downloading it again",
                    there.len(),
                    size.unwrap_or_default()
                ))),
                Err(_) => {}
            }
            let content = self.describe(repository, commit, name)?;
            fetched += 1;
            self.fetch(repository, name, &content, progress)
        };
        let read = |name: &str| {
            let path = have(name)?;
            std::fs::read_to_string(&path).map_err(|source| failed("read", &path, source))
        };
        let wanted = plan(&names, read).map_err(|no| error_of(no, repository))?;
        for name in &wanted {
            have(name)?;
        }
        if fetched > 0 && !names.contains(MODULES) {
            store.set_lacking(commit, MODULES)?;
        }
        store.set_commit(&repository.revision, commit)?;
        Ok(snapshot)
    }
}

/// Whether the cache records if a commit has sentence-transformers modules.
fn is_settled(store: &Store, commit: &str) -> bool {
    store.snapshot(commit).join(MODULES).is_file() || store.lacks(commit, MODULES)
}

/// The cached folder, if it is complete.
fn cached(repository: &Repository, store: &Store, progress: &mut Progress<'_>) -> Result<PathBuf> {
    let offline = |missing: String| Error::Offline {
        id: repository.id.clone(),
        revision: repository.revision.clone(),
        missing,
        cache: store.root().to_owned(),
    };
    let absent = || offline("it is not in the cache".to_owned());
    let commit = store.commit(&repository.revision)?.ok_or_else(absent)?;
    let names = store.files(&commit)?;
    if names.is_empty() {
        return Err(absent());
    }
    let snapshot = store.snapshot(&commit);
    let read = |name: &str| {
        let path = snapshot.join(name);
        std::fs::read_to_string(&path).map_err(|source| failed("read", &path, source))
    };
    match plan(&names, read) {
        Ok(_) => {}
        Err(NoPlan::Problem(problem)) => {
            return Err(offline(format!("the cache has only part of it: {problem}")));
        }
        Err(NoPlan::Read(error)) => return Err(error),
    }
    if !is_settled(store, &commit) {
        progress(Event::Note(&format!(
            "{}: the cache has no {MODULES}, and offline it is unknown whether the model has one; using it \
             as a plain encoder",
            repository.id
        )));
    }
    Ok(snapshot)
}

fn error_of(no: NoPlan<Error>, repository: &Repository) -> Error {
    match no {
        NoPlan::Problem(problem) => Error::NotAModel { id: repository.id.clone(), problem },
        NoPlan::Read(error) => error,
    }
}

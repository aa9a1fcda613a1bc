//! A model's folder.
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
    /// Names, with sizes in bytes where the Hub says them.
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

impl Hub {
    /// The folder of a model in the cache, with all files that a model needs; what is missing is fetched.
    ///
    /// `id` is `owner/name` or `name`, if wanted with `@` and a branch, tag or commit; without, `main`. One request
    /// asks which commit that is now and which files it has; a full commit that is in the cache needs none. If the
    /// Hub does not answer, or refuses, a complete folder of the cache is taken, and a [`Event::Note`] says so.
    ///
    /// # Errors
    /// - [`Error::Name`]: `id` is none.
    /// - [`Error::NoSuchRepository`], [`Error::NoSuchRevision`], [`Error::Refused`], [`Error::Status`],
    ///   [`Error::Reply`], [`Error::Unreachable`]: what the Hub answers, if anything.
    /// - [`Error::Offline`]: no connection is wanted, and the cache has not all.
    /// - [`Error::NotAModel`]: the repository has no weights, configuration or tokenizer of a known name, or names
    ///   files outside of its folder.
    /// - [`Error::BrokenOff`], [`Error::Size`], [`Error::Checksum`]: a download failed.
    /// - [`Error::DiskFull`], [`Error::Locked`], [`Error::File`]: the cache cannot be written.
    pub fn model(&self, id: &str, progress: &mut Progress<'_>) -> Result<PathBuf> {
        let repository = Repository::model(id)?;
        let store = self.store(&repository);
        if self.settings.offline {
            return cached(&repository, &store, progress);
        }
        if id::is_commit(&repository.revision)
            && is_settled(&store, &repository.revision)
            && let Ok(folder) = cached(&repository, &store, progress)
        {
            return Ok(folder);
        }
        match self.listing(&repository) {
            Ok(listing) => self.complete(&repository, &store, &listing, progress),
            Err(error @ Error::NoSuchRevision { .. }) => Err(error),
            Err(error) => match cached(&repository, &store, progress) {
                Ok(folder) => {
                    progress(Event::Note(&format!("{id}: taken from the cache, because {error}")));
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
        let reply: ListingReply = serde_json::from_str(&text)
            .map_err(|error| odd(format!("not with a list of files ({error})")))?;
        if !id::is_commit(&reply.sha) {
            return Err(odd(format!("its sha {:?} is no commit", reply.sha)));
        }
        let size = |file: &Sibling| file.lfs.as_ref().and_then(|lfs| lfs.size).or(file.size);
        let files = reply.siblings.into_iter().map(|file| (file.rfilename.clone(), size(&file))).collect();
        Ok(Listing { commit: reply.sha, files })
    }

    /// Fetches what the plan wants and the snapshot lacks.
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
                    "{name}: the cache has {} bytes where the Hub has {}; it is fetched again",
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

/// Whether the cache knows of a commit if it has modules.
fn is_settled(store: &Store, commit: &str) -> bool {
    store.snapshot(commit).join(MODULES).is_file() || store.lacks(commit, MODULES)
}

/// The folder in the cache, if it is complete.
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
            return Err(offline(format!("the cache has a part of it only: {problem}")));
        }
        Err(NoPlan::Read(error)) => return Err(error),
    }
    if !is_settled(store, &commit) {
        progress(Event::Note(&format!(
            "{}: the cache has no {MODULES}, and without a connection it is not known whether the model has one; \
             it is taken as a plain encoder",
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

//! Downloads one file from the Hub into the cache.
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use ureq::http::StatusCode;

use crate::cache::{self, Store};
use crate::error::{Error, Result};
use crate::http::{Ask, Reply, Retry};
use crate::id::{self, Repository};
use crate::refusal::{Fault, Subject, refusal};
use crate::{Event, Hub, Progress};

/// Bytes read at a time.
const CHUNK: usize = 128 << 10;

/// A blob, as the Hub describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The commit at which it was looked up.
    pub(crate) commit: String,
    /// The name of its blob: the SHA-256 of a large file, the Git hash of a small one.
    pub(crate) etag: String,
    /// Its size in bytes, if announced.
    pub(crate) size: Option<u64>,
}

impl Content {
    fn sha256(&self) -> Option<&str> {
        id::is_sha256(&self.etag).then_some(self.etag.as_str())
    }
}

impl Hub {
    /// Fails if the caller wants to stop.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Repeats a step until it succeeds or another attempt would not help.
    pub(crate) fn insist<T>(&self, mut step: impl FnMut() -> std::result::Result<T, Fault>) -> Result<T> {
        let mut retry = Retry::new(&self.settings.patience, &self.stop);
        loop {
            self.go_on()?;
            let (error, wait) = match step() {
                Ok(done) => return Ok(done),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing { error, wait }) => (error, wait),
            };
            retry.again(wait).map_err(|_| error)?;
        }
    }

    /// Sends one request. Succeeds if the answer is a success, or describes a file that is stored elsewhere.
    pub(crate) fn ask(&self, ask: Ask, subject: &Subject<'_>) -> std::result::Result<Reply, Fault> {
        let unreachable = |cause| Fault::passing(Error::Unreachable { url: subject.url.to_owned(), cause });
        let reply = self.client.send(ask, subject.url).map_err(unreachable)?;
        let described = ask == Ask::Head && reply.status.is_redirection() && reply.facts.etag().is_some();
        if reply.status.is_success() || described {
            Ok(reply)
        } else {
            Err(refusal(&self.client, subject, &reply))
        }
    }

    /// Asks the Hub for a file's commit, ETag and size.
    pub(crate) fn describe(&self, repository: &Repository, revision: &str, file: &str) -> Result<Content> {
        let url = self.client.address(&repository.file(revision, file));
        let subject = Subject { repository, file: Some(file), revision, url: &url };
        let reply = self.insist(|| self.ask(Ask::Head, &subject))?;
        let odd = |problem: &str| Error::Reply { url: url.clone(), problem: problem.to_owned() };
        let etag = reply.facts.etag().ok_or_else(|| odd("no ETag header"))?;
        let etag = id::blob_name(etag).ok_or_else(|| odd(&format!("ETag {etag:?} is not a plain name")))?;
        let commit = reply.facts.commit.clone().ok_or_else(|| odd("no X-Repo-Commit header"))?;
        if !id::is_commit(&commit) {
            return Err(odd(&format!("X-Repo-Commit {commit:?} is not a commit hash")));
        }
        Ok(Content { commit, etag, size: reply.facts.size() })
    }

    /// Links a described file into the snapshot of its commit, downloading its blob if it is missing.
    pub(crate) fn fetch(
        &self,
        repository: &Repository,
        file: &str,
        content: &Content,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf> {
        let store = self.store(repository);
        let blob = store.blob(&content.etag);
        if !is_whole(&blob, content.size) {
            cache::create_parent(&blob)?;
            let held = store.lock(&content.etag, file, self, progress)?;
            // Another process may have downloaded it in the meantime.
            if !is_whole(&blob, content.size) {
                self.download(&store, repository, file, content, progress)?;
            }
            drop(held);
        }
        store.link(&content.commit, file, &content.etag)
    }

    /// Downloads a blob. The caller holds its lock.
    fn download(
        &self,
        store: &Store,
        repository: &Repository,
        file: &str,
        content: &Content,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let url = self.client.address(&repository.file(&content.commit, file));
        let subject = Subject { repository, file: Some(file), revision: &content.commit, url: &url };
        let path = store.partial(&content.etag);
        let mut partial = Partial::open(&path)?;
        let mut retry = Retry::new(&self.settings.patience, &self.stop);
        let mut most = partial.length;
        loop {
            self.go_on()?;
            let (error, wait) = match self.attempt(&mut partial, &subject, content, progress) {
                Ok(()) => break,
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing { error, wait }) => (error, wait),
            };
            if partial.length > most {
                most = partial.length;
                retry.progressed();
            }
            match (retry.again(wait), error) {
                (Ok(()), _) => {}
                (Err(times), Error::Unreachable { url, cause }) => {
                    return Err(Error::BrokenOff { file: file.to_owned(), times, cause, url });
                }
                (Err(_), error) => return Err(error),
            }
        }
        partial.file.sync_all().map_err(|source| cache::failed("write", &path, source))?;
        let blob = store.blob(&content.etag);
        cache::rename(&path, &blob)
    }

    /// Requests the missing bytes once, then checks the file.
    fn attempt(
        &self,
        partial: &mut Partial,
        subject: &Subject<'_>,
        content: &Content,
        progress: &mut Progress<'_>,
    ) -> std::result::Result<(), Fault> {
        let file = subject.file.unwrap_or_default();
        if content.size.is_some_and(|size| partial.length > size) {
            partial.clear()?;
        }
        if content.size.is_none_or(|size| partial.length < size) || partial.length == 0 {
            self.receive(partial, subject, content, progress)?;
        } else {
            progress(Event::Bytes { file, done: partial.length, total: content.size });
        }
        if let Some(expected) = content.sha256() {
            let found = sha256(&partial.path).map_err(Fault::Final)?;
            if found != expected {
                partial.clear()?;
                return Err(Fault::passing(Error::Checksum {
                    file: file.to_owned(),
                    expected: expected.to_owned(),
                    found,
                }));
            }
        }
        Ok(())
    }

    fn receive(
        &self,
        partial: &mut Partial,
        subject: &Subject<'_>,
        content: &Content,
        progress: &mut Progress<'_>,
    ) -> std::result::Result<(), Fault> {
        let file = subject.file.unwrap_or_default();
        let broken = |cause| Fault::passing(Error::Unreachable { url: subject.url.to_owned(), cause });
        let reply = self.client.send(Ask::Get { from: partial.length }, subject.url).map_err(broken)?;
        match reply.status {
            StatusCode::OK => partial.clear()?,
            StatusCode::PARTIAL_CONTENT if range_begins_at(&reply, partial.length) => {}
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                partial.clear()?;
                return Err(broken("the server cannot resume the download".to_owned()));
            }
            _ => return Err(refusal(&self.client, subject, &reply)),
        }
        let total = reply.length().map(|length| partial.length + length);
        let wrong_size = |expected, found| {
            let url = subject.url.to_owned();
            Fault::passing(Error::Size { file: file.to_owned(), expected, found, url })
        };
        if let (Some(expected), Some(found)) = (content.size, total)
            && expected != found
        {
            partial.clear()?;
            return Err(wrong_size(expected, found));
        }
        let total = content.size.or(total);
        let mut reader = reply.reader();
        let mut chunk = vec![0; CHUNK];
        progress(Event::Bytes { file, done: partial.length, total });
        loop {
            self.go_on().map_err(Fault::Final)?;
            let count = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(error.to_string())),
            };
            partial.write(&chunk[..count], file, total)?;
            if let Some(expected) = total
                && partial.length > expected
            {
                let found = partial.length;
                partial.clear()?;
                return Err(wrong_size(expected, found));
            }
            progress(Event::Bytes { file, done: partial.length, total });
        }
        match total {
            Some(total) if partial.length < total => {
                Err(broken(format!("the connection closed after {} of {total} bytes", partial.length)))
            }
            _ => Ok(()),
        }
    }
}

/// A download in progress.
struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Partial {
    /// Opens the file of an earlier call, to resume it, or an empty one.
    fn open(path: &Path) -> Result<Self> {
        let failed = |source| cache::failed("write", path, source);
        let mut file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    fn clear(&mut self) -> std::result::Result<(), Fault> {
        if self.length == 0 {
            return Ok(());
        }
        self.length = 0;
        let cleared = self.file.set_len(0).and_then(|()| self.file.rewind());
        cleared.map_err(|source| Fault::Final(cache::failed("write", &self.path, source)))
    }

    fn write(&mut self, bytes: &[u8], file: &str, total: Option<u64>) -> std::result::Result<(), Fault> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| {
            Fault::Final(match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::DiskFull {
                    file: file.to_owned(),
                    folder: self.path.parent().unwrap_or(&self.path).to_owned(),
                    missing: total.map(|total| total.saturating_sub(self.length)),
                },
                _ => cache::failed("write", &self.path, source),
            })
        })?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// Whether a blob exists and has the announced size.
fn is_whole(path: &Path, size: Option<u64>) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && size.is_none_or(|size| metadata.len() == size))
}

/// Whether the answer's range begins at the requested offset.
fn range_begins_at(reply: &Reply, from: u64) -> bool {
    let range = reply.header("content-range").and_then(|range| range.trim().strip_prefix("bytes "));
    range.and_then(|range| range.split_once('-')).is_some_and(|(begin, _)| begin.trim().parse() == Ok(from))
}

pub(crate) fn sha256(path: &Path) -> Result<String> {
    micse_files::sha256(path).map_err(|error| match error {
        micse_files::Error::Io { path, source } => cache::failed("read", &path, source),
        other => cache::failed("read", path, io::Error::other(other)),
    })
}

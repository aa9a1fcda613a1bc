//! The crate's one error type.
use std::path::PathBuf;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong between a name and a file in the cache. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that names nothing on the Hub.
    #[error("{value:?} is no {what}; {remedy}")]
    Name {
        /// The value.
        value: String,
        /// What it should have been.
        what: &'static str,
        /// How it is written.
        remedy: &'static str,
    },
    /// An environment variable, or what stands for it, cannot be used.
    #[error("{variable}: {problem}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// The Hub has no such repository, or does not say so because it is private.
    #[error(
        "the Hub has no {kind} {id}, or it is private (status {status}, {page}); \
         check the name, and for a private one set HF_TOKEN to a token that may read it"
    )]
    NoSuchRepository {
        /// "model" or "dataset".
        kind: &'static str,
        /// The id.
        id: String,
        /// The HTTP status.
        status: u16,
        /// The page to look at.
        page: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("{id} has no revision {revision:?}; its branches and tags are listed at {page}/tree/main")]
    NoSuchRevision {
        /// The id.
        id: String,
        /// The branch, tag or commit.
        revision: String,
        /// The repository's page.
        page: String,
    },
    /// The repository has no such file.
    #[error(
        "{id} has no file {file:?} at revision {revision}; its files are listed at {page}/tree/{revision}"
    )]
    NoSuchFile {
        /// The id.
        id: String,
        /// The file.
        file: String,
        /// The branch, tag or commit.
        revision: String,
        /// The repository's page.
        page: String,
    },
    /// The Hub knows the repository and refuses it.
    #[error("the Hub refuses {id} (status {status}{said}); {remedy}")]
    Refused {
        /// The id.
        id: String,
        /// The HTTP status.
        status: u16,
        /// The Hub's own words, with a leading colon, or nothing.
        said: String,
        /// What to do.
        remedy: String,
    },
    /// A status that no other error stands for.
    #[error("{url} answered with status {status}{said}; {remedy}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The Hub's own words, with a leading colon, or nothing.
        said: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An answer that the Hub does not give.
    #[error("{url} answered, but {problem}; is HF_ENDPOINT the address of a Hub?")]
    Reply {
        /// The address.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// No answer.
    #[error(
        "{url} cannot be reached ({cause}); check the connection (HTTPS_PROXY and HF_ENDPOINT are honoured), \
         or give a folder instead"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// A download that broke off, several times.
    #[error(
        "{file}: the download broke off {times} times, last with: {cause} ({url}); \
         run the command again, it goes on where this one ended"
    )]
    BrokenOff {
        /// The file's name in its repository.
        file: String,
        /// How often in a row.
        times: u32,
        /// What happened last.
        cause: String,
        /// The address.
        url: String,
    },
    /// A file with another size than announced.
    #[error(
        "{file}: {found} bytes arrive where the Hub announced {expected} ({url}); \
         a proxy may have changed the answer: try another connection, or fetch the file in a browser"
    )]
    Size {
        /// The file's name in its repository.
        file: String,
        /// The announced size in bytes.
        expected: u64,
        /// The size of what the server has, in bytes.
        found: u64,
        /// The address.
        url: String,
    },
    /// A file with another checksum than wanted. It was removed.
    #[error(
        "{file}: its SHA-256 is {found}, not {expected}, and it was removed; \
         fetch it again, and if the sum stays, the file on the Hub is another one than the sum was made of"
    )]
    Checksum {
        /// The file's name in its repository.
        file: String,
        /// The wanted SHA-256.
        expected: String,
        /// The SHA-256 of what came.
        found: String,
    },
    /// The cache lacks something, and the Hub may not be asked.
    #[error(
        "{id} (revision {revision}) is wanted without a connection, and {missing} ({}); \
         unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE and run this once with a connection, or give a folder",
        cache.display()
    )]
    Offline {
        /// The id.
        id: String,
        /// The branch, tag or commit.
        revision: String,
        /// What is missing.
        missing: String,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// A repository, whole or in the cache, that is no model this project can read.
    #[error("{id}: {problem}")]
    NotAModel {
        /// The id.
        id: String,
        /// What is missing or wrong, and what to do.
        problem: String,
    },
    /// No room.
    #[error(
        "{file}: no room left in {}; free some{}, or set HF_HUB_CACHE to another disk \
         (what has arrived is kept, and the next call goes on with it)",
        folder.display(),
        missing.map_or_else(String::new, |bytes| format!(" ({bytes} bytes are missing)"))
    )]
    DiskFull {
        /// The file's name in its repository.
        file: String,
        /// The folder.
        folder: PathBuf,
        /// The bytes still to come, if known.
        missing: Option<u64>,
    },
    /// Another process holds a file for too long.
    #[error(
        "{file}: another process has been fetching it for {seconds} s (lock {}); \
         end that process, or wait and run the command again",
        lock.display()
    )]
    Locked {
        /// The file's name in its repository.
        file: String,
        /// How long was waited.
        seconds: u64,
        /// The lock file.
        lock: PathBuf,
    },
    /// The system refused something in the cache or in the token's file.
    #[error("cannot {action} {}; {remedy}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

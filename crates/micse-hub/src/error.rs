//! The crate's error type.
use std::path::PathBuf;

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors between a name and a file in the cache. Every message ends with a remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The value is not a valid name on the Hub.
    #[error("{value:?} is not a valid {what}; {remedy}")]
    Name {
        /// The value.
        value: String,
        /// What was expected.
        what: &'static str,
        /// How to write it.
        remedy: &'static str,
    },
    /// An environment variable, or a file that replaces it, cannot be used.
    #[error("{variable}: {problem}")]
    Environment {
        /// The variable.
        variable: &'static str,
        /// What is wrong, and how to fix it.
        problem: String,
    },
    /// The Hub has no such repository, or hides it because it is private.
    #[error(
        "the Hub has no {kind} {id}, or it is private (status {status}, {page}); check the name, and for a \
         private {kind} set HF_TOKEN to a token with read access"
    )]
    NoSuchRepository {
        /// "model" or "dataset".
        kind: &'static str,
        /// The Hub ID.
        id: String,
        /// The HTTP status.
        status: u16,
        /// The page of the repository.
        page: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("{id} has no revision {revision:?}; {page}/tree/main lists its branches and tags")]
    NoSuchRevision {
        /// The Hub ID.
        id: String,
        /// The branch, tag or commit.
        revision: String,
        /// The repository's page.
        page: String,
    },
    /// The repository has no such file.
    #[error("{id} has no file {file:?} at revision {revision}; {page}/tree/{revision} lists its files")]
    NoSuchFile {
        /// The Hub ID.
        id: String,
        /// The file.
        file: String,
        /// The branch, tag or commit.
        revision: String,
        /// The repository's page.
        page: String,
    },
    /// The repository exists, but the Hub denies access to it.
    #[error("the Hub denies access to {id} (status {status}{said}); {remedy}")]
    Refused {
        /// The Hub ID.
        id: String,
        /// The HTTP status.
        status: u16,
        /// The Hub's message with a leading colon, or empty.
        said: String,
        /// What to do.
        remedy: String,
    },
    /// A status that no other variant covers.
    #[error("{url} answered with status {status}{said}; {remedy}")]
    Status {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The Hub's message with a leading colon, or empty.
        said: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An answer that does not follow the Hub's protocol.
    #[error("unexpected answer from {url}: {problem}; check that HF_ENDPOINT is the address of a Hub")]
    Reply {
        /// The URL.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
    /// No answer.
    #[error(
        "cannot reach {url} ({cause}); check the connection (HTTPS_PROXY and HF_ENDPOINT are supported), or \
         pass a local folder instead"
    )]
    Unreachable {
        /// The URL.
        url: String,
        /// The system's error message.
        cause: String,
    },
    /// The caller stopped the download.
    #[error("stopped the download; the bytes that have arrived are kept, and the next call continues")]
    Stopped,
    /// A download was interrupted several times in a row.
    #[error(
        "{file}: the download was interrupted {times} times, last by: {cause} ({url}); run the command \
         again to resume it"
    )]
    BrokenOff {
        /// The file's name in its repository.
        file: String,
        /// Number of consecutive interruptions.
        times: u32,
        /// The last cause.
        cause: String,
        /// The URL.
        url: String,
    },
    /// The file's size differs from the announced size.
    #[error(
        "{file}: received {found} bytes, but the Hub announced {expected} ({url}); a proxy may have changed \
         the answer: try another connection, or download the file in a browser"
    )]
    Size {
        /// The file's name in its repository.
        file: String,
        /// The announced size in bytes.
        expected: u64,
        /// The size of the server's file in bytes.
        found: u64,
        /// The URL.
        url: String,
    },
    /// The file's checksum differs from the expected one. The file was removed.
    #[error(
        "{file}: its SHA-256 is {found}, not {expected}, and the file was removed; download it again. If \
         the checksum still differs, the file on the Hub has changed"
    )]
    Checksum {
        /// The file's name in its repository.
        file: String,
        /// The expected SHA-256.
        expected: String,
        /// The SHA-256 of the downloaded file.
        found: String,
    },
    /// The cache is incomplete, and offline mode forbids asking the Hub.
    #[error(
        "{id} (revision {revision}): offline mode is on, and {missing} ({}); unset HF_HUB_OFFLINE and \
         TRANSFORMERS_OFFLINE and run the command once with a connection, or pass a local folder",
        cache.display()
    )]
    Offline {
        /// The Hub ID.
        id: String,
        /// The branch, tag or commit.
        revision: String,
        /// What is missing.
        missing: String,
        /// The cache folder that was searched.
        cache: PathBuf,
    },
    /// A repository, on the Hub or in the cache, is not a model that this project can read.
    #[error("{id}: {problem}")]
    NotAModel {
        /// The Hub ID.
        id: String,
        /// What is missing or wrong, and how to fix it.
        problem: String,
    },
    /// The disk is full.
    #[error(
        "{file}: no space left in {}; free some{}, or set HF_HUB_CACHE to another disk, and run the command \
         again (it resumes the download)",
        folder.display(),
        missing.map_or_else(String::new, |bytes| format!(" ({bytes} more bytes are needed)"))
    )]
    DiskFull {
        /// The file's name in its repository.
        file: String,
        /// The folder.
        folder: PathBuf,
        /// The bytes still missing, if known.
        missing: Option<u64>,
    },
    /// Another process held the lock on a file for too long.
    #[error(
        "{file}: another process has been downloading it for {seconds} s (lock {}); stop that process, or \
         wait and run the command again",
        lock.display()
    )]
    Locked {
        /// The file's name in its repository.
        file: String,
        /// How long this process waited.
        seconds: u64,
        /// The lock file.
        lock: PathBuf,
    },
    /// The system failed to access the cache or the token file.
    #[error("cannot {action} {}; {remedy}", path.display())]
    File {
        /// The failed action.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}

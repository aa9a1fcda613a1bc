//! Models and datasets from the Hugging Face Hub, in the cache shared with Python's `huggingface_hub`.
//!
//! ```no_run
//! # fn main() -> Result<(), micse_hub::Error> {
//! let hub = micse_hub::Hub::from_env()?;
//! let folder = hub.model("sentence-transformers/all-MiniLM-L6-v2", &mut |_| {})?;
//! println!("{}", folder.display());
//! # Ok(())
//! # }
//! ```
//!
//! [`Hub::model`] returns a model folder and downloads the files that are missing from it: the configuration,
//! the tokenizer, the weights (safetensors, else PyTorch's format; one file or shards) and the folders of the
//! sentence-transformers modules, nothing else. [`Hub::dataset_file`] returns one file of a dataset, checked
//! against a SHA-256. [`catalogue`] lists the datasets of the standard protocol. [`Settings`] documents the
//! environment variables.
//!
//! # Guarantees
//!
//! - The cache layout (`models--OWNER--NAME/{blobs,refs,snapshots}`) and the lock files are those of the
//!   Python library. Each library finds what the other has downloaded, and both can run at the same time.
//! - A snapshot contains complete files only. A download grows in `blobs/ETAG.incomplete`; before it is
//!   renamed, its size is checked, and its SHA-256 where the Hub states one (for all large files). A branch
//!   moves to a new commit only after all files of the model are there.
//! - An interrupted download resumes where it stopped, both within a call and in the next call.
//! - The token is sent only to the Hub's own host, never to the target of a redirect to another host.
//! - No file name from the Hub can lead outside the cache.
//! - The library prints nothing: the caller receives progress and notes as [`Event`]s.
//!
//! # Why not the `hf-hub` crate
//!
//! Release 0.5 renames a download into the cache without comparing size or checksum, appends to a partial
//! file even if the server sends the complete file, may resume a half-written file at offset 0 after a
//! failure, has no timeouts, drops the reason of a rejected request, and uses lock names that differ from
//! Python's. What would remain for it to do is requests and redirects, so this crate uses `ureq` directly.
mod cache;
mod catalogue;
mod dataset;
mod error;
mod fetch;
mod http;
mod id;
mod model;
mod plan;
mod refusal;
mod settings;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use catalogue::{DataFile, Dataset, catalogue};
pub use error::{Error, Result};
pub use id::is_hub_id;
pub use settings::{Patience, Settings};

use cache::Store;
use http::Client;
use id::Repository;

/// A progress report during a download, for a command to display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Bytes of a file have arrived. The first event of a file reports how much an earlier call left; `done`
    /// decreases when a download starts over.
    Bytes {
        /// The file's name in its repository.
        file: &'a str,
        /// Bytes received so far.
        done: u64,
        /// Size of the complete file, if the Hub states it.
        total: Option<u64>,
    },
    /// A one-line note: the cached copy is used because the Hub did not answer, or the call is waiting.
    Note(&'a str),
}

/// The receiver of [`Event`]s. `&mut |_| {}` ignores them.
pub type Progress<'a> = dyn FnMut(Event<'_>) + 'a;

/// Access to the Hub through a cache.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    client: Client,
    stop: Arc<AtomicBool>,
}

impl Hub {
    /// Uses the given settings.
    ///
    /// # Errors
    /// [`Error::Environment`]: the endpoint is not an `http://` or `https://` address, or the token contains
    /// a space or a control character.
    pub fn new(settings: Settings) -> Result<Self> {
        let client = Client::new(&settings)?;
        Ok(Self { settings, client, stop: Arc::default() })
    }

    /// Ends downloads soon after another thread sets this flag, with [`Error::Stopped`]. The bytes that have arrived are
    /// kept.
    #[must_use]
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    /// Reads the settings from the environment of the process.
    ///
    /// # Errors
    /// The errors of [`Settings::from_env`] and [`Self::new`].
    pub fn from_env() -> Result<Self> {
        Self::new(Settings::from_env()?)
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn store(&self, repository: &Repository) -> Store {
        Store::new(&self.settings.cache, &repository.folder())
    }
}

/// The SHA-256 of a file, as 64 lower-case hexadecimal digits.
///
/// # Errors
/// [`Error::File`]: the file cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    fetch::sha256(path)
}

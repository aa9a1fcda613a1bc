//! Models and data from the Hugging Face Hub, in the cache that Python's `huggingface_hub` shares.
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
//! [`Hub::model`] gives the folder of a model and fetches what is missing of it: the configuration, the tokenizer,
//! the weights (safetensors, else PyTorch's; whole or in shards) and the folders of sentence-transformers' modules,
//! and nothing else. [`Hub::dataset_file`] gives one file of a dataset, checked against a SHA-256; [`catalogue`]
//! lists the data of the field's standard protocol. [`Settings`] says which environment variables are read.
//!
//! # What is promised
//!
//! - The folders are those of Python's library (`models--OWNER--NAME/{blobs,refs,snapshots}`), and so are the lock
//!   files: what one has fetched, the other finds, and they can run at the same time.
//! - A snapshot holds whole files only. A download grows under `blobs/ETAG.incomplete`; its size, and its SHA-256
//!   where the Hub names one (all large files), are compared before it is renamed. A branch's name points to a
//!   new commit only after all of the model's files are there.
//! - A cut connection is tried again from where it ended, and so is the next call after a failed one.
//! - The token goes to the Hub's own host, never along with a redirect to another one.
//! - No name that the Hub gives leaves the cache.
//! - Nothing is printed: bytes and remarks are told to the caller as [`Event`]s.
//!
//! # Why not the `hf-hub` crate
//!
//! Its release 0.5 renames a download into the cache without comparing size or checksum, appends to a partial file
//! even where the server answers with the whole file, may continue at offset 0 of a half-written one after a
//! failure, has no time limits, loses the reason of a refusal, and locks under other names than Python does. What it
//! would have left to do, requests and redirects, is what `ureq` does; so `ureq` is used directly.
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

pub use catalogue::{DataFile, Dataset, catalogue};
pub use error::{Error, Result};
pub use id::is_hub_id;
pub use settings::{Patience, Settings};

use cache::Store;
use http::Client;
use id::Repository;

/// What happens while files are fetched, for a command to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file's bytes arrive. The first such event of a file tells what an earlier call left of it; `done` falls
    /// when a download begins anew.
    Bytes {
        /// The file's name in its repository.
        file: &'a str,
        /// Bytes that are there.
        done: u64,
        /// Bytes of the whole file, if the Hub says so.
        total: Option<u64>,
    },
    /// A remark in one line: something was taken from the cache for want of a connection, or waits.
    Note(&'a str),
}

/// Where [`Event`]s go. `&mut |_| {}` ignores them.
pub type Progress<'a> = dyn FnMut(Event<'_>) + 'a;

/// The Hub as seen through a cache.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    client: Client,
}

impl Hub {
    /// With given settings.
    ///
    /// # Errors
    /// [`Error::Environment`]: an endpoint that is no `http://` or `https://` address, a token with a blank or a
    /// control character in it.
    pub fn new(settings: Settings) -> Result<Self> {
        let client = Client::new(&settings)?;
        Ok(Self { settings, client })
    }

    /// With the settings of the process's environment.
    ///
    /// # Errors
    /// Those of [`Settings::from_env`] and [`Self::new`].
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

//! Atomic file writes (a file is either complete or absent: written under a temporary name, synced, renamed,
//! and the folder synced), locks for folders that one process at a time may use, and SHA-256 checksums.
//!
//! ```
//! use micse_files::{Lock, WholeFile, sha256, write_whole};
//!
//! let folder = tempfile::tempdir()?;
//! let lock = Lock::take(folder.path(), std::time::Duration::ZERO)?;
//! write_whole(&folder.path().join("notes.txt"), b"one\n")?;
//!
//! // For data that does not fit into memory.
//! let file = WholeFile::create(&folder.path().join("rows.txt"))?;
//! std::io::Write::write_all(&mut file.handle()?, b"two\n")?;
//! lock.check()?;
//! file.publish()?;
//! assert_eq!(sha256(&folder.path().join("rows.txt"))?.len(), 64);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod hash;
mod leftovers;
mod lock;
mod run;
mod whole;

pub use error::{Error, Result, remedy};
pub use hash::{Hash, sha256, sha256_of_folder};
pub use leftovers::{PREFIX as UNFINISHED, hold, remove_leftovers, remove_leftovers_below};
pub use lock::Lock;
pub use run::{NoModel, RunFolder};
pub use whole::{WholeFile, rename, write_json, write_whole};

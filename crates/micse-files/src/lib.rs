#![doc = include_str!("../README.md")]

mod error;
mod hash;
mod leftovers;
mod lock;
mod whole;

pub use error::{Error, Result, remedy};
pub use hash::{Hash, sha256};
pub use leftovers::{remove_leftovers, remove_leftovers_below};
pub use lock::Lock;
pub use whole::{WholeFile, rename, write_json, write_whole};

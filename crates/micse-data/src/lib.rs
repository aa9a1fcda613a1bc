//! Data
pub mod corpus;
pub mod demo;
mod error;
pub mod locate;
pub mod order;
pub mod split;
pub mod sts;
pub use corpus::{Corpus, CorpusInfo};
pub use error::{Error, Result};
pub use locate::Locator;
pub use order::EpochOrder;
pub use split::{Split, SplitFiles, SplitSize, parse_seeds, parse_sizes};
pub use sts::Suite;

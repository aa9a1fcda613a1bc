//! Low-shot splits: a small, seeded sample of a corpus.
//!
//! The split of size n for a seed is the first n entries of one `ChaCha20` permutation of the corpus
//! ([`micse_random::permutation`]), so that the splits of one seed are nested: a larger one holds the smaller.
mod files;
mod lists;
mod size;

use micse_random::permutation;

use crate::error::{Error, Result};

pub use files::SplitFiles;
pub use lists::{parse_seeds, parse_sizes};
pub use size::SplitSize;

/// The sentences a run trains on, as indices into its corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The size asked for.
    pub size: SplitSize,
    /// The seed it was drawn with.
    pub seed: u64,
    /// Indices into the corpus, distinct, in the order of the permutation.
    pub indices: Vec<u32>,
}

impl Split {
    /// Draws the split of a size from a corpus of `corpus_len` sentences.
    ///
    /// ```
    /// use micse_data::{Split, SplitSize};
    ///
    /// let small = Split::draw(1000, "1%".parse()?, 48)?;
    /// let large = Split::draw(1000, SplitSize::Count(200), 48)?;
    /// assert_eq!(small.indices, large.indices[..10]);
    /// # Ok::<(), micse_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// What [`SplitSize::resolve`] refuses, and a corpus too large for 32-bit indices.
    pub fn draw(corpus_len: usize, size: SplitSize, seed: u64) -> Result<Self> {
        if u32::try_from(corpus_len).is_err() {
            return Err(Error::TooManySentences { sentences: corpus_len });
        }
        let mut indices = permutation(corpus_len, seed);
        indices.truncate(size.resolve(corpus_len)?);
        indices.shrink_to_fit();
        Ok(Self { size, seed, indices })
    }
}

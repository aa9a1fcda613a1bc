//! Low-shot splits: a small, seeded sample of a corpus.
//!
//! The split of size n for a seed is the first n entries of one `ChaCha20` permutation of the corpus
//! ([`micse_random::permutation`]). The splits of one seed are therefore nested: a larger one contains the
//! smaller.
mod files;
mod lists;
mod size;

use micse_random::permutation;

use crate::error::{Error, Result};

pub use files::SplitFiles;
pub use lists::{parse_seeds, parse_sizes};
pub use size::SplitSize;

/// The training sentences of a run, as indices into its corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The requested size.
    pub size: SplitSize,
    /// The seed.
    pub seed: u64,
    /// Distinct indices into the corpus, in the order of the permutation.
    pub indices: Vec<u32>,
}

impl Split {
    /// Draws a split of the given size from a corpus of `corpus_len` sentences.
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
    /// Sizes that [`SplitSize::resolve`] rejects, and a corpus too large for 32-bit indices.
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

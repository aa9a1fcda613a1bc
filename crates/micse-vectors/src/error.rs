//! The crate's error type.

use std::path::PathBuf;

/// Errors of reading, writing and training word vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file that does not exist, or is a folder.
    #[error(
        "{}: {found}; pass word vectors in GloVe's text format or in word2vec's text or binary format",
        path.display()
    )]
    Place {
        /// The path.
        path: PathBuf,
        /// What was found instead.
        found: &'static str,
    },
    /// An invalid line in a text file.
    #[error("{}:{line}: {found}; {remedy}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the line contains.
        found: String,
        /// The fix.
        remedy: &'static str,
    },
    /// An invalid record in a binary file.
    #[error("{}: word {record} (at byte {offset}): {found}; {remedy}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The word's number, from 1.
        record: usize,
        /// Its offset in the (decompressed) file.
        offset: u64,
        /// What was found.
        found: String,
        /// The fix.
        remedy: &'static str,
    },
    /// A file whose number of words differs from its header.
    #[error("{}: the header declares {promised} words, but the file has {found}; download it again", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// The number in the header.
        promised: usize,
        /// Number of words found.
        found: usize,
    },
    /// A file without word vectors.
    #[error("{} contains no word vectors; download the file again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A word or vector that cannot be stored.
    #[error("the word {word:?}: {problem}")]
    Word {
        /// The word.
        word: String,
        /// The problem.
        problem: String,
    },
    /// The vectors could not be written.
    #[error("cannot write the word vectors")]
    Write(#[from] std::io::Error),
    /// A training option out of range.
    #[error("{name} {value}: {expected}")]
    Option {
        /// The option's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// The requirement.
        expected: &'static str,
    },
    /// The corpus has no two words to train on.
    #[error(
        "{tokens} tokens, and no two words of a sentence occur {min_count} times each; use a larger corpus, or lower \
         min_count"
    )]
    TooLittleText {
        /// Tokens read.
        tokens: usize,
        /// The required number of occurrences of a word.
        min_count: usize,
    },
    /// More words than training supports.
    #[error(
        "a vocabulary of {words} words exceeds the limit of {most}; raise min_count, or limit the vocabulary"
    )]
    TooManyWords {
        /// Number of words.
        words: usize,
        /// The maximum.
        most: usize,
    },
    /// The training loss became infinite or NaN.
    #[error("the loss of epoch {epoch} is {loss}; lower the learning rate (now {learning_rate})")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Its mean loss.
        loss: f64,
        /// The learning rate.
        learning_rate: f64,
    },
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

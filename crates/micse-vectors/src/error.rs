//! The crate's one error type.

use std::path::PathBuf;

/// What can go wrong with word vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not there, or is a folder.
    #[error("{}: {found}; name a file of word vectors, GloVe's text or word2vec's text or binary", path.display())]
    Place {
        /// The path.
        path: PathBuf,
        /// What stands there instead.
        found: &'static str,
    },
    /// A line of a text file cannot be used.
    #[error("{}:{line}: {found}; {remedy}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the line holds.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A record of a binary file cannot be used.
    #[error("{}: word {record} (at byte {offset}): {found}; {remedy}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The word's number, from 1.
        record: usize,
        /// Where it begins in the (decompressed) file.
        offset: u64,
        /// What is there.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file holds another number of words than its header promises.
    #[error("{}: the header promises {promised} words, but there are {found}; fetch the file again", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// The header's number.
        promised: usize,
        /// Words found.
        found: usize,
    },
    /// A file holds no word vector.
    #[error("{} holds no word vector; fetch the file again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A word or its vector cannot be stored.
    #[error("the word {word:?}: {problem}")]
    Word {
        /// The word.
        word: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The vectors could not be written.
    #[error("the word vectors could not be written")]
    Write(#[from] std::io::Error),
    /// A training option is out of its range.
    #[error("{name} {value}: {expected}")]
    Option {
        /// The option's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The text holds no two words that could be trained on.
    #[error(
        "{tokens} tokens, and no two words of a sentence occur {min_count} times each; give more text, or lower \
         min_count"
    )]
    TooLittleText {
        /// Tokens read.
        tokens: usize,
        /// The occurrences a word needs.
        min_count: usize,
    },
    /// More words than training can number.
    #[error(
        "a vocabulary of {words} words is above {most}; raise min_count, or set a limit to the vocabulary"
    )]
    TooManyWords {
        /// The words there are.
        words: usize,
        /// The most that can be.
        most: usize,
    },
    /// Training left the range of numbers.
    #[error("the loss of epoch {epoch} is {loss}; lower the learning rate {learning_rate}")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// Its mean loss.
        loss: f64,
        /// The learning rate.
        learning_rate: f64,
    },
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, Error>;

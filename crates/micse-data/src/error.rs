//! The crate's one error type.

use std::path::PathBuf;

/// What can go wrong with files of sentences, splits and the places they are looked for.
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
    /// A file or folder is not there.
    #[error("{} not found; {remedy}", path.display())]
    Missing {
        /// The file or folder.
        path: PathBuf,
        /// What was expected there and what to do.
        remedy: String,
    },
    /// A folder stands where a file was expected.
    #[error("{} is a folder; name the text files in it", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A line is not UTF-8.
    #[error(
        "{}:{line}: not UTF-8 at byte {offset} of the text; if it is in a Latin-1 encoding, convert it with \
         `iconv -f latin1 -t utf-8`; if it is no text, give another file",
        path.display()
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Offset of the first bad byte in the (decompressed) file, from 0.
        offset: u64,
    },
    /// A line that is no sentence.
    #[error(
        "{}:{line}: the line is longer than {limit} bytes; a corpus has one sentence a line, is this a text file?",
        path.display()
    )]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The most bytes of a line.
        limit: usize,
    },
    /// A file of another encoding or format than UTF-8 text.
    #[error("{}: this is {found}, not UTF-8 text; convert it first: `{remedy} {} > text.txt`", path.display(), path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// What its first bytes say.
        found: String,
        /// The command that makes a text of it.
        remedy: String,
    },
    /// A line with a NUL, which no text has.
    #[error(
        "{}:{line}: a NUL character; the file is binary, or UTF-16 without its mark (convert that with \
         `iconv -f utf-16le -t utf-8`)",
        path.display()
    )]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A compressed file ends in the middle.
    #[error("{}: the compressed data ends early, after {lines} lines; fetch the file again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Whole lines that could be read.
        lines: usize,
    },
    /// No sentence was found.
    #[error("no sentence in {sources} ({blank_lines} blank lines); a corpus holds one sentence a line")]
    EmptyCorpus {
        /// The files that were read.
        sources: String,
        /// Blank lines that were skipped.
        blank_lines: usize,
    },
    /// More sentences than 32-bit indices can name.
    #[error("{sentences} sentences are too many; a corpus holds at most {}", u32::MAX)]
    TooManySentences {
        /// How many there are.
        sentences: usize,
    },
    /// A line of a file does not have the expected form.
    #[error("{}:{line}: {found}; expected {expected}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the line holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The score file and the sentence file of an STS subset differ in length.
    #[error(
        "{} has {scores} lines but {} has {pairs}; \
         the two files go line by line, an unscored pair has an empty score line",
        gs.display(),
        input.display()
    )]
    LineCounts {
        /// The score file.
        gs: PathBuf,
        /// Lines in it.
        scores: usize,
        /// The sentence file.
        input: PathBuf,
        /// Lines in it.
        pairs: usize,
    },
    /// A test set holds no scored pair.
    #[error("{}: no scored pair", path.display())]
    NoPairs {
        /// The file.
        path: PathBuf,
    },
    /// A task of that name does not exist.
    #[error("unknown STS task '{name}'; this folder's tasks are {known}")]
    UnknownTask {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A split size, a seed or a list of them cannot be understood.
    #[error("'{text}' is not {expected}")]
    Parse {
        /// The text.
        text: String,
        /// What it should be, with an example.
        expected: String,
    },
    /// A split asks for more sentences than the corpus has.
    #[error("a split of {size} was asked for, but the corpus has {sentences} sentences")]
    SplitTooLarge {
        /// The size asked for.
        size: String,
        /// The sentences there are.
        sentences: usize,
    },
    /// No published split file fits.
    #[error("no split file for size {size} and seed {seed} in {}; it holds {there}", folder.display())]
    NoSplitFile {
        /// The folder.
        folder: PathBuf,
        /// The size asked for.
        size: String,
        /// The seed asked for.
        seed: u64,
        /// Sizes and seeds found.
        there: String,
    },
    /// Neither a flag nor the environment says where data is.
    #[error("no {what} given; looked at {looked}; {remedy}")]
    NotGiven {
        /// Corpus, STS folder or encoder.
        what: &'static str,
        /// The places looked at.
        looked: String,
        /// How to get it.
        remedy: String,
    },
    /// An augmentation cannot be drawn with its settings.
    #[error("{operation}: {problem}")]
    Augmentation {
        /// The operation, as recipes name it.
        operation: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The value of a flag cannot be used.
    #[error("{flag} {value}: {problem}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// The crate's results.
pub type Result<T> = std::result::Result<T, Error>;

//! The crate's error type.

use std::path::PathBuf;

/// Errors of files of sentences, splits and data locations.
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
    /// A file or folder does not exist.
    #[error("{} not found; {remedy}", path.display())]
    Missing {
        /// The file or folder.
        path: PathBuf,
        /// What was expected there, and the fix.
        remedy: String,
    },
    /// A folder where a file was expected.
    #[error("{} is a folder; pass the text files in it", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A line is not UTF-8.
    #[error(
        "{}:{line}: not UTF-8 at byte {offset} of the text; if it is Latin-1, convert it with \
         `iconv -f latin1 -t utf-8`; if it is not text, use another file",
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
    /// A line too long to be a sentence.
    #[error(
        "{}:{line}: the line is longer than {limit} bytes; check that this is a text file with one sentence per line",
        path.display()
    )]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The longest allowed line, in bytes.
        limit: usize,
    },
    /// A file of another encoding or format than UTF-8 text.
    #[error(
        "{}: this is {found}, not UTF-8 text with one sentence per line; convert it first: `{remedy} {}`",
        path.display(),
        converted(path)
    )]
    NoText {
        /// The file.
        path: PathBuf,
        /// The format that its first bytes indicate.
        found: String,
        /// The command that converts it to text.
        remedy: String,
    },
    /// A line with a NUL, which no text contains.
    #[error(
        "{}:{line}: a NUL character; the file is binary, or UTF-16 without a byte order mark (convert it with \
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
    #[error("{}: the compressed data ends early, after {lines} lines; download the file again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Complete lines read before the end.
        lines: usize,
    },
    /// No sentence was found.
    #[error(
        "no sentences in {sources} ({blank_lines} blank lines); use a text file with one sentence per line"
    )]
    EmptyCorpus {
        /// The files that were read.
        sources: String,
        /// Number of blank lines skipped.
        blank_lines: usize,
    },
    /// More sentences than 32-bit indices can address.
    #[error("{sentences} sentences are too many; the limit is {}", u32::MAX)]
    TooManySentences {
        /// Number of sentences.
        sentences: usize,
    },
    /// A line of a file does not have the expected form.
    #[error("{}:{line}: {found}; expected {expected}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the line contains.
        found: String,
        /// What it should contain.
        expected: String,
    },
    /// The score file and the sentence file of an STS subset differ in length.
    #[error(
        "{} has {scores} lines but {} has {pairs}; \
         the two files must match line by line; leave the score line of an unscored pair empty",
        gs.display(),
        input.display()
    )]
    LineCounts {
        /// The score file.
        gs: PathBuf,
        /// Its number of lines.
        scores: usize,
        /// The sentence file.
        input: PathBuf,
        /// Its number of lines.
        pairs: usize,
    },
    /// An STS set without a scored pair.
    #[error("{}: no scored pair", path.display())]
    NoPairs {
        /// The file.
        path: PathBuf,
    },
    /// Scored pairs with which nothing can be correlated.
    #[error(
        "{}: {count} pair{} with the score {score} and no other; a rank correlation needs pairs with different scores",
        path.display(),
        if *count == 1 { "" } else { "s" }
    )]
    EqualScores {
        /// The file.
        path: PathBuf,
        /// The number of pairs.
        count: usize,
        /// Their score.
        score: f64,
    },
    /// A file of labelled sentences without an example.
    #[error("{}: no examples; the file must have one labelled sentence per line", path.display())]
    NoExamples {
        /// The file.
        path: PathBuf,
    },
    /// An unknown task.
    #[error("unknown task '{name}'; this folder's tasks are {known}")]
    UnknownTask {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// A split size, a seed or a list of them that cannot be parsed.
    #[error("'{text}' is not {expected}")]
    Parse {
        /// The text.
        text: String,
        /// What it should be, with an example.
        expected: String,
    },
    /// A split larger than the corpus.
    #[error(
        "a split of {size} is larger than the corpus of {sentences} sentences; use a smaller size or more text"
    )]
    SplitTooLarge {
        /// The requested size.
        size: String,
        /// Number of sentences in the corpus.
        sentences: usize,
    },
    /// No published split file matches.
    #[error("no split file for size {size} and seed {seed} in {}; available: {there}", folder.display())]
    NoSplitFile {
        /// The folder.
        folder: PathBuf,
        /// The requested size.
        size: String,
        /// The requested seed.
        seed: u64,
        /// Sizes and seeds found.
        there: String,
    },
    /// Neither an option nor the environment names the data.
    #[error("no {what} given; searched {looked}; {remedy}")]
    NotGiven {
        /// Corpus, STS folder or encoder.
        what: &'static str,
        /// The places searched.
        looked: String,
        /// How to get it.
        remedy: String,
    },
    /// An augmentation with invalid settings.
    #[error("{operation}: {problem}")]
    Augmentation {
        /// The operation's name in recipes.
        operation: &'static str,
        /// The problem and the fix.
        problem: String,
    },
    /// An option with an invalid value.
    #[error("{flag} {value}: {problem}")]
    Flag {
        /// The option.
        flag: &'static str,
        /// Its value.
        value: String,
        /// The problem and the fix.
        problem: String,
    },
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// The rest of a command that converts a file, or a stream, which has no name.
fn converted(path: &std::path::Path) -> String {
    if path == std::path::Path::new(STANDARD_INPUT) {
        return "| micse ...".to_owned();
    }
    format!("{} > text.txt", path.display())
}

/// What messages call standard input.
pub(crate) const STANDARD_INPUT: &str = "standard input";

//! A corpus: unlabelled sentences, one per line, in one buffer.
//!
//! Files are plain text, Zstandard or gzip, detected by their first bytes and not by their names. They are
//! streamed, so memory holds only the sentences and eight bytes for each.
pub(crate) mod bytes;
mod input;
mod reader;

use std::path::{Path, PathBuf};

use micse_files::Hash;
use serde::{Deserialize, Serialize};

use crate::demo;
use crate::error::{Error, Result};
pub use reader::{CHUNK, CHUNK_BYTES, SentenceReader};

/// Sentences in a fixed order, addressed by index.
#[derive(Clone, Debug)]
pub struct Corpus {
    text: String,
    /// Where each sentence ends in `text`; sentence `i` starts where sentence `i - 1` ends.
    ends: Vec<usize>,
    info: CorpusInfo,
}

/// Identifies a corpus: enough to check whether two runs used the same sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusInfo {
    /// The files read, in order, or `demo`.
    pub sources: Vec<String>,
    /// Number of sentences.
    pub sentences: usize,
    /// Number of blank lines skipped.
    pub blank_lines: usize,
    /// SHA-256, in hexadecimal, of the sentences, each followed by a line feed.
    pub sha256: String,
}

impl Corpus {
    /// Reads files with one sentence per line, one after the other. Removes white space around each sentence and a
    /// byte order mark, skips and counts blank lines, keeps repeated sentences.
    ///
    /// # Errors
    /// A file that is missing, unreadable or in another encoding or format; a line that is not UTF-8 (with its
    /// number and byte offset); compressed data that ends early; files without any sentence.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut builder = Builder::default();
        for path in paths {
            let mut reader = SentenceReader::open(path)?;
            while let Some(sentence) = reader.sentence()? {
                builder.push(sentence);
            }
            builder.blank_lines += reader.blank_lines();
        }
        let sources = paths.iter().map(|path| file_name(path)).collect();
        let corpus = builder.finish(sources);
        if corpus.is_empty() {
            let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            let sources =
                if shown.is_empty() { "an empty list of files".to_owned() } else { shown.join(", ") };
            return Err(Error::EmptyCorpus { sources, blank_lines: corpus.info.blank_lines });
        }
        if u32::try_from(corpus.len()).is_err() {
            return Err(Error::TooManySentences { sentences: corpus.len() });
        }
        Ok(corpus)
    }

    /// Builds a corpus from sentences in memory, under the given name. Skips and counts blank ones, removes white
    /// space around each sentence, and drops everything after its first line.
    pub fn from_sentences(name: &str, sentences: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut builder = Builder::default();
        for sentence in sentences {
            builder.push(sentence.as_ref().trim().lines().next().unwrap_or_default());
        }
        builder.finish(vec![name.to_owned()])
    }

    /// The demo corpus: [`demo::CORPUS_SENTENCES`] distinct sentences of a seeded grammar.
    pub fn demo() -> Self {
        Self::from_sentences("demo", demo::corpus())
    }

    /// Number of sentences.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the corpus is empty.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Sentence `i`, without surrounding white space.
    ///
    /// # Panics
    /// If `i` is not below [`Corpus::len`].
    pub fn get(&self, i: usize) -> &str {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[start..self.ends[i]]
    }

    /// All sentences in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The corpus's identity.
    pub fn info(&self) -> &CorpusInfo {
        &self.info
    }
}

#[derive(Default)]
struct Builder {
    text: String,
    ends: Vec<usize>,
    blank_lines: usize,
    hash: Hash,
}

impl Builder {
    fn push(&mut self, line: &str) {
        let sentence = line.trim();
        if sentence.is_empty() {
            self.blank_lines += 1;
            return;
        }
        self.text.push_str(sentence);
        self.ends.push(self.text.len());
        self.hash.update(sentence.as_bytes());
        self.hash.update(b"\n");
    }

    fn finish(mut self, sources: Vec<String>) -> Corpus {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        let sha256 = self.hash.digits();
        let info = CorpusInfo { sources, sentences: self.ends.len(), blank_lines: self.blank_lines, sha256 };
        Corpus { text: self.text, ends: self.ends, info }
    }
}

/// The last part of a path, without the folder, so that a moved file still compares equal.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

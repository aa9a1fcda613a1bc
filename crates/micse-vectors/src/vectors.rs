//! A table of words and their vectors.

use crate::words::Words;
use crate::{Error, Result};

/// Word vectors: `len` distinct words, with a row of `dimension` finite numbers each.
#[derive(Clone, Debug)]
pub struct WordVectors {
    pub(crate) words: Words,
    /// All rows, one after the other.
    rows: Vec<f32>,
    dimension: usize,
    duplicates: usize,
}

impl WordVectors {
    /// Builds a table from the given vectors, each with `dimension` entries. If a word is repeated, its first
    /// vector is kept; the repeats are counted ([`duplicates`](Self::duplicates)).
    ///
    /// ```
    /// use micse_vectors::WordVectors;
    /// let vectors = WordVectors::new(2, [("a", [1.0, 2.0]), ("b", [3.0, 4.0]), ("a", [5.0, 6.0])])?;
    /// assert_eq!((vectors.len(), vectors.dimension(), vectors.duplicates()), (2, 2, 1));
    /// assert_eq!(vectors.get("a"), Some(&[1.0, 2.0][..]));
    /// assert_eq!(vectors.get("c"), None);
    /// # Ok::<(), micse_vectors::Error>(())
    /// ```
    ///
    /// # Errors
    /// A dimension of 0, a vector of a different length, NaN or infinity, an empty word, a word with a line break.
    pub fn new<W: AsRef<str>, R: AsRef<[f32]>>(
        dimension: usize,
        vectors: impl IntoIterator<Item = (W, R)>,
    ) -> Result<Self> {
        if dimension == 0 {
            let expected = "a word vector needs at least one entry";
            return Err(Error::Option { name: "dimension", value: "0".into(), expected });
        }
        let mut table = Self::empty(dimension);
        for (word, row) in vectors {
            let (word, row) = (word.as_ref(), row.as_ref());
            let refused = |problem: String| Error::Word { word: word.to_owned(), problem };
            if word.is_empty() || word.contains(['\n', '\r']) {
                return Err(refused("a word must not be empty or contain a line break".into()));
            }
            if row.len() != dimension {
                return Err(refused(format!("expected {dimension} values, found {}", row.len())));
            }
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                return Err(refused(format!("its vector contains {value}; use finite values")));
            }
            table.push(word, row);
        }
        Ok(table)
    }

    /// A table without words.
    pub(crate) fn empty(dimension: usize) -> Self {
        Self { words: Words::new(), rows: Vec::new(), dimension, duplicates: 0 }
    }

    /// Reserves space for this many more rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows * self.dimension);
    }

    /// Appends a word; a repeated word keeps its first vector.
    pub(crate) fn push(&mut self, word: &str, row: &[f32]) {
        debug_assert_eq!(row.len(), self.dimension);
        if self.words.insert(word).1 {
            self.rows.extend_from_slice(row);
        } else {
            self.duplicates += 1;
        }
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries per vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Number of repeated words that were skipped.
    pub fn duplicates(&self) -> usize {
        self.duplicates
    }

    /// Word i, in the order of the file (GloVe: by descending frequency).
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn word(&self, i: usize) -> &str {
        self.words.get(i)
    }

    /// The vector of word i.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len).
    pub fn row(&self, i: usize) -> &[f32] {
        &self.rows[i * self.dimension..][..self.dimension]
    }

    /// The vector of a word, exactly as written.
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        self.words.find(word).map(|i| self.row(i))
    }

    /// All words with their vectors, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[f32])> {
        (0..self.len()).map(|i| (self.word(i), self.row(i)))
    }
}

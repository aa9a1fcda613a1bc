//! What evaluation knows of a model, and the embeddings of a set of sentences.

use std::collections::{BTreeSet, HashMap};

use crate::{Error, Result};

/// Sentences a call of [`Embedder::embed`], between two reports of progress.
const CHUNK: usize = 1024;

/// Anything that turns sentences into vectors: an encoder with pooling, word vectors, a post-processed model.
pub trait Embedder {
    /// Entries of an embedding.
    fn dimension(&self) -> usize;

    /// The embeddings of `sentences`, a row of [`dimension`](Self::dimension) entries for each, in the order
    /// given. A row must not depend on the other sentences. Sorting by length and batching are the embedder's.
    fn embed(
        &self,
        sentences: &[&str],
    ) -> std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>>;
}

/// The embeddings of distinct sentences.
pub(crate) struct Embeddings<'a> {
    places: HashMap<&'a str, usize>,
    rows: Vec<Vec<f32>>,
    /// The squared norm of each row.
    squares: Vec<f64>,
}

impl<'a> Embeddings<'a> {
    /// Embeds each distinct sentence once; `progress` is told how many of how many are done.
    pub(crate) fn of(
        embedder: &dyn Embedder,
        sentences: impl Iterator<Item = &'a str>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        // By length, so that neighbours make batches without padding; then by text, so that what is computed
        // does not depend on the order of the pairs.
        let distinct: BTreeSet<(usize, &str)> = sentences.map(|s| (s.len(), s)).collect();
        let distinct: Vec<&str> = distinct.into_iter().map(|(_, sentence)| sentence).collect();
        let dimension = embedder.dimension();
        let mut all = Vec::with_capacity(distinct.len());
        progress(0, distinct.len());
        for chunk in distinct.chunks(CHUNK) {
            let rows = embedder.embed(chunk).map_err(Error::Embed)?;
            if rows.len() != chunk.len() {
                return Err(Error::Rows { expected: chunk.len(), found: rows.len() });
            }
            for (&sentence, row) in chunk.iter().zip(&rows) {
                if row.len() != dimension {
                    let (sentence, found) = (sentence.to_owned(), row.len());
                    return Err(Error::Dimension { sentence, expected: dimension, found });
                }
                if let Some(&value) = row.iter().find(|value| !value.is_finite()) {
                    return Err(Error::NotFinite { sentence: sentence.to_owned(), value });
                }
            }
            all.extend(rows);
            progress(all.len(), distinct.len());
        }
        let places = distinct.into_iter().enumerate().map(|(place, sentence)| (sentence, place)).collect();
        let squares = all.iter().map(|row| dot(row, row)).collect();
        Ok(Self { places, rows: all, squares })
    }

    /// The embedding of a sentence, scaled to unit length; a zero vector stays zero.
    pub(crate) fn unit(&self, sentence: &str) -> Vec<f32> {
        let place = self.places[sentence];
        let norm = self.squares[place].sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        self.rows[place].iter().map(|&value| (f64::from(value) * scale) as f32).collect()
    }

    /// The cosine of two sentences; 0 where one of them has a zero vector, exactly 1 for equal vectors (so that
    /// equal pairs tie, as they should).
    pub(crate) fn cosine(&self, first: &str, second: &str) -> f64 {
        let (a, b) = (self.places[first], self.places[second]);
        // The root of a square is exact; a product of two roots is not.
        let norms = (self.squares[a] * self.squares[b]).sqrt();
        if norms > 0.0 { dot(&self.rows[a], &self.rows[b]) / norms } else { 0.0 }
    }
}

/// The inner product, summed in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

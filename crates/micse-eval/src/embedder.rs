//! The trait that models implement to be evaluated, and the embeddings of a set of sentences.

use std::collections::{BTreeSet, HashMap};

use crate::{Error, Result};

/// Sentences per call of [`Embedder::embed`]. Progress is reported after each call.
const CHUNK: usize = 1024;

/// Turns sentences into vectors: an encoder with pooling, word vectors, a post-processed model.
pub trait Embedder {
    /// Entries of an embedding.
    fn dimension(&self) -> usize;

    /// The number of entries that are kept of an embedding, if it is truncated. Recorded in results, next to the
    /// dimension.
    fn truncate_dim(&self) -> Option<usize> {
        None
    }

    /// The embeddings of `sentences`, in the same order, each a row of [`dimension`](Self::dimension) entries. A
    /// row must not depend on the other sentences. The embedder sorts by length and batches as it sees fit.
    fn embed(
        &self,
        sentences: &[&str],
    ) -> std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>>;
}

/// The embeddings of distinct sentences.
pub(crate) struct Embeddings<'a> {
    places: HashMap<&'a str, usize>,
    rows: Vec<Vec<f32>>,
    /// The norm of each row.
    norms: Vec<f32>,
}

impl<'a> Embeddings<'a> {
    /// Embeds each distinct sentence once; `progress` receives the number done and the total.
    pub(crate) fn of(
        embedder: &dyn Embedder,
        sentences: impl Iterator<Item = &'a str>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        // By length, so that adjacent sentences form batches without padding; then by text, so that the
        // computation does not depend on the order of the pairs.
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
        let norms = all.iter().map(|row| dot(row, row).sqrt()).collect();
        Ok(Self { places, rows: all, norms })
    }

    /// The embedding of a sentence.
    pub(crate) fn row(&self, sentence: &str) -> &[f32] {
        &self.rows[self.places[sentence]]
    }

    /// The embedding of a sentence, scaled to unit length; a zero vector stays zero.
    pub(crate) fn unit(&self, sentence: &str) -> Vec<f32> {
        let place = self.places[sentence];
        let norm = self.norms[place];
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        self.rows[place].iter().map(|&value| value * scale).collect()
    }

    /// The cosine of two sentences; 0 if one of them has a zero vector.
    ///
    /// Computed in f32 as `u.v / (|u| |v|)`, like `SentEval` with numpy. The cosines of equal sentences then
    /// differ from 1 in the last bit, up or down, which breaks ties among them; published scores include this
    /// effect. (It moves subsets with many equal pairs, above all STS12's `SMTeuroparl`, by up to 0.05.)
    pub(crate) fn cosine(&self, first: &str, second: &str) -> f64 {
        let (a, b) = (self.places[first], self.places[second]);
        let norms = self.norms[a] * self.norms[b];
        if norms > 0.0 { f64::from(dot(&self.rows[a], &self.rows[b]) / norms) } else { 0.0 }
    }
}

/// The inner product in f32 with four fused partial sums, in a fixed order so that scores are reproducible. The
/// number of sums decides which way the cosines of equal pairs round. Four agree with PyTorch's scores of one
/// public model to 0.01 on every subset; eight or sixteen are equally valid, but differ by 0.02 to 0.03 on two.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 4];
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(b, *sum);
        }
    }
    let mut width = sums.len();
    while width > 1 {
        width /= 2;
        for i in 0..width {
            sums[i] += sums[i + width];
        }
    }
    sums[0]
}

/// Embeds a text as the unit vector at the angle that its first word gives.
#[cfg(test)]
pub(crate) struct Angle;

#[cfg(test)]
impl Embedder for Angle {
    fn dimension(&self) -> usize {
        2
    }

    fn embed(
        &self,
        sentences: &[&str],
    ) -> std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        let angle = |s: &&str| s.split(' ').next().and_then(|word| word.parse::<f32>().ok()).unwrap_or(0.0);
        Ok(sentences.iter().map(|s| vec![angle(s).cos(), angle(s).sin()]).collect())
    }
}

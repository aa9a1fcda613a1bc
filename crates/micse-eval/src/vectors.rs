//! Word vectors as an [`Embedder`].

use micse_vectors::{Selection, WordVectors};

use crate::Embedder;

/// Embeds a sentence as the mean of the vectors of its known words (`micse_vectors` defines what counts as a word). A
/// sentence without a known word becomes the zero vector.
pub struct VectorEmbedder<'a> {
    vectors: &'a WordVectors,
    selection: Selection,
}

impl<'a> VectorEmbedder<'a> {
    /// Averages these vectors over the selected words.
    pub fn new(vectors: &'a WordVectors, selection: Selection) -> Self {
        Self { vectors, selection }
    }
}

impl Embedder for VectorEmbedder<'_> {
    fn dimension(&self) -> usize {
        self.vectors.dimension()
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(sentences.iter().map(|sentence| self.vectors.average(sentence, self.selection)).collect())
    }
}

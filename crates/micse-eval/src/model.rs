//! Models of `micse-model` as [`Embedder`]s.

use micse_model::SentenceModel;

use crate::Embedder;

impl Embedder for SentenceModel<'_> {
    fn dimension(&self) -> usize {
        SentenceModel::dimension(self)
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.encode(sentences)?)
    }
}

//! Encoders of `micse-model` as [`Embedder`]s.

use micse_model::{Encoder, Pooling, Tokenizer, encode_sentences};

use crate::Embedder;

/// An encoder with its tokenizer and pooling, as evaluation knows it. Sentences are cut at the encoder's
/// position limit only.
pub struct ModelEmbedder<'a> {
    encoder: &'a dyn Encoder,
    tokenizer: &'a Tokenizer,
    pooling: Pooling,
}

impl<'a> ModelEmbedder<'a> {
    /// Puts the parts together.
    pub fn new(encoder: &'a dyn Encoder, tokenizer: &'a Tokenizer, pooling: Pooling) -> Self {
        Self { encoder, tokenizer, pooling }
    }
}

impl Embedder for ModelEmbedder<'_> {
    fn dimension(&self) -> usize {
        self.encoder.config().hidden_size
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(encode_sentences(self.encoder, self.tokenizer, self.pooling, sentences)?)
    }
}

//! Encoders of `micse-model`, and post-processed models, as [`Embedder`]s.

use micse_model::{Encoder, Pooling, Reading, TokenConvolution, Tokenizer, encode_sentences};
use micse_post::Stage;

use crate::Embedder;

/// An encoder with its tokenizer and pooling, as evaluation knows it. Sentences are cut at the encoder's
/// position limit only.
pub struct ModelEmbedder<'a> {
    encoder: &'a dyn Encoder,
    tokenizer: &'a Tokenizer,
    reading: Reading<'a>,
}

impl<'a> ModelEmbedder<'a> {
    /// Puts the parts together.
    pub fn new(encoder: &'a dyn Encoder, tokenizer: &'a Tokenizer, pooling: Pooling) -> Self {
        Self { encoder, tokenizer, reading: pooling.into() }
    }

    /// With a convolution over the token states, if there is one, in place of the pooling.
    #[must_use]
    pub fn with_convolution(mut self, convolution: Option<&'a TokenConvolution>) -> Self {
        self.reading.convolution = convolution;
        self
    }

    /// For a pooling that counts pads: sentences are cut at and padded to `length` tokens (the encoder's positions, if
    /// it has fewer).
    #[must_use]
    pub fn padded_to(mut self, length: usize) -> Self {
        if self.reading.pooling == Pooling::MeanWithPads {
            self.reading.pad_to = length.min(self.encoder.config().max_position_embeddings);
        }
        self
    }
}

impl Embedder for ModelEmbedder<'_> {
    fn dimension(&self) -> usize {
        self.reading.convolution.map_or(self.encoder.config().hidden_size, TokenConvolution::columns)
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(encode_sentences(self.encoder, self.tokenizer, self.reading, sentences)?)
    }
}

/// An embedder whose embeddings go through whitening or a flow.
pub struct PostEmbedder<'a> {
    inner: &'a dyn Embedder,
    stage: &'a Stage,
}

impl<'a> PostEmbedder<'a> {
    /// Puts the parts together.
    pub fn new(inner: &'a dyn Embedder, stage: &'a Stage) -> Self {
        Self { inner, stage }
    }
}

impl Embedder for PostEmbedder<'_> {
    fn dimension(&self) -> usize {
        self.stage.output_dimension()
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.stage.transform(&self.inner.embed(sentences)?)?)
    }
}

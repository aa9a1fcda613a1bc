//! From sentences to embeddings: the one encode path of development scores, test scores and export.

use candle_core::Device;
use rayon::prelude::*;

use crate::encoder::{Encoder, Pass, Taps};
use crate::{Batch, Compute, ModelFolder, Pooling, Result, Tokenizer};

/// Tokens in one evaluation batch: enough to keep the matrix products busy, few enough for the caches.
const BATCH_TOKENS: usize = 2048;

/// Encodes tokenized sentences in evaluation mode: one row each, in the order given.
///
/// Sentences are sorted by length and batched, so that hardly any place is padding. The embedding of a
/// sentence does not depend on its batch but for rounding.
///
/// # Errors
/// A sentence does not fit the encoder.
pub fn encode_ids(encoder: &dyn Encoder, sentences: &[Vec<u32>], pooling: Pooling) -> Result<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by_key(|&i| sentences[i].len());
    let pass = Pass { taps: Taps { pooled: Some(pooling), ..Taps::default() }, ..Pass::default() };
    let mut batches = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        // The batch's width is its last sentence's length, since lengths ascend.
        while end < order.len() && (end + 1 - start) * sentences[order[end]].len() <= BATCH_TOKENS {
            end += 1;
        }
        batches.push(&order[start..end]);
        start = end;
    }
    let encode = |members: &&[usize]| -> Result<Vec<Vec<f32>>> {
        let ids: Vec<&Vec<u32>> = members.iter().map(|&i| &sentences[i]).collect();
        let leaves = encoder.forward(&Batch::new(&ids)?, &pass)?;
        let pooled = leaves.pooled.map(|p| p.to_device(&Device::Cpu)?.to_vec2::<f32>()).transpose()?;
        Ok(pooled.unwrap_or_default())
    };
    // Threads take whole batches: they hardly ever wait for each other.
    let encoded: Vec<Vec<Vec<f32>>> =
        batches.par_iter().with_max_len(1).map(encode).collect::<Result<_>>()?;
    let mut rows = vec![Vec::new(); sentences.len()];
    for (members, encoded) in batches.iter().zip(encoded) {
        for (&i, row) in members.iter().zip(encoded) {
            rows[i] = row;
        }
    }
    Ok(rows)
}

/// Embeddings of sentences, cut only at the encoder's position limit: one row each, in order.
///
/// # Errors
/// A sentence cannot be tokenized.
pub fn encode_sentences<S: AsRef<str> + Sync>(
    encoder: &dyn Encoder,
    tokenizer: &Tokenizer,
    pooling: Pooling,
    sentences: &[S],
) -> Result<Vec<Vec<f32>>> {
    let ids = tokenizer.encode_all(sentences, encoder.config().max_position_embeddings)?;
    encode_ids(encoder, &ids, pooling)
}

/// An encoder with its tokenizer and pooling: text in, embeddings out.
pub struct SentenceEncoder {
    encoder: Box<dyn Encoder>,
    tokenizer: Tokenizer,
    pooling: Pooling,
    max_length: usize,
    unit: bool,
}

impl SentenceEncoder {
    /// Puts the parts together. Sentences are cut at the encoder's position limit.
    pub fn new(encoder: Box<dyn Encoder>, tokenizer: Tokenizer, pooling: Pooling) -> Self {
        let max_length = encoder.config().max_position_embeddings;
        Self { encoder, tokenizer, pooling, max_length, unit: false }
    }

    /// Loads a model folder. As sentence-transformers does, sentences are cut at the `max_seq_length` that the folder
    /// asks for (and at the encoder's position limit), and embeddings get unit length if its modules say so.
    ///
    /// # Errors
    /// The folder is not a model.
    pub fn load(folder: &ModelFolder, pooling: Pooling, compute: &Compute) -> Result<Self> {
        let mut encoder = Self::new(folder.encoder(compute)?, folder.tokenizer()?, pooling);
        encoder.max_length = folder.max_length()?.map_or(encoder.max_length, |n| n.min(encoder.max_length));
        encoder.unit = folder.normalizes()?;
        Ok(encoder)
    }

    /// The most tokens of a sentence; what is longer is cut.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The encoder.
    pub fn encoder(&self) -> &dyn Encoder {
        self.encoder.as_ref()
    }

    /// The pooling.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Embeddings of sentences: one row each, in order.
    ///
    /// # Errors
    /// A sentence cannot be tokenized.
    pub fn encode<S: AsRef<str> + Sync>(&self, sentences: &[S]) -> Result<Vec<Vec<f32>>> {
        let ids = self.tokenizer.encode_all(sentences, self.max_length)?;
        let mut rows = encode_ids(self.encoder.as_ref(), &ids, self.pooling)?;
        if self.unit {
            for row in &mut rows {
                scale_to_unit(row);
            }
        }
        Ok(rows)
    }
}

/// Scales a vector to length 1; a zero vector stays zero.
fn scale_to_unit(row: &mut [f32]) {
    let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        for value in row {
            *value /= norm;
        }
    }
}

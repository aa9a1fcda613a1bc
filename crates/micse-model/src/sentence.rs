//! From sentences to embeddings: the one encode path of development scores, test scores and export.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::encoder::{Encoder, Leaves, Pass, Taps};
use crate::export::{add_dense, add_normalize, add_own_modules, save_model, write_prompt};
use crate::head::TokenConvolution;
use crate::modules::{self, AfterPooling};
use crate::{Batch, BertConfig, Compute, Error, ModelFolder, Padding, Pooling, Result, Tokenizer};

/// Tokens in one evaluation batch: enough to keep the matrix products busy, few enough for the caches.
const BATCH_TOKENS: usize = 2048;

/// What becomes of token states at test.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The pooling, where there is no convolution.
    pub pooling: Pooling,
    /// A convolution over token states, whose mean is the embedding.
    pub convolution: Option<&'a TokenConvolution>,
    /// Sentences are padded to so many tokens, for a pooling that counts pads; else 0.
    pub pad_to: usize,
}

impl From<Pooling> for Reading<'_> {
    fn from(pooling: Pooling) -> Self {
        Self { pooling, convolution: None, pad_to: 0 }
    }
}

impl Reading<'_> {
    fn taps(&self, config: &BertConfig) -> Taps {
        match self.convolution {
            Some(_) => TokenConvolution::taps(config),
            None => Taps { pooled: Some(self.pooling), ..Taps::default() },
        }
    }

    fn batch(&self, ids: &[&Vec<u32>], config: &BertConfig) -> Result<Batch> {
        let padding = if self.pad_to > 0 { Padding::Keep } else { Padding::Drop };
        Batch::padded_to(ids, config.pad_token_id, padding, self.pad_to)
    }

    fn rows(&self, leaves: Leaves, batch: &Batch) -> Result<Tensor> {
        match self.convolution {
            Some(convolution) => convolution.embeddings(&leaves, batch),
            None => leaves.pooled.ok_or_else(|| Error::Input("the encoder gave no pooled rows".into())),
        }
    }
}

/// Encodes tokenized sentences in evaluation mode: one row each, in the order given.
///
/// Sentences are sorted by length and batched, so that hardly any place is padding. The embedding of a
/// sentence does not depend on its batch but for rounding.
///
/// # Errors
/// A sentence does not fit the encoder.
pub fn encode_ids<'a>(
    encoder: &dyn Encoder,
    sentences: &[Vec<u32>],
    reading: impl Into<Reading<'a>>,
) -> Result<Vec<Vec<f32>>> {
    let reading = reading.into();
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by_key(|&i| sentences[i].len());
    let pass = Pass { taps: reading.taps(encoder.config()), ..Pass::default() };
    let mut batches = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        // The batch's width is its last sentence's length, since lengths ascend.
        let tokens = |i: usize| sentences[i].len().max(reading.pad_to);
        while end < order.len() && (end + 1 - start) * tokens(order[end]) <= BATCH_TOKENS {
            end += 1;
        }
        batches.push(&order[start..end]);
        start = end;
    }
    let encode = |members: &&[usize]| -> Result<Vec<Vec<f32>>> {
        let ids: Vec<&Vec<u32>> = members.iter().map(|&i| &sentences[i]).collect();
        let batch = reading.batch(&ids, encoder.config())?;
        let rows = reading.rows(encoder.forward(&batch, &pass)?, &batch)?;
        Ok(rows.to_device(&Device::Cpu)?.to_vec2::<f32>()?)
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

/// Embeddings of sentences, cut only at the encoder's position limit (and at what they are padded to): one row each,
/// in order.
///
/// # Errors
/// A sentence cannot be tokenized.
pub fn encode_sentences<'a, S: AsRef<str> + Sync>(
    encoder: &dyn Encoder,
    tokenizer: &Tokenizer,
    reading: impl Into<Reading<'a>>,
    sentences: &[S],
) -> Result<Vec<Vec<f32>>> {
    let reading = reading.into();
    let limit = encoder.config().max_position_embeddings;
    let limit = if reading.pad_to > 0 { limit.min(reading.pad_to) } else { limit };
    let ids = tokenizer.encode_all(sentences, limit)?;
    encode_ids(encoder, &ids, reading)
}

/// A whole model: text in, embeddings out.
///
/// ```no_run
/// use micse_model::SentenceEncoder;
///
/// let encoder = SentenceEncoder::open("all-MiniLM-L6-v2".as_ref())?;
/// let rows = encoder.encode(&["A man plays the guitar.", "Someone makes music."])?;
/// let cosine: f32 = rows[0].iter().zip(&rows[1]).map(|(a, b)| a * b).sum();
/// println!("{cosine:.3}");
/// # Ok::<(), micse_model::Error>(())
/// ```
pub struct SentenceEncoder {
    encoder: Box<dyn Encoder>,
    tokenizer: Tokenizer,
    pooling: Pooling,
    convolution: Option<TokenConvolution>,
    steps: Vec<AfterPooling>,
    prompt: String,
    max_length: usize,
}

impl SentenceEncoder {
    /// Puts the parts together. Sentences are cut at the encoder's position limit.
    pub fn new(encoder: Box<dyn Encoder>, tokenizer: Tokenizer, pooling: Pooling) -> Self {
        let max_length = encoder.config().max_position_embeddings;
        Self {
            encoder,
            tokenizer,
            pooling,
            convolution: None,
            steps: Vec::new(),
            prompt: String::new(),
            max_length,
        }
    }

    /// Loads a model folder with the pooling that it asks for, on the CPU with the fast engine: [`Self::load`] has the
    /// choice.
    ///
    /// # Errors
    /// As [`Self::load`]; the folder says no pooling.
    pub fn open(folder: &Path) -> Result<Self> {
        let folder = ModelFolder::open(folder)?;
        let pooling = folder.pooling()?.ok_or_else(|| Error::Config {
            path: folder.root().join("modules.json"),
            reason: "the folder says no pooling, so it is no sentence encoder yet; choose one: \
                     SentenceEncoder::load with Pooling::Mean or Pooling::Cls"
                .into(),
        })?;
        Self::load(&folder, pooling, &Compute::cpu())
    }

    /// Loads a model folder. What sentence-transformers does is done: sentences get the default prompt if there is one,
    /// are cut at the `max_seq_length` that the folder asks for (and at the encoder's position limit), and what follows
    /// the pooling in `modules.json` is applied in its order: linear layers, unit length. A convolution of ours takes
    /// the pooling's place.
    ///
    /// # Errors
    /// The folder is not a model, has a module that is not supported, or ends in whitening or a flow, see
    /// [`Self::load_without_stage`].
    pub fn load(folder: &ModelFolder, pooling: Pooling, compute: &Compute) -> Result<Self> {
        if modules::behind(folder.root())?.stage {
            return Err(Error::Config {
                path: folder.root().join("modules.json"),
                reason:
                    "the model ends in whitening or a flow, which micse_post::Stage applies to its rows; \
                         load it with SentenceEncoder::load_without_stage, and its stage with Stage::load"
                        .into(),
            });
        }
        Self::load_without_stage(folder, pooling, compute)
    }

    /// [`Self::load`], but for the whitening or flow that may come last, which is the caller's to apply
    /// (`micse_post::Stage`).
    ///
    /// # Errors
    /// The folder is not a model, or has a module that is not supported.
    pub fn load_without_stage(folder: &ModelFolder, pooling: Pooling, compute: &Compute) -> Result<Self> {
        let mut encoder = Self::new(folder.encoder(compute)?, folder.tokenizer()?, pooling);
        encoder.max_length = folder.max_length()?.map_or(encoder.max_length, |n| n.min(encoder.max_length));
        encoder.convolution =
            TokenConvolution::in_folder(folder.path(), encoder.encoder.config(), &compute.device)?;
        encoder.prompt = modules::default_prompt(folder.root())?;
        let mut rows = encoder.dimension();
        encoder.steps = modules::behind(folder.root())?.steps;
        for step in &encoder.steps {
            let AfterPooling::Dense(dense) = step else { continue };
            if dense.inputs() != rows {
                return Err(Error::Config {
                    path: folder.root().join("modules.json"),
                    reason: format!(
                        "a Dense module takes {} entries, but the rows before it have {rows}",
                        dense.inputs()
                    ),
                });
            }
            rows = dense.outputs();
        }
        Ok(encoder)
    }

    /// Writes the model as a folder that sentence-transformers loads, see [`save_model`], with all that this encoder
    /// applies behind its pooling. `base` is the folder that it came from.
    ///
    /// # Errors
    /// As [`save_model`]; a convolution is followed by other modules, which no folder can say.
    pub fn save(&self, folder: &Path, base: &ModelFolder, dtype: DType) -> Result<()> {
        if self.convolution.is_some() && !self.steps.is_empty() {
            return Err(Error::Input(
                "a convolution followed by a linear layer or by unit length cannot be written as a folder"
                    .into(),
            ));
        }
        save_model(folder, self.encoder.as_ref(), base, self.pooling, dtype)?;
        write_prompt(folder, &self.prompt)?;
        for step in &self.steps {
            match step {
                AfterPooling::Normalize => add_normalize(folder)?,
                AfterPooling::Dense(dense) => add_dense(folder, dense)?,
            }
        }
        if let Some(convolution) = &self.convolution {
            convolution.save(folder)?;
            add_own_modules(folder, &["TokenConvolution"])?;
        }
        Ok(())
    }

    /// The most tokens of a sentence; what is longer is cut.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Entries of an embedding.
    pub fn dimension(&self) -> usize {
        let hidden = self.encoder.config().hidden_size;
        let pooled = self.convolution.as_ref().map_or(hidden, TokenConvolution::columns);
        let outputs = |step: &AfterPooling| match step {
            AfterPooling::Dense(dense) => Some(dense.outputs()),
            AfterPooling::Normalize => None,
        };
        self.steps.iter().rev().find_map(outputs).unwrap_or(pooled)
    }

    /// The encoder.
    pub fn encoder(&self) -> &dyn Encoder {
        self.encoder.as_ref()
    }

    /// The pooling.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// What is applied behind the pooling, in order.
    pub fn after_pooling(&self) -> &[AfterPooling] {
        &self.steps
    }

    /// The text that is put before every sentence; usually empty.
    pub fn prompt(&self) -> &str {
        &self.prompt
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
        let ids = if self.prompt.is_empty() {
            self.tokenizer.encode_all(sentences, self.max_length)?
        } else {
            let prompted: Vec<String> =
                sentences.iter().map(|s| format!("{}{}", self.prompt, s.as_ref())).collect();
            self.tokenizer.encode_all(&prompted, self.max_length)?
        };
        let reading = Reading { convolution: self.convolution.as_ref(), ..self.pooling.into() };
        let mut rows = encode_ids(self.encoder.as_ref(), &ids, reading)?;
        for step in &self.steps {
            match step {
                AfterPooling::Normalize => rows.iter_mut().for_each(|row| scale_to_unit(row)),
                AfterPooling::Dense(dense) => rows = dense.apply(&rows)?,
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

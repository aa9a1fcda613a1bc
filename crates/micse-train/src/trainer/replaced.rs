//! The replaced-token term of a step (Chuang et al. 2022, `DiffCSE`).
//!
//! A frozen masked-LM, the encoder as it was at the start with its masked-LM head, fills masked tokens of each sentence
//! with what it finds most likely. A discriminator, a second encoder, reads the filled sentence with the sentence's
//! embedding in the place of its `[CLS]` embedding, and says of each token whether it was replaced. It can do so the
//! better the more the embedding knows of the sentence, and that gradient trains the online encoder.

use candle_core::{Device, Tensor};
use micse_data::{MaskVocabulary, Masking};
use micse_losses::replaced_tokens;
use micse_model::{
    Batch, Dropout, Encoder, Head, HeadLayer, HeadPass, MaskedLmHead, Mode, Padding, Pass, Taps, Tokenizer,
    WORD_TABLE, head::Width,
};
use micse_random::Stream;

use crate::masked_lm::{MaskedBatch, mask_vocabulary};
use crate::recipe::ReplacedTokens;
use crate::{Error, Result};

/// Generator and discriminator.
pub(super) struct ReplacedDetector {
    masking: Masking,
    vocabulary: MaskVocabulary,
    generator: Box<dyn Encoder>,
    /// The generator's head; `None` until the encoder's folder gave it.
    generator_head: Option<MaskedLmHead>,
    /// The discriminator, which learns.
    pub(super) encoder: Box<dyn Encoder>,
    /// From its token states to the two classes.
    pub(super) head: Head,
    device: Device,
}

/// Sentences with replaced tokens.
pub(super) struct Filled {
    batch: Batch,
    /// Of each row, whether its token is another than the sentence's.
    replaced: Vec<bool>,
}

impl ReplacedDetector {
    pub(super) fn new(
        term: &ReplacedTokens,
        encoder: &dyn Encoder,
        columns: usize,
        tokenizer: &Tokenizer,
        stream: Stream,
        device: &Device,
    ) -> Result<Self> {
        let hidden = encoder.config().hidden_size;
        if columns != hidden {
            return Err(micse_model::Error::Input(format!(
                "replaced-tokens puts head rows of {columns} columns in the place of embeddings of {hidden}: give the \
                 head `linear` as its last width"
            ))
            .into());
        }
        let classes = [HeadLayer::Linear { outputs: Width::Fixed(2), bias: true }];
        Ok(Self {
            masking: Masking { rate: term.rate, whole_words: false },
            vocabulary: mask_vocabulary(tokenizer)?,
            generator: encoder.duplicate()?,
            generator_head: None,
            encoder: encoder.duplicate()?,
            head: Head::new(&classes, hidden, hidden, stream, device)?,
            device: device.clone(),
        })
    }

    pub(super) fn set_generator_head(&mut self, head: MaskedLmHead) {
        self.generator_head = Some(head);
    }

    /// The sentences with masked tokens filled in by the generator's most likely ones.
    pub(super) fn fill(&self, ids: &[Vec<u32>], masks: Stream) -> Result<Filled> {
        let head = self.generator_head.as_ref().ok_or_else(|| {
            Error::Model(micse_model::Error::Input(
                "replaced-tokens needs a masked-LM to fill tokens in, but the encoder's folder has no head for it \
                 (mlm_head.safetensors, or cls.predictions among its weights); take an encoder that was saved with it"
                    .into(),
            ))
        })?;
        let padding = (Padding::Drop, self.generator.config().pad_token_id);
        let masked = MaskedBatch::new(ids, self.masking, &self.vocabulary, padding, masks)?;
        let mut filled: Vec<Vec<u32>> = ids.to_vec();
        if !masked.rows.is_empty() {
            let taps = Taps { tokens: masked.rows.clone(), ..Taps::default() };
            let pass = Pass { mode: Mode::Evaluation, gradients: false, taps };
            let leaves = self.generator.forward(&masked.batch, &pass)?;
            let missing = || micse_model::Error::Input("the generator gave no token states".into());
            let states = leaves.tokens.ok_or_else(missing)?;
            let scores = head.scores(&states, &self.generator.value(WORD_TABLE)?)?.detach();
            let likely = scores.argmax(1)?.to_vec1::<u32>()?;
            let first = masked.batch.first_rows();
            for (&row, token) in masked.rows.iter().zip(likely) {
                let sentence = first.partition_point(|&f| f <= row as usize) - 1;
                filled[sentence][row as usize - first[sentence]] = token;
            }
        }
        let replaced =
            ids.iter().zip(&filled).flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| a != b)).collect();
        Ok(Filled { batch: Batch::new(&filled)?, replaced })
    }

    /// The loss for embeddings `[B, D]` of the sentences, in the graph of embeddings, discriminator and its head.
    pub(super) fn loss(&self, filled: &Filled, embeddings: &Tensor, dropout: Dropout) -> Result<Tensor> {
        let batch = &filled.batch;
        let taps = Taps { states: vec![self.encoder.config().num_hidden_layers], ..Taps::default() };
        let pass = Pass { mode: Mode::Training(dropout), gradients: true, taps };
        let tokens = self.encoder.embed(batch, &pass)?;
        // Rows of [CLS] are taken from the embeddings, all others from the token embeddings.
        let rows = batch.rows();
        let mut index: Vec<u32> = (0..rows as u32).collect();
        for (b, &first) in batch.first_rows().iter().enumerate() {
            index[first] = (rows + b) as u32;
        }
        let both = Tensor::cat(&[&tokens, embeddings], 0)?;
        let given = both.index_select(&Tensor::new(index, &self.device)?, 0)?;
        let leaves = self.encoder.encode(&given, batch, &pass)?;
        let missing = || micse_model::Error::Input("the discriminator gave no token states".into());
        let states = leaves.states.into_iter().next().ok_or_else(missing)?;
        let logits = self.head.forward(&states, HeadPass { gradients: true, dropout: None })?;
        Ok(replaced_tokens(&logits, &filled.replaced)?)
    }
}

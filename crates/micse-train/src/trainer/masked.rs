//! The masked-LM term of a step: one more pass, on masked copies of the batch's sentences.

use candle_core::Device;
use micse_data::{MaskVocabulary, Masking};
use micse_losses::{MaskedLm as Loss, check_finite};
use micse_model::{Dropout, Encoder, MaskedLmHead, Mode, Padding, Precision, Tokenizer, Trainable};
use micse_random::Stream;

use crate::Result;
use crate::masked_lm::{MaskedBatch, add_table_gradient, mask_vocabulary};
use crate::recipe::MaskedLm;

/// The term with its head, which is trained along.
pub(super) struct MaskedTerm {
    weight: f64,
    masking: Masking,
    vocabulary: MaskVocabulary,
    pub(super) head: MaskedLmHead,
}

/// A step's masked-LM loss.
pub(super) struct MaskedLoss {
    loss: Loss,
    /// Before the weight.
    pub(super) value: f64,
    weight: f64,
}

impl MaskedLoss {
    /// What it adds to the step's loss.
    pub(super) fn weighted(&self) -> f64 {
        self.weight * self.value
    }
}

impl MaskedTerm {
    /// The term with a new head.
    pub(super) fn new(
        term: &MaskedLm,
        encoder: &dyn Encoder,
        tokenizer: &Tokenizer,
        stream: Stream,
        device: &Device,
    ) -> Result<Self> {
        Ok(Self {
            weight: term.weight,
            masking: Masking { rate: term.rate, whole_words: term.whole_words },
            vocabulary: mask_vocabulary(tokenizer)?,
            head: MaskedLmHead::new(encoder.config(), stream, device)?,
        })
    }

    /// The loss on masked copies of the sentences `ids`; `None` if no sentence has a word.
    pub(super) fn loss(
        &self,
        encoder: &dyn Encoder,
        ids: &[Vec<u32>],
        padding: Padding,
        dropout: Dropout,
        masks: Stream,
    ) -> Result<Option<MaskedLoss>> {
        let padding = (padding, encoder.config().pad_token_id);
        let batch = MaskedBatch::new(ids, self.masking, &self.vocabulary, padding, masks)?;
        // The output layer is a small part of a contrastive step: f32 whatever the encoder computes in.
        let loss = batch.loss(encoder, &self.head, Mode::Training(dropout), Precision::F32)?;
        let Some(loss) = loss else { return Ok(None) };
        let value = check_finite(&loss.loss, "masked-lm")?;
        Ok(Some(MaskedLoss { loss, value, weight: self.weight }))
    }

    /// Gradients of encoder, word table and head; none where the weight is 0.
    pub(super) fn backward(&mut self, encoder: &mut dyn Encoder, masked: &MaskedLoss) -> Result<()> {
        if masked.weight == 0.0 {
            return Ok(());
        }
        let gradients = (&masked.loss.loss * masked.weight)?.backward()?;
        encoder.collect_gradients(&gradients)?;
        add_table_gradient(encoder, &masked.loss, &gradients)?;
        Ok(self.head.collect_gradients(&gradients)?)
    }
}

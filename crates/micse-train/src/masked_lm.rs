//! One pass of masked language modelling: from masked copies of sentences through encoder and head to the loss.

use candle_core::Tensor;
use candle_core::backprop::GradStore;
use micse_data::{MaskVocabulary, Masking};
use micse_losses::{MaskedLm, Products, masked_lm_loss};
use micse_model::{
    Batch, Encoder, MaskedLmHead, Mode, Padding, Pass, Precision, Taps, Tokenizer, WORD_TABLE,
};
use micse_random::Stream;

use crate::{Error, Result};

/// The part of a tokenizer's vocabulary that masking needs.
///
/// # Errors
/// The vocabulary has neither `[MASK]` nor `<mask>`.
pub fn mask_vocabulary(tokenizer: &Tokenizer) -> Result<MaskVocabulary> {
    MaskVocabulary::new(&tokenizer.tokens()).ok_or_else(|| {
        micse_model::Error::Tokenizer {
            path: tokenizer.path().into(),
            reason: "the vocabulary has neither [MASK] nor <mask>, which masked language modelling needs"
                .into(),
        }
        .into()
    })
}

/// Sentences with masks, as one batch.
#[derive(Clone, Debug)]
pub struct MaskedBatch {
    /// The masked copies.
    pub batch: Batch,
    /// Rows of the batch whose tokens are predicted.
    pub rows: Vec<u32>,
    /// The original tokens of these rows.
    pub targets: Vec<u32>,
}

impl MaskedBatch {
    /// Masks sentence i with the stream `stream.with(i)`.
    ///
    /// # Errors
    /// No sentences, or a sentence without tokens.
    pub fn new(
        sentences: &[impl AsRef<[u32]>],
        masking: Masking,
        vocabulary: &MaskVocabulary,
        padding: (Padding, u32),
        stream: Stream,
    ) -> Result<Self> {
        let masked: Vec<_> = (0_u64..)
            .zip(sentences)
            .map(|(i, ids)| masking.apply(ids.as_ref(), vocabulary, stream.with(i)))
            .collect();
        let ids: Vec<&[u32]> = masked.iter().map(|m| m.ids.as_slice()).collect();
        let batch = Batch::padded(&ids, padding.1, padding.0)?;
        let rows = masked
            .iter()
            .zip(batch.first_rows())
            .flat_map(|(m, &first)| m.positions.iter().map(move |&position| first as u32 + position))
            .collect();
        Ok(Self { batch, rows, targets: masked.into_iter().flat_map(|m| m.targets).collect() })
    }

    /// The loss of a training pass, in the graph of encoder and head; `None` if there is nothing to predict (no
    /// ordinary token in the batch). After its backward pass, call [`add_table_gradient`].
    ///
    /// # Errors
    /// The batch does not fit the encoder, or the head belongs to another encoder.
    pub fn loss(
        &self,
        encoder: &dyn Encoder,
        head: &MaskedLmHead,
        mode: Mode,
        precision: Precision,
    ) -> Result<Option<MaskedLm>> {
        let Some(states) = self.states(encoder, mode, true)? else { return Ok(None) };
        let (states, table) = (head.transform(&states)?, encoder.value(WORD_TABLE)?);
        Ok(Some(masked_lm_loss(&states, &table, head.bias(), &self.targets, products(precision))?))
    }

    /// The mean loss in evaluation mode, in f32, and the number of correct predictions; `None` as in [`Self::loss`].
    ///
    /// # Errors
    /// As [`Self::loss`].
    pub fn evaluate(&self, encoder: &dyn Encoder, head: &MaskedLmHead) -> Result<Option<(f64, usize)>> {
        let Some(states) = self.states(encoder, Mode::Evaluation, false)? else { return Ok(None) };
        let (states, bias) = (head.transform(&states)?.detach(), head.bias().detach());
        let table = encoder.value(WORD_TABLE)?;
        let masked = masked_lm_loss(&states, &table, &bias, &self.targets, Products::Full)?;
        Ok(Some((f64::from(masked.loss.to_scalar::<f32>()?), masked.correct)))
    }

    fn states(&self, encoder: &dyn Encoder, mode: Mode, gradients: bool) -> Result<Option<Tensor>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let taps = Taps { tokens: self.rows.clone(), ..Taps::default() };
        let leaves = encoder.forward(&self.batch, &Pass { mode, gradients, taps })?;
        let missing =
            || Error::Model(micse_model::Error::Input("the encoder returned no token states".into()));
        leaves.tokens.ok_or_else(missing).map(Some)
    }
}

/// If the encoder rounds its products to bfloat16, the scores over the vocabulary are rounded in the same way.
fn products(precision: Precision) -> Products {
    if precision == Precision::Bf16 { Products::Bf16 } else { Products::Full }
}

/// Adds the output layer's share to the gradient of the encoder's word table, after the encoder has collected its own
/// gradients: the table is both the input and the output layer.
///
/// # Errors
/// `gradients` do not belong to this loss.
pub fn add_table_gradient(encoder: &mut dyn Encoder, masked: &MaskedLm, gradients: &GradStore) -> Result<()> {
    let missing = || micse_model::Error::Input("the word table got no gradient".into());
    let gradient = masked.table_gradient(gradients).ok_or_else(missing)?;
    Ok(encoder.add_gradient(WORD_TABLE, &gradient)?)
}

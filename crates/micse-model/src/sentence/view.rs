//! One view of a sentence: a pass in training mode, as contrastive training sees it.

use candle_core::{Device, Tensor};

use super::SentenceModel;
use crate::encoder::{AttentionStage, Dropout, Mode, Pass};
use crate::{Error, Result};

/// A view of one sentence of n tokens.
#[derive(Clone, Debug)]
pub struct View {
    /// The embedding: [`SentenceModel::dimension`] entries.
    pub embedding: Vec<f32>,
    /// Attention after the softmax, before its own dropout: `[L, H, n, n]` (layer, head, query, key), on the CPU.
    pub attention: Tensor,
    /// Per layer, how many tokens before and after a query it attends to, outside which its attention is 0; `None` for
    /// all tokens ([`BertConfig::window`](crate::BertConfig::window)).
    pub windows: Vec<Option<usize>>,
}

impl SentenceModel<'_> {
    /// Encodes one tokenized sentence (see [`crate::Pipeline::tokenize`]) with dropout. The pass is the whole model,
    /// from the word table to the last module; [`SentenceModel::encode`] without dropout.
    ///
    /// `sentence` numbers the sentence for the dropout masks: equal streams and numbers give equal masks.
    ///
    /// # Errors
    /// The sentence has no tokens, or does not fit the encoder.
    pub fn view(&self, ids: &[u32], dropout: Dropout, sentence: usize) -> Result<View> {
        let encoder = self.encoder();
        let config = encoder.config();
        let reading = self.pipeline().reading(encoder, self.convolution());
        let batch = reading.batch(&[ids], config)?.starting_at(sentence);
        let mut taps = reading.taps(config);
        taps.attention_maps = Some(AttentionStage::BeforeDropout);
        let mut leaves =
            encoder.forward(&batch, &Pass { mode: Mode::Training(dropout), gradients: false, taps })?;
        let maps = leaves.attention_maps.take();
        let maps = maps.ok_or_else(|| Error::Input("the encoder returned no attention maps".into()))?;
        // Rows and columns of pads, for a pooling that counts them, are not part of the sentence.
        let attention = maps.squeeze(1)?.narrow(2, 0, ids.len())?.narrow(3, 0, ids.len())?;
        let rows = reading.rows(leaves, &batch)?.to_device(&Device::Cpu)?.to_vec2::<f32>()?;
        let mut rows = self.pipeline().finish(rows)?;
        let embedding = rows.pop().ok_or_else(|| Error::Input("the encoder returned no embedding".into()))?;
        let windows = (0..config.num_hidden_layers).map(|layer| config.window(layer)).collect();
        Ok(View { embedding, attention: attention.to_device(&Device::Cpu)?.contiguous()?, windows })
    }
}

//! Whole attention maps, assembled from the values at all positions.

use candle_core::{Device, Tensor};

use super::PackedEncoder;
use crate::encoder::{AttentionPosition, AttentionStage, AttentionValues, Encoder, Leaves, Pass, Taps};
use crate::{Batch, Error, Result};

/// [`Encoder::encode`] for a pass that requests attention maps.
pub(super) fn encode(
    encoder: &PackedEncoder,
    embeddings: &Tensor,
    batch: &Batch,
    pass: &Pass,
    stage: AttentionStage,
) -> Result<Leaves> {
    let mut at = match &pass.taps.attention_values {
        Some(values) if values.stage != stage => {
            return Err(Error::Input(format!(
                "one pass requests attention maps of stage {stage:?} and attention values of stage {:?}; \
                 request a single stage",
                values.stage
            )));
        }
        Some(values) => values.at.clone(),
        None => Vec::new(),
    };
    let own = at.len();
    let config = encoder.config();
    let (layers, heads, n) = (config.num_hidden_layers, config.num_attention_heads, batch.width());
    // For every entry of the maps, its index among the values. The index after the last value stands for
    // zero.
    let mut places = Vec::with_capacity(layers * batch.sentences() * heads * n * n);
    for layer in 0..layers as u32 {
        for sentence in 0..batch.sentences() {
            let (rows, keys) = (batch.rows_of(sentence), batch.keys_of(sentence));
            for head in 0..heads as u32 {
                for (query, key) in (0..n).flat_map(|query| (0..n).map(move |key| (query, key))) {
                    if query < rows && key < keys {
                        places.push(Some((at.len() - own) as u32));
                        let (sentence, query, key) = (sentence as u32, query as u32, key as u32);
                        at.push(AttentionPosition { sentence, layer, head, query, key });
                    } else {
                        places.push(None);
                    }
                }
            }
        }
    }
    let count = at.len() - own;
    let taps = Taps {
        attention_values: Some(AttentionValues { stage, at }),
        attention_maps: None,
        ..pass.taps.clone()
    };
    let mut leaves = encoder.encode(embeddings, batch, &Pass { taps, ..pass.clone() })?;
    let values = leaves.attention_values.take().expect("values were asked for");
    let zero = Tensor::zeros(1, values.dtype(), &Device::Cpu)?;
    let padded = Tensor::cat(&[&values.narrow(0, own, count)?, &zero], 0)?;
    let places: Vec<u32> = places.into_iter().map(|p| p.unwrap_or(count as u32)).collect();
    let maps = padded.index_select(&Tensor::new(places, &Device::Cpu)?, 0)?;
    leaves.attention_maps = Some(maps.reshape((layers, batch.sentences(), heads, n, n))?);
    if pass.taps.attention_values.is_some() {
        leaves.attention_values = Some(values.narrow(0, 0, own)?);
    }
    Ok(leaves)
}

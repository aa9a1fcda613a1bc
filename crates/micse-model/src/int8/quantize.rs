//! From an encoder and sentences to 8-bit weights.

use micse_kernels::int8::round_row;

use super::compensate::Feedback;
use super::{Quantized, QuantizedLinear, check_inputs};
use crate::packed::InputStatistics;
use crate::{Batch, Encoder, Error, PackedEncoder, Precision, Result, Trainable, WORD_TABLE};

/// Tokens per batch of the sample.
const BATCH_TOKENS: usize = 2048;

/// The share of an input channel's range that is moved to the weights, as an exponent: 0 moves nothing. Chosen with
/// `xtask/peers/int8.py`, as are the cut and the damping.
const SMOOTHING: f32 = 0.4;

/// The measures against rounding errors, in the order of the module's list; each includes the previous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rounding {
    /// Weights are rounded to the nearest value.
    Nearest,
    /// Ranges are moved from activations to weights.
    Smoothed,
    /// Errors of earlier input channels are compensated for.
    Compensated,
}

/// Quantises an encoder, with statistics of a sample of tokenized sentences (a few hundred suffice).
///
/// # Errors
/// Fails if the sample is empty or does not fit the encoder, or if a value of the encoder is not finite.
pub fn quantize(encoder: &dyn Encoder, sample: &[Vec<u32>], rounding: Rounding) -> Result<Quantized> {
    if sample.iter().all(Vec::is_empty) {
        return Err(Error::Input("quantising needs at least one sentence as a sample".into()));
    }
    // In f32 on the CPU, whatever the encoder computes with.
    let config = encoder.config();
    check_inputs(config.hidden_size.max(config.intermediate_size))?;
    let encoder = PackedEncoder::new(config.clone(), &mut encoder.values()?.into_iter(), Precision::F32)?;
    let statistics = encoder.observe(&batches(sample)?)?;
    let names = encoder.linear_names()?;
    let linears = names
        .into_iter()
        .zip(&statistics)
        .enumerate()
        .map(|(number, (names, statistics))| {
            let (weights, inputs) = encoder.linear_weight(number)?;
            let linear = linear(weights, inputs, statistics, rounding)
                .ok_or_else(|| Error::Input(format!("{}: a weight or an input is not finite", names[0])))?;
            Ok((names, linear))
        })
        .collect::<Result<_>>()?;
    let words: Vec<f32> = encoder.value(WORD_TABLE)?.flatten_all()?.to_vec1()?;
    Ok(Quantized { linears, words: by_rows(&words, config.embedding_size) })
}

/// The sample in batches; sentences are sorted by length.
fn batches(sample: &[Vec<u32>]) -> Result<Vec<Batch>> {
    let mut sorted: Vec<&Vec<u32>> = sample.iter().filter(|ids| !ids.is_empty()).collect();
    sorted.sort_by_key(|ids| ids.len());
    let longest = sorted.last().map_or(1, |ids| ids.len());
    sorted.chunks((BATCH_TOKENS / longest).max(1)).map(Batch::new).collect()
}

/// One linear layer; `None` if a number is not finite.
fn linear(
    mut weights: Vec<f32>,
    inputs: usize,
    statistics: &InputStatistics,
    rounding: Rounding,
) -> Option<QuantizedLinear> {
    if !weights.iter().chain(&statistics.gram).all(|x| x.is_finite()) {
        return None;
    }
    let mut factors = vec![1.0; inputs];
    if rounding >= Rounding::Smoothed {
        let mut largest = vec![0.0_f32; inputs];
        for row in weights.chunks_exact(inputs) {
            for (largest, w) in largest.iter_mut().zip(row) {
                *largest = largest.max(w.abs());
            }
        }
        let squares = statistics.gram.iter().step_by(inputs + 1);
        for ((factor, &square), &w) in factors.iter_mut().zip(squares).zip(&largest) {
            let x = (square / statistics.rows as f32).sqrt();
            // Channels without a range keep their factor.
            if x > 0.0 && w > 0.0 {
                *factor = w.powf(1.0 - SMOOTHING) / x.powf(SMOOTHING);
            }
        }
        for row in weights.chunks_exact_mut(inputs) {
            row.iter_mut().zip(&factors).for_each(|(w, factor)| *w /= factor);
        }
    }
    let (values, scales) = if rounding >= Rounding::Compensated {
        let mut gram = statistics.gram.clone();
        for (row, factor) in gram.chunks_exact_mut(inputs).zip(&factors) {
            row.iter_mut().zip(&factors).for_each(|(x, other)| *x *= factor * other);
        }
        Feedback::new(&gram, inputs)?.round(&weights)
    } else {
        by_rows(&weights, inputs)
    };
    Some(QuantizedLinear { values, scales, factors })
}

/// Every row rounded to the nearest values, with one scale per row.
fn by_rows(matrix: &[f32], width: usize) -> (Vec<i8>, Vec<f32>) {
    let mut values = vec![0; matrix.len()];
    let rows = values.chunks_exact_mut(width).zip(matrix.chunks_exact(width));
    let scales = rows.map(|(values, row)| round_row(values, row)).collect();
    (values, scales)
}

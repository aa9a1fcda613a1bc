//! Encoders in 8-bit integers, for encoding on CPUs: how weights are quantised, and how they are stored.
//!
//! Products of linear layers use 8-bit weights, with one scale per output channel, and 8-bit activations, with a range
//! per token ([`micse_kernels::int8`]). Everything else (attention, softmax, LayerNorm, activation, pooling) stays f32,
//! with GELU to within 1e-4 where its results are rounded ([`micse_kernels::int8::activate`]). The word table is in 8 bits
//! too, with one scale per word.
//!
//! [`quantize`] reduces the rounding error in three ways, with statistics of a few hundred sentences:
//!
//! 1. Activations have a lowest value per token besides their step, instead of a range symmetric about zero, and what
//!    exceeds six times a token's root mean square is multiplied in f32.
//! 2. Ranges are moved from activations to weights: input channel j is multiplied by a factor, and its weights are
//!    divided by it (after SmoothQuant, Xiao and others 2023, which uses the largest activation instead of the root mean
//!    square): `factor[j] = max |w[j]|^0.6 / rms(x[j])^0.4`.
//! 3. Weights are rounded one input channel after the other, and each rounding compensates for the errors of the
//!    earlier ones as far as inputs are correlated (GPTQ, Frantar and others 2023, in the form of LDLQ, Chee and others
//!    2023).
//!
//! # The folder
//! `int8.safetensors` takes the place of `model.safetensors`, so that no other library loads it by mistake:
//!
//! | tensor | type | content |
//! |---|---|---|
//! | `NAME.weight` of a linear layer | U8 `[outputs, inputs]` | 128 + weight, -127 to 127 |
//! | `NAME.weight.scale` | F32 `[outputs]` | one scale per output channel |
//! | `NAME.weight.factor` | F32 `[inputs]` | by which the inputs are multiplied before they are rounded |
//! | the word table and its `.scale` | U8, F32 `[words]` | as above, one scale per word |
//! | everything else | F32 | |
//!
//! The weight itself is `scale * (stored - 128) * factor`.

mod compensate;
mod quantize;
mod stored;

use micse_kernels::int8::MOST_INPUTS;

use crate::{Error, Result};

pub use quantize::{Rounding, quantize};
pub(crate) use stored::widen;

/// A linear layer in 8 bits: the weight is `scales[output] * values[output, input] * factors[input]`.
pub(crate) struct QuantizedLinear {
    /// `[outputs, inputs]`.
    pub(crate) values: Vec<i8>,
    /// `[outputs]`.
    pub(crate) scales: Vec<f32>,
    /// `[inputs]`.
    pub(crate) factors: Vec<f32>,
}

/// A table in 8 bits: row i is `scales[i] * values[i]`.
#[derive(Clone)]
pub(crate) struct QuantizedTable {
    /// `[rows, width]`.
    pub(crate) values: Vec<i8>,
    /// `[rows]`.
    pub(crate) scales: Vec<f32>,
    pub(crate) width: usize,
}

/// Fails if a linear layer has more inputs than its sums can hold.
pub(crate) fn check_inputs(inputs: usize) -> Result<()> {
    if inputs <= MOST_INPUTS {
        return Ok(());
    }
    Err(Error::Input(format!(
        "a linear layer has {inputs} inputs, but int8 holds the sums of at most {MOST_INPUTS}; use f32 or bf16"
    )))
}

/// The 8-bit parts of an encoder; see [`quantize`] and [`crate::SentenceModel::save_int8`].
pub struct Quantized {
    /// The weight parameters that form a linear layer, and the layer.
    pub(crate) linears: Vec<(Vec<String>, QuantizedLinear)>,
    /// The word table, `[words, hidden size]`, and one scale per word.
    pub(crate) words: (Vec<i8>, Vec<f32>),
}

impl Quantized {
    /// The module name of this project for such folders, which other libraries reject.
    pub const MODULE: &'static str = "Int8";
}

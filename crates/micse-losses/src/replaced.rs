//! Detection of replaced tokens.

use candle_core::Tensor;

use crate::Result;
use crate::checks::{matrix, same_shape};
use crate::logits::binary_cross_entropy;

/// The loss of a discriminator that predicts which of M tokens were replaced, from its logits `[M, 2]`: a scalar.
///
/// Column 1 is the score for "replaced", column 0 for "original"; `r_m` is 1 where `replaced[m]`, else 0:
///
/// ```text
/// loss = 1/M sum_m [ ln(exp l_m0 + exp l_m1) - l_m,r_m ]
/// ```
///
/// It is computed from the difference `l_m1 - l_m0`, which gives the same value. Equal logits cost ln 2.
///
/// **Inputs**: the caller chooses which tokens take part (`DiffCSE`'s code uses all positions, including padding).
///
/// **Requirements**: f32 or f64; one value of `replaced` per row. Finite for any finite logits.
///
/// **Recommended values**: weight 0.005 relative to the contrastive loss (`DiffCSE`).
///
/// **Citation**: Clark, Luong, Le, Manning 2020 (ELECTRA); Chuang et al. 2022 (`DiffCSE`).
///
/// # Errors
/// A shape other than `[replaced.len(), 2]`.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0_f64, 0.0], [0.0, 3_f64.ln()]], &Device::Cpu)?;
/// // Probabilities 1/2 and 3/4 for the correct answers.
/// let loss = micse_losses::replaced_tokens(&logits, &[false, true])?.to_scalar::<f64>()?;
/// assert!((loss - (2_f64.ln() + (4_f64 / 3.0).ln()) / 2.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replaced_tokens(logits: &Tensor, replaced: &[bool]) -> Result<Tensor> {
    matrix(logits, "logits")?;
    same_shape(logits, "logits", &[replaced.len(), 2])?;
    let difference = logits.narrow(1, 1, 1)?.sub(&logits.narrow(1, 0, 1)?)?.squeeze(1)?;
    binary_cross_entropy(&difference, replaced)
}

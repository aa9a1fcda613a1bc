//! Objectives on pairs of rows, each pair independently.

use candle_core::Tensor;

use crate::Result;
use crate::checks::{pair, same_shape};
use crate::cosine::normalize_rows;
use crate::logits::binary_cross_entropy;

/// Contrastive Tension of P pairs of sentences, `x` and `y` `[P, D]` from two towers: a scalar.
///
/// The logit of pair `i` is the dot product `l_i = x_i . y_i`; it predicts whether both towers read the same
/// sentence:
///
/// ```text
/// loss = 1/P sum_i ( ln(1 + exp(-l_i)) if positive_i, else ln(1 + exp(l_i)) )
/// ```
///
/// **Inputs**: the towers' output rows, *not* normalised; `positive[i]` is true if both rows of pair `i` come from
/// the same sentence.
///
/// **Requirements**: f32 or f64, both of one type; one `positive` per pair. Finite for any finite logit. A zero
/// row has logit 0, so its pair costs ln 2.
///
/// **Relations**: the published code uses this mean; sentence-transformers' `ContrastiveTensionLoss` uses the sum,
/// which is P times this value.
///
/// **Recommended values**: groups of 1 pair of the same sentence and 7 pairs of random sentences.
///
/// **Citation**: Carlsson, Gyllensten, Gogoulou, Hellqvist, Sahlgren 2021 (Contrastive Tension).
///
/// # Errors
/// Different shapes or types; a length of `positive` other than the number of pairs.
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let x = Tensor::new(&[[1_f64, 2.0], [1.0, 2.0]], &Device::Cpu)?;
/// let y = Tensor::new(&[[20_f64, 40.0], [-20.0, -40.0]], &Device::Cpu)?;
/// // Logits 100 and -100, both correct.
/// let loss = micse_losses::contrastive_tension(&x, &y, &[true, false])?.to_scalar::<f64>()?;
/// assert!((loss - (-100_f64).exp()).abs() < 1e-50);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn contrastive_tension(x: &Tensor, y: &Tensor, positive: &[bool]) -> Result<Tensor> {
    let (_, dim) = pair(x, "x", y, "y")?;
    same_shape(x, "x", &[positive.len(), dim])?;
    binary_cross_entropy(&x.mul(y)?.sum(1)?, positive)
}

/// The information-minimising term of two views `z1`, `z2` `[B, D]`: a scalar.
///
/// With unit rows `u = z / |z|`, each view is predicted from the other:
///
/// ```text
/// loss = MSE(u1, u2) + MSE(u2, u1) = 2/(B D) sum_{i,d} (u1_id - u2_id)^2 = 4/(B D) sum_i (1 - cos(z1_i, z2_i))
/// ```
///
/// Both sides get gradients. The mean is over entries, so the value is small: at most `8 / D`.
///
/// **Requirements**: f32 or f64, both of one type. A zero row stays zero after normalisation and gets no gradient
/// (see [`normalize_rows`]).
///
/// **Relations**: an additional term for [`InfoNce`](crate::InfoNce). Its gradient is that of [`self_contrast`]
/// with the opposite sign and another scale: this loss pulls the views together, [`self_contrast`] pushes them
/// apart.
///
/// **Citation**: Chen et al. 2022 (InforMin-CL).
///
/// # Errors
/// Different shapes or types.
///
/// [`self_contrast`]: crate::self_contrast()
pub fn information_minimising(z1: &Tensor, z2: &Tensor) -> Result<Tensor> {
    pair(z1, "z1", z2, "z2")?;
    // The difference of unit rows preserves precision where views are nearly equal; 1 - cos would not.
    let squares = normalize_rows(z1)?.sub(&normalize_rows(z2)?)?.sqr()?;
    Ok((squares.mean_all()? * 2.0)?)
}

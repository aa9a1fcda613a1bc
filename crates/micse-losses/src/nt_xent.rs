//! NT-Xent, the contrastive loss over both views at once.

use candle_core::{DType, Tensor};

use crate::Result;
use crate::checks::{pair, positive_temperature};
use crate::cosine::normalize_rows;
use crate::logits::{exclude, log_sum_exp};

/// The normalised temperature-scaled cross-entropy of two views `z1`, `z2` `[B, D]`: a scalar.
///
/// With the 2B rows `z` of both views, `s(a, b) = cos(a, b) / tau`, and `p(i)` the row of the same sentence in the
/// other view:
///
/// ```text
/// loss = 1/(2B) sum_i [ ln sum_{j != i} exp s(z_i, z_j) - s(z_i, z_p(i)) ]
/// ```
///
/// Each row thus has the 2B - 2 rows of other sentences, in both views, as negatives. The value is at least 0, and
/// swapping the views does not change it.
///
/// **Requirements**: f32 or f64, both of one type. With one sentence there are no negatives, and the loss is 0. A
/// zero row has cosine 0 with all rows (see [`normalize_rows`]).
///
/// **Relations**: [`InfoNce`](crate::InfoNce) has only one direction, with negatives from the other view only.
/// This is the loss of Mirror-BERT and the instance part of VaSCL. ConSERT's loss, a cross-entropy for each view
/// averaged over its B rows, `CE_a + CE_b`, is twice this one.
///
/// **Recommended values**: temperature 0.04 (Mirror-BERT), 0.05 (VaSCL), 0.1 (ConSERT).
///
/// **Citation**: Chen, Kornblith, Norouzi, Hinton 2020 (`SimCLR`), Eq. 1; Liu, Vulić, Korhonen, Collier 2021
/// (Mirror-BERT); Zhang et al. 2022 (VaSCL); Yan et al. 2021 (ConSERT).
///
/// # Errors
/// Different shapes or types, a temperature that is not positive.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
///
/// // Two orthogonal sentences with equal views: a row sees its partner at cosine 1, two others at 0.
/// let z = Tensor::eye(2, DType::F64, &Device::Cpu)?;
/// let loss = micse_losses::nt_xent(&z, &z, 1.0)?.to_scalar::<f64>()?;
/// assert!((loss - (1_f64.exp() + 2.0).ln() + 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn nt_xent(z1: &Tensor, z2: &Tensor, temperature: f64) -> Result<Tensor> {
    positive_temperature(temperature)?;
    let (batch, _) = pair(z1, "z1", z2, "z2")?;
    let rows = 2 * batch;
    let z = normalize_rows(&Tensor::cat(&[z1, z2], 0)?)?;
    let scores = (z.matmul(&z.t()?)? / temperature)?;
    let partners: Vec<u32> = (0..rows).map(|i| ((i + batch) % rows) as u32).collect();
    // Taken from the same product as the denominator, so that the loss is never below 0.
    let positives = scores.gather(&Tensor::from_vec(partners, (rows, 1), z.device())?, 1)?.squeeze(1)?;
    let others = exclude(&scores, &Tensor::eye(rows, DType::U8, z.device())?)?;
    Ok(log_sum_exp(&others)?.sub(&positives)?.mean_all()?)
}

//! Contrast without negatives.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::checks::{pair, positive_temperature};
use crate::cosine::normalize_rows;
use crate::logits::binary_cross_entropy;

/// Which of the two losses of [`alignment`] to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlignmentForm {
    /// Cross-entropy with off-diagonal logits of 0, as in the miCSE paper's released code.
    #[default]
    CrossEntropy,
    /// The cosine itself.
    Cosine,
}

/// The alignment of two views `z1`, `z2` `[B, D]`: contrast without negatives, a scalar. With
/// `s_i = cos(z1_i, z2_i) / tau`:
///
/// ```text
/// cross-entropy:  loss = 1/B sum_i [ ln(exp s_i + B - 1) - s_i ]
/// cosine:         loss = -1/B sum_i s_i
/// ```
///
/// The first is [`InfoNce`](crate::InfoNce) whose similarities of different sentences are replaced by 0: the gradient
/// of a pair fades as its `s_i` grows above `ln(B - 1)`. The second is `InfoNce` without its denominator, and its
/// gradient does not fade. Neither keeps sentences apart, so an encoder can collapse to a point.
///
/// **Requirements**: f32 or f64, both of one type. A zero row has cosine 0 and gets no gradient (see
/// [`normalize_rows`]). The cross-entropy of one row is 0.
///
/// **Relations**: the cosine form is [`self_contrast`](crate::self_contrast()) with the opposite sign.
///
/// **Recommended values**: the temperature of the contrastive loss that it replaces, 0.05.
///
/// **Citation**: Klein, Nabi 2023, appendix D (training on positives only); Wang, Isola 2020 (alignment).
///
/// # Errors
/// Different shapes or types, a temperature that is not positive.
pub fn alignment(z1: &Tensor, z2: &Tensor, temperature: f64, form: AlignmentForm) -> Result<Tensor> {
    if form == AlignmentForm::Cosine {
        return Ok(crate::self_contrast(z1, z2, temperature)?.neg()?);
    }
    positive_temperature(temperature)?;
    let (batch, _) = pair(z1, "z1", z2, "z2")?;
    let logits = (normalize_rows(z1)?.mul(&normalize_rows(z2)?)?.sum(1)? / temperature)?;
    if batch == 1 {
        return Ok((logits.sum_all()? * 0.0)?);
    }
    // ln(exp s + B - 1) - s = ln(1 + exp(ln(B - 1) - s))
    binary_cross_entropy(&(logits - ((batch - 1) as f64).ln())?, &vec![true; batch])
}

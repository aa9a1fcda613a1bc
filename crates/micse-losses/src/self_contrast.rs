//! The two terms of self-contrastive decorrelation. One pushes the views of a sentence apart; the other pulls each
//! feature's two projections together and decorrelates different features.

use candle_core::Tensor;

use crate::batch_norm::{batch_norm, column_means};
use crate::checks::{pair, positive_temperature};
use crate::cosine::normalize_rows;
use crate::{Error, Result};

/// The epsilon of PyTorch's batch normalisation, which the published method used.
const EPSILON: f64 = 1e-5;

/// The self-contrast of two views `z1`, `z2` `[B, D]`: a scalar.
///
/// ```text
/// loss = 1/B sum_i cos(z1_i, z2_i) / tau
/// ```
///
/// The term minimises the mean cosine itself: it pushes the two views of a sentence *apart* and acts as a
/// repulsion without negatives. [`decorrelation`] balances it. Alone, it ends in opposite views.
///
/// **Inputs**: the sentence rows before any projection. The method creates its two views with two dropout rates.
///
/// **Requirements**: f32 or f64, both of one type. A zero row has cosine 0 and gets no gradient (see
/// [`normalize_rows`]).
///
/// **Recommended values**: temperature 0.05, weight 1.
///
/// **Citation**: Klein, Nabi 2022, "SCD: Self-Contrastive Decorrelation of Sentence Embeddings".
///
/// # Errors
/// Different shapes or types, a temperature that is not positive.
pub fn self_contrast(z1: &Tensor, z2: &Tensor, temperature: f64) -> Result<Tensor> {
    positive_temperature(temperature)?;
    pair(z1, "z1", z2, "z2")?;
    let cosines = normalize_rows(z1)?.mul(&normalize_rows(z2)?)?.sum(1)?;
    Ok((cosines.mean_all()? / temperature)?)
}

/// The decorrelation of two projected views `p1`, `p2` `[B, D]`: a scalar.
///
/// With the [batch normalisation](batch_norm) `bn` of each view separately, and the features' cross-correlations
/// `C` `[D, D]`:
///
/// ```text
/// C = bn(p1)^T bn(p2) / B        loss = sum_d (C_dd - 1)^2 + off_diagonal * sum_{d != e} C_de^2
/// ```
///
/// `C` itself is never built, because D is the width of a projector (4096) and B only the batch size. The sum of
/// its squares is `sum_ij (N1 N1^T)_ij (N2 N2^T)_ij / B^2` over the `[B, B]` products of the normalised views `N`,
/// and each diagonal entry is a mean of products of entries. The off-diagonal sum is thus a difference, with the
/// rounding error of the full sum.
///
/// **Requirements**: f32 or f64, both of one type; at least two rows. A constant column has no correlation with
/// any column and costs 1.
///
/// **Relations**: the second term of SCD, with [`self_contrast`]; the loss of Barlow Twins.
///
/// **Recommended values**: `off_diagonal` 0.012, weight 0.005225 with a self-contrast of weight 1, D = 4096.
///
/// **Citation**: Klein, Nabi 2022 (SCD); Zbontar, Jing, Misra, LeCun, Deny 2021 (Barlow Twins), Eq. 1.
///
/// # Errors
/// Different shapes or types, a batch of one, an `off_diagonal` that is negative or NaN.
pub fn decorrelation(p1: &Tensor, p2: &Tensor, off_diagonal: f64) -> Result<Tensor> {
    if !(off_diagonal >= 0.0 && off_diagonal.is_finite()) {
        let expected = "a number of at least 0";
        return Err(Error::Number { name: "off_diagonal", expected, found: off_diagonal });
    }
    let (batch, _) = pair(p1, "p1", p2, "p2")?;
    let (n1, n2) = (batch_norm(p1, EPSILON)?, batch_norm(p2, EPSILON)?);
    let size = batch as f64;
    let products = n1.matmul(&n1.t()?)?.mul(&n2.matmul(&n2.t()?)?)?;
    let squares = (products.sum_all()? / (size * size))?;
    let diagonal = column_means(&n1.mul(&n2)?)?;
    let apart = squares.sub(&diagonal.sqr()?.sum_all()?)?;
    Ok(((diagonal - 1.0)?.sqr()?.sum_all()? + (apart * off_diagonal)?)?)
}

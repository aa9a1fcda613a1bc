//! Mutual information of sampled attention, from the correlation of its logarithm.

use std::sync::Arc;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::Selection;
use super::centred::centred_log;
use crate::checks::{constant, matrix, replace_below, same_matrix, same_shape};
use crate::{Error, Result};

/// The smallest product of centred norms for which a correlation is computed.
const LEAST_NORMS: f64 = 1e-12;
/// The largest squared correlation.
const LARGEST_SQUARE: f64 = 1.0 - 1e-6;

/// Which function of the correlation serves as mutual information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MiForm {
    /// `-1/2 ln(1 - rho^2)`, Eq. 4 of the paper: for a bivariate normal, in nats; at least 0.
    #[default]
    Eq4,
    /// `-1/2 (1 - rho^2)`, Algorithm 1 of the paper, which omits the logarithm; at most 0.
    Algorithm1,
}

/// Correlation and mutual information of each row, both in the autograd graph.
#[derive(Clone, Debug)]
pub struct MiRows {
    /// `rho`, `[rows]`, between -1 and 1 up to rounding.
    pub rho: Tensor,
    /// Mutual information, `[rows]`.
    pub mi: Tensor,
}

/// Correlation and mutual information of the rows of `x` and `y` `[rows, samples]`, the attention values of the
/// two views. The first `counts[r]` samples of row `r` are valid.
///
/// For a row of samples `x_j`, `y_j`, with `u_j = ln x_j` and `v_j = ln y_j` centred by their own means over the
/// valid samples: `rho = u.v / (|u| |v|)`. Multiplying all values of a view by one constant changes nothing.
/// Undefined or non-differentiable cases have these definitions:
///
/// * a value below `f32::MIN_POSITIVE` (dropped or underflowed) counts as `f32::MIN_POSITIVE`, with zero gradient;
/// * if `|u| |v| < 1e-12` (a constant row, or one with fewer than 2 samples), `rho` is 0 and the mutual
///   information is 0 in both forms, without gradient;
/// * `rho^2` counts as at most `1 - 1e-6` in the mutual information, with zero gradient beyond, because Eq. 4 is
///   infinite for equal views.
///
/// NaN propagates to the result, where [`check_finite`](crate::check_finite) finds it.
///
/// Errors: different shapes, a type other than f32 and f64, invalid counts.
pub fn mutual_information(x: &Tensor, y: &Tensor, counts: &[u32], form: MiForm) -> Result<MiRows> {
    let (rows, samples) = matrix(x, "attention of view 1")?;
    same_matrix(y, "attention of view 2", x)?;
    if counts.len() != rows || counts.iter().any(|&count| count as usize > samples) {
        return Err(Error::Sampling(format!(
            "{} counts up to {} for {rows} rows of {samples} samples",
            counts.len(),
            counts.iter().max().unwrap_or(&0)
        )));
    }
    let counts = Arc::from(counts);
    let (u, v) = (centred_log(x, &counts)?, centred_log(y, &counts)?);
    let squares = u.sqr()?.sum(1)?.mul(&v.sqr()?.sum(1)?)?;
    let zeros = constant(0.0, rows, x)?;
    let constant_row = squares.detach().lt(&constant(LEAST_NORMS * LEAST_NORMS, rows, x)?)?;
    let norms = replace_below(&squares, LEAST_NORMS * LEAST_NORMS, 1.0)?.sqrt()?;
    let rho = constant_row.where_cond(&zeros, &u.mul(&v)?.sum(1)?.div(&norms)?)?;

    let rest = rho.sqr()?.affine(-1.0, 1.0)?;
    let rest = replace_below(&rest, 1.0 - LARGEST_SQUARE, 1.0 - LARGEST_SQUARE)?;
    let mi = match form {
        MiForm::Eq4 => rest.log()?.affine(-0.5, 0.0)?,
        // A row without correlation has no mutual information: 0, as in Eq. 4, not -1/2.
        MiForm::Algorithm1 => constant_row.where_cond(&zeros, &rest.affine(-0.5, 0.0)?)?,
    };
    Ok(MiRows { rho, mi })
}

/// The AMI loss: minus the mean over rows of the mutual information, times the selection's weight; a scalar.
///
/// **Inputs**: `x`, `y` `[rows, samples]`, the attention of two views of the same sentences at the positions of
/// `selection`, before or after dropout.
///
/// **Requirements**: the views have the same tokens at the same positions (none is shuffled or cropped, and no token is
/// repeated or deleted).
///
/// **Relations**: an additional term for any contrastive objective; `AMI + SimCSE` and miCSE add it to
/// [`InfoNce`](crate::InfoNce). The caller multiplies by lambda.
///
/// **Recommended values**: lambda 2.5e-3, 150 samples, pairs of adjacent heads of the upper third of layers.
///
/// **Citation**: Klein, Nabi 2023, "miCSE: Mutual Information Contrastive Learning for Low-shot Sentence
/// Embeddings", Eqs. 3 to 5 and Algorithm 1.
pub fn ami_loss(x: &Tensor, y: &Tensor, selection: &Selection, form: MiForm) -> Result<Tensor> {
    same_shape(x, "attention of view 1", &[selection.rows, selection.samples])?;
    let rows = mutual_information(x, y, &selection.counts, form)?;
    Ok((rows.mi.mean_all()? * -selection.weight)?)
}

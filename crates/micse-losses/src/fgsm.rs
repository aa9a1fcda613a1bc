//! FGSM: perturbation by the sign of a gradient.

use candle_core::{DType, Tensor};

use crate::checks::constant;
use crate::{Error, Result};

/// The perturbation `epsilon * sign(gradient)`: a constant of the gradient's shape, 0 where the gradient is 0.
/// Among all perturbations in which no entry moves by more than `epsilon`, adding it to the embeddings raises the
/// loss the most, to first order.
///
/// **Inputs**: a gradient of any shape, f32 or f64; `epsilon` at least 0. NaN stays NaN.
///
/// **Recommended values**: 5e-9 on word embeddings (MoCoSE).
///
/// **Citation**: Goodfellow, Shlens, Szegedy 2015 (FGSM); Cao et al. 2022 (MoCoSE).
pub fn fgsm(gradient: &Tensor, epsilon: f64) -> Result<Tensor> {
    if !(epsilon >= 0.0 && epsilon.is_finite()) {
        return Err(Error::Number { name: "epsilon", expected: "a number of at least 0", found: epsilon });
    }
    if !matches!(gradient.dtype(), DType::F32 | DType::F64) {
        return Err(Error::DType { name: "gradient", found: gradient.dtype() });
    }
    let gradient = gradient.detach();
    let steps = gradient.sign()?.mul(&constant(epsilon, gradient.shape(), &gradient)?)?;
    // candle returns 0 for the sign of NaN.
    Ok(gradient.eq(&gradient)?.where_cond(&steps, &gradient)?)
}

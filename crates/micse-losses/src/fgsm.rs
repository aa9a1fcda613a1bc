//! FGSM, the perturbation by the sign of a gradient.

use candle_core::{DType, Tensor};

use crate::checks::constant;
use crate::{Error, Result};

/// The perturbation `epsilon * sign(gradient)`, of the gradient's shape; 0 where the gradient is 0, and a
/// constant. Added to embeddings it raises the loss whose gradient it is, as far as any step does in which no
/// entry moves by more than `epsilon`.
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
    // The sign of NaN is 0 to candle.
    Ok(gradient.eq(&gradient)?.where_cond(&steps, &gradient)?)
}

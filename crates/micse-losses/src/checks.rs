//! Argument checks, constants of a tensor's type, and the guard against NaN.

use candle_core::{DType, Shape, Tensor};

use crate::{Error, Result};

/// The value of a scalar loss, or an error that names the objective if it is NaN or infinite.
///
/// Objectives propagate a NaN in their inputs to their value. So this one check, before the backward pass, ensures
/// that no NaN leaves a loss without an error.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let loss = Tensor::new(f32::NAN, &Device::Cpu)?;
/// let error = micse_losses::check_finite(&loss, "infonce").unwrap_err();
/// assert!(error.to_string().starts_with("objective infonce is NaN"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_finite(loss: &Tensor, name: &str) -> Result<f64> {
    if loss.elem_count() != 1 {
        let found = loss.dims().to_vec();
        return Err(Error::Shape { name: "loss", expected: "one number".into(), found });
    }
    let value = loss.flatten_all()?.get(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    if value.is_finite() { Ok(value) } else { Err(Error::NotFinite { name: name.into(), value }) }
}

/// The two sizes of an f32 or f64 matrix.
pub(crate) fn matrix(x: &Tensor, name: &'static str) -> Result<(usize, usize)> {
    if !matches!(x.dtype(), DType::F32 | DType::F64) {
        return Err(Error::DType { name, found: x.dtype() });
    }
    match *x.dims() {
        [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns)),
        _ => Err(Error::Shape { name, expected: "[rows, columns]".into(), found: x.dims().to_vec() }),
    }
}

/// Returns an error unless `x` has exactly these sizes.
pub(crate) fn same_shape(x: &Tensor, name: &'static str, expected: &[usize]) -> Result<()> {
    if x.dims() == expected {
        return Ok(());
    }
    Err(Error::Shape { name, expected: format!("{expected:?}"), found: x.dims().to_vec() })
}

/// The sizes `[N, D]` of two f32 or f64 matrices of the same shape and type.
pub(crate) fn pair(
    a: &Tensor,
    a_name: &'static str,
    b: &Tensor,
    b_name: &'static str,
) -> Result<(usize, usize)> {
    let (rows, columns) = matrix(a, a_name)?;
    same_matrix(b, b_name, a)?;
    Ok((rows, columns))
}

/// Returns an error unless `x` has the shape and type of the matrix `like`.
pub(crate) fn same_matrix(x: &Tensor, name: &'static str, like: &Tensor) -> Result<()> {
    matrix(x, name)?;
    same_shape(x, name, like.dims())?;
    same_type(x, name, like)
}

/// Returns an error unless `x` has the type of `like`.
pub(crate) fn same_type(x: &Tensor, name: &'static str, like: &Tensor) -> Result<()> {
    if x.dtype() == like.dtype() {
        return Ok(());
    }
    Err(Error::MixedTypes { name, expected: like.dtype(), found: x.dtype() })
}

/// Returns an error unless the temperature is a positive number.
pub(crate) fn positive_temperature(temperature: f64) -> Result<()> {
    if temperature > 0.0 && temperature.is_finite() { Ok(()) } else { Err(Error::Temperature(temperature)) }
}

/// A constant tensor of the type and device of `like`.
pub(crate) fn constant(value: f64, shape: impl Into<Shape>, like: &Tensor) -> Result<Tensor> {
    // Only f64 tensors go through f64, because some devices support only f32.
    Ok(match like.dtype() {
        DType::F64 => Tensor::full(value, shape, like.device())?,
        dtype => Tensor::full(value as f32, shape, like.device())?.to_dtype(dtype)?,
    })
}

/// `x` where it is not below `bound` (NaN included), else `value` with zero gradient.
pub(crate) fn replace_below(x: &Tensor, bound: f64, value: f64) -> Result<Tensor> {
    let below = x.detach().lt(&constant(bound, x.shape(), x)?)?;
    Ok(below.where_cond(&constant(value, x.shape(), x)?, x)?)
}

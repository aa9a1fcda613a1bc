//! Additive coupling: one half of the coordinates is shifted by a small network on the other half.

use candle_core::{DType, Device, Tensor};
use micse_random::Stream;

use super::Source;
use super::actnorm::{Actnorm, LOG_SCALE_FACTOR};
use crate::post::Result;

/// Standard deviation of new weights.
const DEVIATION: f64 = 0.05;

/// `(x1, x2) -> (x1, x2 + shift(x1))`, with log|det| = 0. For x1 `[B, C/2]`:
///
/// ```text
/// h1 = relu(actnorm(x1 W1))    h2 = relu(actnorm(h1 W2))    shift = (h2 W3 + b) exp(3 s)
/// ```
///
/// W3, b and s start at 0, so that a new coupling changes nothing.
#[derive(Clone, Debug)]
pub(super) struct Coupling {
    /// `[C/2, width]`.
    first: Tensor,
    first_norm: Actnorm,
    /// `[width, width]`.
    second: Tensor,
    second_norm: Actnorm,
    /// `[width, C/2]`.
    last: Tensor,
    /// `[C/2]`.
    last_bias: Tensor,
    /// `[C/2]`.
    last_log_scale: Tensor,
}

impl Coupling {
    /// A new coupling with weights N(0, 0.05^2) from `stream` and normalisations fitted on `x1` `[B, half]`.
    pub(super) fn fitted(x1: &Tensor, width: usize, stream: Stream) -> Result<Self> {
        let (half, dtype, device) = (x1.dim(1)?, x1.dtype(), x1.device());
        let first = normal(stream.with(0), (half, width), dtype, device)?;
        let hidden = x1.matmul(&first)?;
        let first_norm = Actnorm::fitted(&hidden)?;
        let second = normal(stream.with(1), (width, width), dtype, device)?;
        let hidden = first_norm.forward(&hidden)?.relu()?.matmul(&second)?;
        let second_norm = Actnorm::fitted(&hidden)?;
        Ok(Self {
            first,
            first_norm,
            second,
            second_norm,
            last: Tensor::zeros((width, half), dtype, device)?,
            last_bias: Tensor::zeros(half, dtype, device)?,
            last_log_scale: Tensor::zeros(half, dtype, device)?,
        })
    }

    pub(super) fn build(prefix: &str, half: usize, width: usize, source: &mut Source<'_>) -> Result<Self> {
        Ok(Self {
            first: source(&format!("{prefix}.first.weight"), &[half, width])?,
            first_norm: Actnorm::build(&format!("{prefix}.first.actnorm"), width, source)?,
            second: source(&format!("{prefix}.second.weight"), &[width, width])?,
            second_norm: Actnorm::build(&format!("{prefix}.second.actnorm"), width, source)?,
            last: source(&format!("{prefix}.last.weight"), &[width, half])?,
            last_bias: source(&format!("{prefix}.last.bias"), &[half])?,
            last_log_scale: source(&format!("{prefix}.last.log_scale"), &[half])?,
        })
    }

    pub(super) fn list(&self, prefix: &str, list: &mut Vec<(String, Tensor)>) {
        list.push((format!("{prefix}.first.weight"), self.first.clone()));
        self.first_norm.list(&format!("{prefix}.first.actnorm"), list);
        list.push((format!("{prefix}.second.weight"), self.second.clone()));
        self.second_norm.list(&format!("{prefix}.second.actnorm"), list);
        list.push((format!("{prefix}.last.weight"), self.last.clone()));
        list.push((format!("{prefix}.last.bias"), self.last_bias.clone()));
        list.push((format!("{prefix}.last.log_scale"), self.last_log_scale.clone()));
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (x1, x2) = super::halves(x)?;
        Ok(Tensor::cat(&[&x1, &(x2 + self.shift(&x1)?)?], 1)?)
    }

    pub(super) fn inverse(&self, y: &Tensor) -> Result<Tensor> {
        let (y1, y2) = super::halves(y)?;
        Ok(Tensor::cat(&[&y1, &(y2 - self.shift(&y1)?)?], 1)?)
    }

    fn shift(&self, x1: &Tensor) -> Result<Tensor> {
        let hidden = self.first_norm.forward(&x1.matmul(&self.first)?)?.relu()?;
        let hidden = self.second_norm.forward(&hidden.matmul(&self.second)?)?.relu()?;
        let scale = (&self.last_log_scale * LOG_SCALE_FACTOR)?.exp()?;
        Ok(hidden.matmul(&self.last)?.broadcast_add(&self.last_bias)?.broadcast_mul(&scale)?)
    }
}

/// N(0, [`DEVIATION`]^2), drawn in row-major order.
fn normal(stream: Stream, shape: (usize, usize), dtype: DType, device: &Device) -> Result<Tensor> {
    let mut draws = stream.draws();
    let values: Vec<f64> = (0..shape.0 * shape.1).map(|_| DEVIATION * draws.normal()).collect();
    Ok(Tensor::from_vec(values, shape, device)?.to_dtype(dtype)?)
}

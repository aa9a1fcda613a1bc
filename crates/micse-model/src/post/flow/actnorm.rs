//! Activation normalisation: a shift and a scale per coordinate, initialized from the first batch.

use candle_core::Tensor;

use super::Source;
use crate::post::Result;

/// The parameters store a third of the logarithm of the scale, so that an optimizer step moves it three times
/// as far.
pub(super) const LOG_SCALE_FACTOR: f64 = 3.0;
/// Added to the standard deviation of the first batch before the scale is computed.
const LEAST_DEVIATION: f64 = 1e-6;

/// `y = (x + bias) exp(3 log_scale)`, with log|det| = 3 sum log_scale.
#[derive(Clone, Debug)]
pub(super) struct Actnorm {
    /// `[C]`.
    bias: Tensor,
    /// `[C]`.
    log_scale: Tensor,
}

impl Actnorm {
    /// The shift and scale that give each coordinate of `x` `[B, C]` mean 0 and variance 1.
    pub(super) fn fitted(x: &Tensor) -> Result<Self> {
        let bias = x.mean(0)?.neg()?;
        let deviation = x.broadcast_add(&bias)?.sqr()?.mean(0)?.sqrt()?;
        let log_scale = ((deviation + LEAST_DEVIATION)?.log()? / -LOG_SCALE_FACTOR)?;
        Ok(Self { bias, log_scale })
    }

    pub(super) fn build(prefix: &str, channels: usize, source: &mut Source<'_>) -> Result<Self> {
        Ok(Self {
            bias: source(&format!("{prefix}.bias"), &[channels])?,
            log_scale: source(&format!("{prefix}.log_scale"), &[channels])?,
        })
    }

    pub(super) fn list(&self, prefix: &str, list: &mut Vec<(String, Tensor)>) {
        list.push((format!("{prefix}.bias"), self.bias.clone()));
        list.push((format!("{prefix}.log_scale"), self.log_scale.clone()));
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let scale = (&self.log_scale * LOG_SCALE_FACTOR)?.exp()?;
        Ok(x.broadcast_add(&self.bias)?.broadcast_mul(&scale)?)
    }

    pub(super) fn inverse(&self, y: &Tensor) -> Result<Tensor> {
        let scale = (&self.log_scale * -LOG_SCALE_FACTOR)?.exp()?;
        Ok(y.broadcast_mul(&scale)?.broadcast_sub(&self.bias)?)
    }

    /// A scalar: equal for all rows.
    pub(super) fn log_det(&self) -> Result<Tensor> {
        Ok((self.log_scale.sum_all()? * LOG_SCALE_FACTOR)?)
    }
}

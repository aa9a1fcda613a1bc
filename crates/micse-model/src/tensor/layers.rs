//! The layers of BERT: linear, LayerNorm, dropout of hidden states, the feed-forward block.

use candle_core::{D, Device, Tensor};

use super::gelu::gelu;
use crate::config::Activation;
use crate::dropout::{Site, hidden_mask};
use crate::encoder::Mode;
use crate::{Batch, Result};

/// y = x W^T + b, with W `[out, in]`.
pub(crate) struct Linear {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

impl Linear {
    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

/// y = (x - mean) / sqrt(var + eps) * gain + offset over the last dimension (Ba et al. 2016).
pub(crate) struct LayerNorm {
    pub(crate) gain: Tensor,
    pub(crate) offset: Tensor,
    pub(crate) epsilon: f64,
}

impl LayerNorm {
    /// `[rows, D]` to `[rows, D]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centred.broadcast_div(&(variance + self.epsilon)?.sqrt()?)?;
        Ok(normed.broadcast_mul(&self.gain)?.broadcast_add(&self.offset)?)
    }
}

/// The rows of a token-wise computation: (sentence of the batch, position) of each.
pub(crate) type Rows = [(usize, usize)];

/// Dropout on `x` `[rows, D]` at a site of a layer.
pub(crate) fn hidden_dropout(
    x: Tensor,
    mode: Mode,
    place: (usize, Site),
    batch: &Batch,
    rows: &Rows,
    device: &Device,
) -> Result<Tensor> {
    match mode {
        Mode::Training(dropout) if dropout.hidden > 0.0 => {
            let width = x.dim(D::Minus1)?;
            let mask = hidden_mask(dropout.stream, dropout.hidden, place, batch, rows, width, device)?;
            Ok((x * mask)?)
        }
        _ => Ok(x),
    }
}

/// The feed-forward block: W_2 act(W_1 x + b_1) + b_2.
pub(crate) struct FeedForward {
    pub(crate) intermediate: Linear,
    pub(crate) output: Linear,
    pub(crate) activation: Activation,
}

impl FeedForward {
    /// `[rows, D]` to `[rows, D]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.intermediate.forward(x)?;
        let inner = match self.activation {
            Activation::Gelu => gelu(&inner)?,
            Activation::GeluNew => inner.gelu()?,
            Activation::Relu => inner.relu()?,
        };
        self.output.forward(&inner)
    }
}

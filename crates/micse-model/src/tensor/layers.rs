//! The layers of BERT: linear, LayerNorm, dropout of hidden states, the feed-forward block.

use candle_core::{D, Device, Tensor};

use super::gelu::gelu;
use crate::config::Activation;
use crate::dropout::{Site, hidden_mask};
use crate::encoder::Mode;
use crate::{Batch, Result};

/// y = x W^T + b, with W `[out, in]`; b is missing in families without biases.
pub(crate) struct Linear {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
}

impl Linear {
    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        with_bias(x.matmul(&self.weight.t()?)?, self.bias.as_ref())
    }
}

fn with_bias(x: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    match bias {
        Some(bias) => Ok(x.broadcast_add(bias)?),
        None => Ok(x),
    }
}

/// y = (x - mean) / sqrt(var + eps) * gain + offset over the last dimension (Ba et al. 2016); the offset is missing
/// in families without biases.
pub(crate) struct LayerNorm {
    pub(crate) gain: Tensor,
    pub(crate) offset: Option<Tensor>,
    pub(crate) epsilon: f64,
}

impl LayerNorm {
    /// `[rows, D]` to `[rows, D]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centred.broadcast_div(&(variance + self.epsilon)?.sqrt()?)?;
        with_bias(normed.broadcast_mul(&self.gain)?, self.offset.as_ref())
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

/// act(x), entry by entry.
pub(crate) fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    Ok(match activation {
        Activation::Gelu => gelu(x)?,
        Activation::GeluNew => x.gelu()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
    })
}

/// The feed-forward block: W_2 act(W_1 x + b_1) + b_2; with a gate, W_2 dropout(act(W_1 x) G x) + b_2 (Shazeer 2020).
pub(crate) struct FeedForward {
    pub(crate) intermediate: Linear,
    /// G.
    pub(crate) gate: Option<Linear>,
    pub(crate) output: Linear,
    pub(crate) activation: Activation,
}

impl FeedForward {
    /// `[rows, D]` to `[rows, D]`; `drop` is the dropout of the gated activations.
    pub(crate) fn forward(&self, x: &Tensor, drop: &dyn Fn(Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let activated = activate(self.activation, &self.intermediate.forward(x)?)?;
        self.output.forward(&match &self.gate {
            Some(gate) => drop((activated * gate.forward(x)?)?)?,
            None => activated,
        })
    }
}

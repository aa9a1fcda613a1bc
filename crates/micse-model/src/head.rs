//! Heads: small networks on the pooled rows, in training only.

use candle_core::{Device, Tensor};
use micse_random::Stream;

use crate::Result;
use crate::encoder::Trainable;
use crate::optimizer::Group;
use crate::parameters::{ParameterSet, trainable_by};

/// z = tanh(W h + b), with W `[D, D]`: SimCSE's training head. New, not BERT's pooler.
pub struct TanhMlp {
    weight: Tensor,
    bias: Tensor,
    parameters: ParameterSet,
}

impl TanhMlp {
    /// A new head: W ~ N(0, 0.02), b = 0.
    ///
    /// # Errors
    /// The device cannot hold it.
    pub fn new(size: usize, stream: Stream, device: &Device) -> Result<Self> {
        let mut draws = stream.draws();
        let weight: Vec<f32> = (0..size * size).map(|_| (0.02 * draws.normal()) as f32).collect();
        Self::from_tensors(
            &Tensor::from_vec(weight, (size, size), device)?,
            &Tensor::zeros(size, candle_core::DType::F32, device)?,
        )
    }

    /// A head with the given weight `[D, D]` (output, input) and bias `[D]`.
    ///
    /// # Errors
    /// The device cannot hold it.
    pub fn from_tensors(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let mut parameters = ParameterSet::new();
        let weight = parameters.add("mlp.dense.weight", Group::Weight, weight)?;
        let bias = parameters.add("mlp.dense.bias", Group::Bias, bias)?;
        Ok(Self { weight, bias, parameters })
    }

    /// Rows `[B, D]` to rows `[B, D]`. With `gradients` false the parameters are constants.
    ///
    /// # Errors
    /// The width does not fit.
    pub fn forward(&self, rows: &Tensor, gradients: bool) -> Result<Tensor> {
        let (weight, bias) = if gradients {
            (self.weight.clone(), self.bias.clone())
        } else {
            (self.weight.detach(), self.bias.detach())
        };
        Ok(rows.matmul(&weight.t()?)?.broadcast_add(&bias)?.tanh()?)
    }

    /// A copy with the same values.
    ///
    /// # Errors
    /// The device cannot hold it.
    pub fn duplicate(&self) -> Result<Self> {
        let values = self.parameters.values()?;
        Self::from_tensors(&values[0], &values[1])
    }
}

trainable_by!(TanhMlp, parameters);

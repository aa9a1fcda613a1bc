//! The `tensor` engine: BERT (Devlin et al. 2019) in plain tensor operations with autograd, on any device.
//!
//! It is the reference: short enough to read next to the paper, but slower than the hand-written engine. It
//! uses only operations with a backward pass; candle-nn's fused LayerNorm and softmax silently cut the
//! gradient.

mod attention;
pub(crate) mod gelu;
pub(crate) mod layers;
mod network;

use candle_core::{Device, Tensor};

use crate::encoder::{Encoder, Leaves, Pass, Trainable};
use crate::parameters::{ParameterSet, trainable_by};
use crate::weights::{TensorSource, parameter_layout};
use crate::{Batch, BertConfig, Result};
use network::Network;

/// BERT on candle tensors.
pub struct TensorEncoder {
    config: BertConfig,
    device: Device,
    parameters: ParameterSet,
    tracked: Network,
    constant: Network,
}

impl TensorEncoder {
    /// Builds the encoder from a source of tensors (a weights file, random values, another encoder).
    ///
    /// # Errors
    /// Fails if a tensor is missing or has the wrong shape, or if the configuration is invalid.
    pub fn new(config: BertConfig, source: &mut dyn TensorSource, device: &Device) -> Result<Self> {
        config.check()?;
        let mut parameters = ParameterSet::new();
        let mut tensors = Vec::new();
        for info in parameter_layout(&config) {
            let value = source.take(&info, device)?;
            tensors.push(parameters.add(info.name, info.group, &value)?);
        }
        let constant: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
        Ok(Self {
            tracked: Network::new(&config, &mut tensors.into_iter())?,
            // Detached tensors share memory with the parameters, so this network follows every step.
            constant: Network::new(&config, &mut constant.into_iter())?,
            config,
            device: device.clone(),
            parameters,
        })
    }

    fn network(&self, pass: &Pass) -> &Network {
        if pass.gradients { &self.tracked } else { &self.constant }
    }
}

trainable_by!(TensorEncoder, parameters);

impl Encoder for TensorEncoder {
    fn config(&self) -> &BertConfig {
        &self.config
    }

    fn embed(&self, batch: &Batch, pass: &Pass) -> Result<Tensor> {
        batch.check(&self.config)?;
        self.network(pass).embed(batch, pass, &self.config, &self.device)
    }

    fn encode(&self, embeddings: &Tensor, batch: &Batch, pass: &Pass) -> Result<Leaves> {
        batch.check(&self.config)?;
        self.network(pass).encode(embeddings, batch, pass, &self.config, &self.device)
    }

    fn duplicate(&self) -> Result<Box<dyn Encoder>> {
        let mut source = self.parameters.values()?.into_iter();
        Ok(Box::new(Self::new(self.config.clone(), &mut source, &self.device)?))
    }
}

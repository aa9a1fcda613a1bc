//! A normalising flow: an invertible network that maps embeddings to a standard normal distribution.
//!
//! Li et al. 2020, "On the Sentence Embeddings from Pre-trained Language Models" (BERT-flow), with the
//! network of Kingma & Dhariwal 2018, "Glow", on vectors. The sizes, the order of operations and the
//! optimizer follow the authors' released code:
//!
//! * Glow's invertible 1x1 convolution is replaced by a fixed reversal of the coordinates, without
//!   parameters;
//! * coupling is additive, with networks of three linear layers: the first two are followed by an actnorm,
//!   and the last starts at zero;
//! * after each level but the last, the second half of the coordinates leaves, under a plain N(0, 1);
//! * actnorm is initialised from the first batch, before the first step;
//! * weight decay applies to every parameter, including actnorm, and the learning rate is constant.
//!
//! With few rows, a flow soon overfits: the loss keeps falling while other rows of the same distribution
//! become less and less likely. The authors make one pass over their corpus. Hold out some rows and watch
//! their [`Flow::bits_per_dimension`].
//!
//! [`FlowTrainer`] fits a [`Flow`]; [`Glow`] is the network itself, as plain functions on tensors.

mod actnorm;
mod coupling;
mod fitted;
mod glow;
mod trainer;

use candle_core::Tensor;

pub use fitted::Flow;
pub use glow::{Glow, GlowShape, Latents};
pub use trainer::{FlowOptions, FlowTrainer};

use crate::post::Result;

/// The source of a network's parameters: returns the tensor for a name and a shape.
pub type Source<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor> + 'a;

/// The first and the second half of the coordinates of x `[B, C]`, both `[B, C/2]` and contiguous.
fn halves(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = x.dim(1)? / 2;
    Ok((x.narrow(1, 0, half)?.contiguous()?, x.narrow(1, half, half)?.contiguous()?))
}

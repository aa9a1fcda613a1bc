//! A normalising flow: an invertible network that maps embeddings to a standard normal distribution.
//!
//! Li et al. 2020, "On the Sentence Embeddings from Pre-trained Language Models" (BERT-flow), with the
//! network of Kingma & Dhariwal 2018, "Glow", on vectors. The sizes, the order of operations and the
//! optimizer are those of the authors' released code:
//!
//! * what Glow calls an invertible 1x1 convolution is a fixed reversal of the coordinates, without parameters;
//! * coupling is additive, by networks of three linear layers; two of them have an actnorm of their own, and
//!   the last one starts at zero;
//! * after each level but the last, the second half of the coordinates leaves, under a plain N(0, 1);
//! * actnorm is initialised from the first batch, before the first step;
//! * weight decay acts on every parameter, actnorm's included, and the learning rate is constant.
//!
//! On few rows a flow overfits soon: the loss goes on falling while other rows of the same distribution become
//! ever less likely. The authors go through their text once. Keep some rows back and look at their
//! [`Flow::bits_per_dimension`].
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

/// Where the parameters of a network come from: the tensor for a name and a shape.
pub type Source<'a> = dyn FnMut(&str, &[usize]) -> Result<Tensor> + 'a;

/// The first and the second half of the coordinates of x `[B, C]`, both `[B, C/2]` and contiguous.
fn halves(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = x.dim(1)? / 2;
    Ok((x.narrow(1, 0, half)?.contiguous()?, x.narrow(1, half, half)?.contiguous()?))
}

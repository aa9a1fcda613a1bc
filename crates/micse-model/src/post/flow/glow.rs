//! The network of the flow: levels of steps, with half of the coordinates leaving after each level.

use candle_core::Tensor;
use micse_random::Stream;

use super::Source;
use super::actnorm::Actnorm;
use super::coupling::Coupling;
use crate::post::{Error, Result};

/// The sizes of a [`Glow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlowShape {
    /// Dimension D of the rows, divisible by 2^levels.
    pub dimension: usize,
    /// Number of levels, at least 1. Each level but the last outputs half of its coordinates as latents.
    pub levels: usize,
    /// Number of steps per level, at least 1.
    pub depth: usize,
    /// Number of hidden units of a coupling network, at least 1.
    pub width: usize,
}

impl GlowShape {
    /// Checks the sizes.
    ///
    /// # Errors
    /// Fails if a size is 0, or if the dimension is not divisible by 2^levels.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            ("dimension", self.dimension),
            ("levels", self.levels),
            ("depth", self.depth),
            ("width", self.width),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|&(_, size)| size == 0) {
            return Err(Error::Option { name, value: 0.0, range: "at least 1" });
        }
        // A level couples the halves of its input; the next level gets one of them.
        if self.dimension.trailing_zeros() < u32::try_from(self.levels).unwrap_or(u32::MAX) {
            return Err(Error::Indivisible { dimension: self.dimension, levels: self.levels });
        }
        Ok(())
    }

    /// Number of coordinates of a level.
    fn channels(&self, level: usize) -> usize {
        self.dimension >> level
    }
}

/// The output of a [`Glow`] for a batch.
#[derive(Clone, Debug)]
pub struct Latents {
    /// The latents of all levels, concatenated in the order in which they left: `[B, D]`.
    pub z: Tensor,
    /// `log|det dz/dx|`, a scalar: with additive coupling, it is equal for all rows.
    pub log_det: Tensor,
}

/// Actnorm, reversal of the coordinates, additive coupling.
#[derive(Clone, Debug)]
struct Step {
    actnorm: Actnorm,
    coupling: Coupling,
}

/// An invertible network from rows x `[B, D]` to latents z `[B, D]` that should be standard normal.
///
/// ```text
/// step:   x -> coupling(reverse(actnorm(x)))
/// level:  `depth` steps; then the second half of the coordinates leaves as latents, the first half continues
/// ```
///
/// All tensors are f32 or f64 on one device, as determined by the parameters.
#[derive(Clone, Debug)]
pub struct Glow {
    shape: GlowShape,
    levels: Vec<Vec<Step>>,
}

impl Glow {
    /// A new network for `batch` `[B, D]`, with its type and device: the latents of this batch have mean 0
    /// and variance 1 in each coordinate. The weights of the coupling in (level, step) are drawn from
    /// `stream.with(level).with(step)`.
    ///
    /// # Errors
    /// Those of [`GlowShape::check`], and if the batch has a different shape.
    pub fn initialised(shape: GlowShape, batch: &Tensor, stream: Stream) -> Result<Self> {
        shape.check()?;
        let mut x = batch.clone();
        let mut levels = Vec::with_capacity(shape.levels);
        for level in 0..shape.levels {
            let mut steps = Vec::with_capacity(shape.depth);
            for step in 0..shape.depth {
                let actnorm = Actnorm::fitted(&x)?;
                let reversed = reverse(&actnorm.forward(&x)?)?;
                let place = stream.with(level as u64).with(step as u64);
                let coupling = Coupling::fitted(&super::halves(&reversed)?.0, shape.width, place)?;
                x = coupling.forward(&reversed)?;
                steps.push(Step { actnorm, coupling });
            }
            levels.push(steps);
            x = super::halves(&x)?.0;
        }
        Ok(Self { shape, levels })
    }

    /// A network with tensors from `source`, which is called with a name and a shape in the order of
    /// [`parameters`](Self::parameters).
    ///
    /// # Errors
    /// Those of [`GlowShape::check`] and of `source`.
    pub fn build(shape: GlowShape, source: &mut Source<'_>) -> Result<Self> {
        shape.check()?;
        let mut step = |level: usize, step: usize| {
            let (prefix, channels) = (format!("levels.{level}.{step}"), shape.channels(level));
            Ok(Step {
                actnorm: Actnorm::build(&format!("{prefix}.actnorm"), channels, source)?,
                coupling: Coupling::build(&format!("{prefix}.coupling"), channels / 2, shape.width, source)?,
            })
        };
        let levels = (0..shape.levels).map(|l| (0..shape.depth).map(|s| step(l, s)).collect());
        Ok(Self { shape, levels: levels.collect::<Result<_>>()? })
    }

    /// Name and value of each parameter, in a fixed order.
    pub fn parameters(&self) -> Vec<(String, Tensor)> {
        let mut list = Vec::new();
        for (level, steps) in self.levels.iter().enumerate() {
            for (number, step) in steps.iter().enumerate() {
                step.actnorm.list(&format!("levels.{level}.{number}.actnorm"), &mut list);
                step.coupling.list(&format!("levels.{level}.{number}.coupling"), &mut list);
            }
        }
        list
    }

    /// The sizes.
    pub fn shape(&self) -> GlowShape {
        self.shape
    }

    /// The latents of x `[B, D]`, in the graph.
    ///
    /// # Errors
    /// Fails if the shape or type differs from the network's.
    pub fn forward(&self, x: &Tensor) -> Result<Latents> {
        let mut x = x.clone();
        let mut gone = Vec::with_capacity(self.levels.len());
        let mut log_dets = Vec::new();
        for (level, steps) in self.levels.iter().enumerate() {
            for step in steps {
                x = step.coupling.forward(&reverse(&step.actnorm.forward(&x)?)?)?;
                log_dets.push(step.actnorm.log_det()?);
            }
            if level + 1 < self.levels.len() {
                let (rest, latents) = super::halves(&x)?;
                gone.push(latents);
                x = rest;
            }
        }
        gone.push(x);
        Ok(Latents { z: Tensor::cat(&gone, 1)?, log_det: Tensor::stack(&log_dets, 0)?.sum_all()? })
    }

    /// The rows x `[B, D]` with the latents z `[B, D]`: the inverse of [`forward`](Self::forward).
    ///
    /// # Errors
    /// Fails if the shape or type differs from the network's.
    pub fn inverse(&self, z: &Tensor) -> Result<Tensor> {
        let last = self.levels.len() - 1;
        let width = self.shape.channels(last);
        let mut x = z.narrow(1, self.shape.dimension - width, width)?;
        for (level, steps) in self.levels.iter().enumerate().rev() {
            if level < last {
                // The latents of the earlier levels cover all but this level's own coordinates.
                let half = self.shape.channels(level) / 2;
                let latents = z.narrow(1, self.shape.dimension - 2 * half, half)?;
                x = Tensor::cat(&[&x, &latents], 1)?;
            }
            for step in steps.iter().rev() {
                x = step.actnorm.inverse(&reverse(&step.coupling.inverse(&x)?)?)?;
            }
        }
        Ok(x)
    }

    /// The negative log-likelihood of each row of x `[B, D]`, in bits per dimension: `[B]`, in the graph.
    ///
    /// ```text
    /// -[log N(z; 0, 1) + log|det dz/dx|] / (D ln 2)
    /// ```
    ///
    /// # Errors
    /// Fails if the shape or type differs from the network's.
    pub fn bits_per_dimension(&self, x: &Tensor) -> Result<Tensor> {
        let dimension = self.shape.dimension as f64;
        let Latents { z, log_det } = self.forward(x)?;
        let constant = 0.5 * dimension * std::f64::consts::TAU.ln();
        let minus_log_normal = (z.sqr()?.sum(1)? * 0.5)?.affine(1.0, constant)?;
        Ok((minus_log_normal.broadcast_sub(&log_det)? / (dimension * std::f64::consts::LN_2))?)
    }
}

/// Reverses the order of the coordinates: the fixed permutation that replaces Glow's learned 1x1 convolution.
fn reverse(x: &Tensor) -> Result<Tensor> {
    let channels = x.dim(1)? as u32;
    let order: Vec<u32> = (0..channels).rev().collect();
    Ok(x.index_select(&Tensor::from_vec(order, channels as usize, x.device())?, 1)?)
}

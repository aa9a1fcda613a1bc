//! Fitting a flow by maximum likelihood.

use crate::{AdamStep, Group, ParameterSet, Trainable, clip_factor};
use candle_core::{DType, Device, Tensor};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::{Flow, Glow, GlowShape};
use crate::post::{Error, Result};

/// Decay rates of the moments, as in the released code.
const BETAS: (f64, f64) = (0.9, 0.999);
/// The optimizer's epsilon, as in the released code.
const EPSILON: f64 = 1e-6;

/// Sizes and training settings of a flow. The defaults are the published settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlowOptions {
    /// Number of levels.
    pub levels: usize,
    /// Number of steps per level.
    pub depth: usize,
    /// Number of hidden units of a coupling network.
    pub width: usize,
    /// Learning rate of AdamW, constant.
    pub learning_rate: f64,
    /// Decoupled weight decay, on all parameters.
    pub weight_decay: f64,
    /// Maximum norm of the gradient over all parameters; larger gradients are scaled down to it.
    pub clip: f64,
}

impl Default for FlowOptions {
    fn default() -> Self {
        Self { levels: 3, depth: 3, width: 32, learning_rate: 1e-3, weight_decay: 0.01, clip: 1.0 }
    }
}

impl FlowOptions {
    /// The sizes of the network for rows of this dimension.
    pub fn shape(&self, dimension: usize) -> GlowShape {
        GlowShape { dimension, levels: self.levels, depth: self.depth, width: self.width }
    }

    fn check(&self) -> Result<()> {
        let positive = [("learning_rate", self.learning_rate), ("clip", self.clip)];
        for (name, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Option { name, value, range: "a positive number" });
            }
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            let range = "0 or a positive number";
            return Err(Error::Option { name: "weight_decay", value: self.weight_decay, range });
        }
        Ok(())
    }
}

/// Fits a flow: one [`step`](Self::step) per batch, then [`finish`](Self::finish).
///
/// On the CPU, the same options, stream and batches give bit-for-bit identical results with any number of
/// threads.
pub struct FlowTrainer {
    options: FlowOptions,
    shape: GlowShape,
    stream: Stream,
    steps: usize,
    network: Option<(Glow, ParameterSet)>,
}

impl FlowTrainer {
    /// A fit for rows of this dimension; new weights are drawn from `stream`.
    ///
    /// # Errors
    /// Fails if an option is out of range, or if the dimension is not divisible by 2^levels (a flow neither
    /// pads nor splits unevenly).
    pub fn new(options: FlowOptions, dimension: usize, stream: Stream) -> Result<Self> {
        options.check()?;
        let shape = options.shape(dimension);
        shape.check()?;
        Ok(Self { options, shape, stream, steps: 0, network: None })
    }

    /// Takes one AdamW step, without bias correction as in the released code, on `batch` `[B, D]` (f32,
    /// treated as constants). Returns the loss before the step: the mean of [`Glow::bits_per_dimension`]. The
    /// first batch also initialises the network.
    ///
    /// # Errors
    /// Fails if the batch has a different shape or type, an entry is NaN or infinite, the first batch has
    /// fewer than 2 rows or a constant coordinate, or the loss or gradient is not finite.
    pub fn step(&mut self, batch: &Tensor) -> Result<f64> {
        let batch = batch.detach();
        self.check(&batch)?;
        let (glow, parameters) = match &mut self.network {
            Some(network) => network,
            none => none.insert(start(self.shape, &batch, self.stream)?),
        };
        let step = self.steps + 1;
        let finite = |what: &'static str, value: f64| {
            if value.is_finite() { Ok(value) } else { Err(Error::Diverged { step, what, value }) }
        };
        let loss = glow.bits_per_dimension(&batch)?.mean_all()?;
        let value = finite("loss", f64::from(loss.to_scalar::<f32>()?))?;
        parameters.clear_gradients();
        parameters.collect_gradients(&loss.backward()?)?;
        let norm = finite("gradient norm", parameters.gradient_square_norm()?.sqrt())?;
        parameters.step(&AdamStep {
            step,
            learning_rate: self.options.learning_rate,
            betas: BETAS,
            epsilon: EPSILON,
            weight_decay: self.options.weight_decay,
            decay_all: false,
            gradient_scale: clip_factor(norm, self.options.clip),
            bias_correction: false,
        })?;
        self.steps = step;
        Ok(value)
    }

    /// Number of steps taken so far.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The fitted flow, on the CPU.
    ///
    /// # Errors
    /// Fails if no step was taken.
    pub fn finish(self) -> Result<Flow> {
        let (_, parameters) = self.network.ok_or(Error::NoStep)?;
        let mut values = parameters.values()?.into_iter();
        let glow = Glow::build(self.shape, &mut |_, _| {
            let value = values.next().expect("the parameters were listed by a network of this shape");
            Ok(value.to_device(&Device::Cpu)?)
        })?;
        Ok(Flow::new(glow, self.options, self.steps))
    }

    fn check(&self, batch: &Tensor) -> Result<()> {
        let dimension = self.shape.dimension;
        if batch.rank() != 2 || batch.dim(1)? != dimension || batch.dtype() != DType::F32 {
            let found = format!("shape {:?} in {:?}", batch.dims(), batch.dtype());
            return Err(Error::Batch { dimension, expected: "f32", found });
        }
        let rows = batch.to_vec2::<f32>()?;
        crate::post::rows::check(&rows, dimension)?;
        let needed = if self.network.is_none() { 2 } else { 1 };
        if rows.len() < needed {
            return Err(Error::TooFewRows { what: "a step of a flow", found: rows.len(), needed });
        }
        if self.network.is_none() {
            let constant = |&c: &usize| rows.iter().all(|row| row[c] == rows[0][c]);
            if let Some(coordinate) = (0..dimension).find(constant) {
                let value = rows[0][coordinate];
                return Err(Error::ConstantCoordinate { coordinate, value, rows: rows.len() });
            }
        }
        Ok(())
    }
}

/// A network initialised from `batch`, with its parameters as variables.
fn start(shape: GlowShape, batch: &Tensor, stream: Stream) -> Result<(Glow, ParameterSet)> {
    let mut values = Glow::initialised(shape, batch, stream)?.parameters().into_iter();
    let mut parameters = ParameterSet::new();
    let glow = Glow::build(shape, &mut |name, _| {
        let (_, value) = values.next().expect("the values are of a network of this shape");
        // The released code applies weight decay to all parameters.
        Ok(parameters.add(name, Group::Weight, &value)?)
    })?;
    Ok((glow, parameters))
}

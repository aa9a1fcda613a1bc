//! AdamW with decoupled weight decay (Loshchilov & Hutter 2019), one step for one tensor, and global gradient
//! clipping.
//!
//! For step t = 1, 2, ..., gradient g scaled by the clip factor, learning rate lr:
//!
//! ```text
//! p <- p (1 - lr wd)
//! m <- b1 m + (1 - b1) g          v <- b2 v + (1 - b2) g^2
//! p <- p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
//! ```
//!
//! On the CPU, all threads make one pass over all three arrays, in place. Other devices compute the same
//! formula with tensor operations.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, Var};
use micse_kernels::adam::{AdamRule, adam, average};

use crate::Result;
use crate::threads::in_pool;

/// Groups that optimizers treat differently: weight decay applies only to weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Matrices and embedding tables.
    Weight,
    /// Biases of linear layers.
    Bias,
    /// Gains and offsets of LayerNorm.
    LayerNorm,
}

/// The settings of one optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The index of this step, from 1.
    pub step: usize,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// Decay rates of the first and second moments.
    pub betas: (f64, f64),
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Whether it also acts on biases and normalisations, not only on [`Group::Weight`].
    pub decay_all: bool,
    /// Factor of all gradients, see [`clip_factor`].
    pub gradient_scale: f64,
    /// Whether the moments are divided by 1 - b^t. Without bias correction and with b1 = 0, the rule is
    /// RMSprop (Tieleman & Hinton 2012): `v <- b2 v + (1 - b2) g^2`, `p <- p - lr g / (sqrt(v) + eps)`.
    pub bias_correction: bool,
}

/// The factor that limits a gradient of this norm to `limit`: min(1, limit / (norm + 1e-6)).
pub fn clip_factor(norm: f64, limit: f64) -> f64 {
    (limit / (norm + 1e-6)).min(1.0)
}

/// First and second moment of one parameter.
#[derive(Clone, Debug)]
pub(crate) enum Moments {
    Slices { first: Vec<f32>, second: Vec<f32> },
    Tensors { first: Tensor, second: Tensor },
}

impl Moments {
    pub(crate) fn zeros(like: &Tensor) -> Result<Self> {
        if like.device().is_cpu() {
            let n = like.elem_count();
            return Ok(Self::Slices { first: vec![0.0; n], second: vec![0.0; n] });
        }
        Ok(Self::Tensors { first: like.zeros_like()?.detach(), second: like.zeros_like()?.detach() })
    }

    pub(crate) fn from_tensors(first: &Tensor, second: &Tensor) -> Result<Self> {
        if first.device().is_cpu() {
            return Ok(Self::Slices {
                first: first.flatten_all()?.to_vec1()?,
                second: second.flatten_all()?.to_vec1()?,
            });
        }
        Ok(Self::Tensors { first: first.clone(), second: second.clone() })
    }

    pub(crate) fn to_tensors(&self, like: &Tensor) -> Result<(Tensor, Tensor)> {
        match self {
            Self::Slices { first, second } => Ok((
                Tensor::from_slice(first, like.shape(), like.device())?,
                Tensor::from_slice(second, like.shape(), like.device())?,
            )),
            Self::Tensors { first, second } => Ok((first.clone(), second.clone())),
        }
    }
}

/// Updates `parameter` and its moments by one step with `gradient`.
pub(crate) fn adam_step(
    rule: &AdamStep,
    group: Group,
    parameter: &Var,
    gradient: &Tensor,
    moments: &mut Moments,
) -> Result<()> {
    match moments {
        Moments::Slices { first, second } => {
            let op = FusedAdam { rule: kernel_rule(rule, group), moments: RefCell::new((first, second)) };
            parameter.inplace_op2(&gradient.contiguous()?, &op)?;
        }
        Moments::Tensors { first, second } => {
            let decay = decay(rule, group);
            let (b1, b2) = rule.betas;
            let (c1, c2) = bias_corrections(rule);
            let g = (gradient * rule.gradient_scale)?;
            *first = ((&*first * b1)? + (&g * (1.0 - b1))?)?.detach();
            *second = ((&*second * b2)? + (g.sqr()? * (1.0 - b2))?)?.detach();
            let denominator = ((second.sqrt()? / c2.sqrt())? + rule.epsilon)?;
            let change = ((&*first / denominator)? * (rule.learning_rate / c1))?;
            let decayed = (parameter.as_detached_tensor() * (1.0 - rule.learning_rate * decay))?;
            parameter.set(&(decayed - change)?)?;
        }
    }
    Ok(())
}

/// The weight decay that acts on a group.
pub(crate) fn decay(rule: &AdamStep, group: Group) -> f64 {
    if rule.decay_all || group == Group::Weight { rule.weight_decay } else { 0.0 }
}

/// The step's constants for one group, in the form that the kernels need.
pub(crate) fn kernel_rule(rule: &AdamStep, group: Group) -> AdamRule {
    let (c1, c2) = bias_corrections(rule);
    AdamRule {
        betas: (rule.betas.0 as f32, rule.betas.1 as f32),
        rests: ((1.0 - rule.betas.0) as f32, (1.0 - rule.betas.1) as f32),
        rate: (rule.learning_rate / c1) as f32,
        root: (1.0 / c2.sqrt()) as f32,
        epsilon: rule.epsilon as f32,
        lost: (rule.learning_rate * decay(rule, group)) as f32,
        scale: rule.gradient_scale as f32,
    }
}

fn bias_corrections(rule: &AdamStep) -> (f64, f64) {
    if !rule.bias_correction {
        return (1.0, 1.0);
    }
    let t = rule.step as f64;
    (1.0 - rule.betas.0.powf(t), 1.0 - rule.betas.1.powf(t))
}

struct FusedAdam<'a> {
    rule: AdamRule,
    moments: RefCell<(&'a mut Vec<f32>, &'a mut Vec<f32>)>,
}

impl InplaceOp2 for FusedAdam<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> candle_core::Result<()> {
        let p = contiguous_mut(parameter, parameter_layout)?;
        let g = contiguous(gradient, gradient_layout)?;
        let mut moments = self.moments.borrow_mut();
        let (first, second) = &mut *moments;
        let rule = &self.rule;
        in_pool(|| adam(p, g, first, second, rule));
        Ok(())
    }
}

/// `slow <- decay * slow + (1 - decay) * fast` in place on the CPU, in a form that leaves equal values
/// unchanged.
pub(crate) struct Average {
    pub(crate) decay: f64,
}

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "exponential moving average"
    }

    fn cpu_fwd(
        &self,
        slow: &mut CpuStorage,
        sl: &Layout,
        fast: &CpuStorage,
        fl: &Layout,
    ) -> candle_core::Result<()> {
        let slow = contiguous_mut(slow, sl)?;
        let fast = contiguous(fast, fl)?;
        let decay = self.decay;
        in_pool(|| average(slow, fast, decay));
        Ok(())
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("the optimizer needs contiguous tensors, got the layout {layout:?}"),
    }
}

fn contiguous_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> candle_core::Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("the optimizer needs contiguous tensors, got the layout {layout:?}")
    };
    let CpuStorage::F32(values) = storage else { candle_core::bail!("the optimizer's parameters are f32") };
    Ok(&mut values[start..end])
}

//! An ordered set of named parameters, which every [`Trainable`] of the tensor engine uses.

use std::any::Any;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use crate::encoder::{ParameterInfo, Trainable};
use crate::optimizer::{AdamStep, Average, Group, Moments, adam_step};
use crate::threads::in_pool;
use crate::{Error, Result};

struct Parameter {
    name: String,
    group: Group,
    var: Var,
    gradient: Option<Tensor>,
    moments: Option<Moments>,
}

/// Named trainable tensors in a fixed order, with their gradients and moments.
#[derive(Default)]
pub struct ParameterSet {
    entries: Vec<Parameter>,
}

impl ParameterSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter initialized with a copy of `value`, and returns it as a tensor in the graph.
    ///
    /// # Errors
    /// Fails if the copy fails.
    pub fn add(&mut self, name: impl Into<String>, group: Group, value: &Tensor) -> Result<Tensor> {
        let var = Var::from_tensor(&value.contiguous()?.copy()?)?;
        let tensor = var.as_tensor().clone();
        self.entries.push(Parameter { name: name.into(), group, var, gradient: None, moments: None });
        Ok(tensor)
    }

    /// Name and value of each parameter, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|p| (p.name.as_str(), p.var.as_tensor()))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn same_length(&self, other: usize) -> Result<()> {
        if other == self.entries.len() {
            return Ok(());
        }
        Err(Error::Input(format!("got {other} tensors for {} parameters", self.entries.len())))
    }
}

impl Trainable for ParameterSet {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn parameters(&self) -> Vec<ParameterInfo> {
        let info = |p: &Parameter| ParameterInfo {
            name: p.name.clone(),
            shape: p.var.dims().to_vec(),
            group: p.group,
        };
        self.entries.iter().map(info).collect()
    }

    fn values(&self) -> Result<Vec<Tensor>> {
        Ok(self.entries.iter().map(|p| p.var.as_detached_tensor()).collect())
    }

    fn set_values(&mut self, values: &[Tensor]) -> Result<()> {
        self.same_length(values.len())?;
        for (p, value) in self.entries.iter().zip(values) {
            if p.var.dims() != value.dims() {
                return Err(Error::Input(format!(
                    "parameter `{}` has shape {:?}, but the new value has {:?}",
                    p.name,
                    p.var.dims(),
                    value.dims()
                )));
            }
            p.var.set(&value.contiguous()?)?;
        }
        Ok(())
    }

    fn collect_gradients(&mut self, gradients: &GradStore) -> Result<()> {
        for p in &mut self.entries {
            if let Some(gradient) = gradients.get(&p.var) {
                p.gradient = Some(match p.gradient.take() {
                    Some(sum) => (sum + gradient)?.detach(),
                    None => gradient.clone(),
                });
            }
        }
        Ok(())
    }

    fn clear_gradients(&mut self) {
        self.entries.iter_mut().for_each(|p| p.gradient = None);
    }

    fn add_gradient(&mut self, parameter: usize, gradient: &Tensor) -> Result<()> {
        let count = self.entries.len();
        let p = self.entries.get_mut(parameter).ok_or_else(|| {
            Error::Input(format!("parameter {parameter} is out of range: there are {count}"))
        })?;
        if p.var.dims() != gradient.dims() {
            return Err(Error::Input(format!(
                "parameter `{}` has shape {:?}, but the gradient to add has {:?}",
                p.name,
                p.var.dims(),
                gradient.dims()
            )));
        }
        p.gradient = Some(match p.gradient.take() {
            Some(sum) => (sum + gradient)?.detach(),
            None => gradient.detach(),
        });
        Ok(())
    }

    fn drop_gradient(&mut self, parameter: usize) -> Result<()> {
        let count = self.entries.len();
        let none = || Error::Input(format!("parameter {parameter} is out of range: there are {count}"));
        self.entries.get_mut(parameter).ok_or_else(none)?.gradient = None;
        Ok(())
    }

    fn gradients(&self) -> Result<Vec<Option<Tensor>>> {
        Ok(self.entries.iter().map(|p| p.gradient.clone()).collect())
    }

    fn gradient_square_norm(&self) -> Result<f64> {
        let mut total = 0.0;
        for gradient in self.entries.iter().filter_map(|p| p.gradient.as_ref()) {
            total += square_norm(gradient)?;
        }
        Ok(total)
    }

    fn step(&mut self, rule: &AdamStep) -> Result<()> {
        for p in &mut self.entries {
            // A parameter without a gradient has zero moments and would not move.
            let Some(gradient) = p.gradient.take() else { continue };
            let moments = match &mut p.moments {
                Some(moments) => moments,
                none => none.insert(Moments::zeros(&p.var)?),
            };
            adam_step(rule, p.group, &p.var, &gradient, moments)?;
        }
        Ok(())
    }

    fn moments(&self) -> Result<Vec<(Tensor, Tensor)>> {
        if self.entries.iter().all(|p| p.moments.is_none()) {
            return Ok(Vec::new());
        }
        let moments = |p: &Parameter| match &p.moments {
            Some(moments) => moments.to_tensors(&p.var),
            None => Moments::zeros(&p.var)?.to_tensors(&p.var),
        };
        self.entries.iter().map(moments).collect()
    }

    fn set_moments(&mut self, moments: &[(Tensor, Tensor)]) -> Result<()> {
        if moments.is_empty() {
            self.entries.iter_mut().for_each(|p| p.moments = None);
            return Ok(());
        }
        self.same_length(moments.len())?;
        for (p, (first, second)) in self.entries.iter_mut().zip(moments) {
            p.moments = Some(Moments::from_tensors(first, second)?);
        }
        Ok(())
    }

    fn follow(&mut self, leader: &dyn Trainable, decay: f64) -> Result<()> {
        let values = leader.values()?;
        self.same_length(values.len())?;
        for (p, value) in self.entries.iter().zip(&values) {
            if p.var.device().is_cpu() {
                p.var.inplace_op2(&value.contiguous()?, &Average { decay })?;
            } else {
                p.var.set(&((p.var.as_detached_tensor() * decay)? + (value * (1.0 - decay))?)?)?;
            }
        }
        Ok(())
    }
}

/// Sum of squares in f64, in a fixed order.
pub(crate) fn square_norm(gradient: &Tensor) -> Result<f64> {
    if !gradient.device().is_cpu() {
        return Ok(f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?));
    }
    let gradient = gradient.contiguous()?;
    let (storage, layout) = gradient.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else {
        return Err(Error::Input("a CPU tensor has no CPU storage".into()));
    };
    let start = layout.start_offset();
    let values = &storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()];
    Ok(in_pool(|| micse_kernels::adam::square_norm(values)))
}

/// Implements [`Trainable`] for a type that keeps all its parameters in a [`ParameterSet`] field.
macro_rules! trainable_by {
    ($type:ty, $field:ident) => {
        impl $crate::encoder::Trainable for $type {
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn add_gradient(&mut self, p: usize, gradient: &candle_core::Tensor) -> $crate::Result<()> {
                self.$field.add_gradient(p, gradient)
            }
            fn parameters(&self) -> Vec<$crate::encoder::ParameterInfo> {
                self.$field.parameters()
            }
            fn values(&self) -> $crate::Result<Vec<candle_core::Tensor>> {
                self.$field.values()
            }
            fn set_values(&mut self, values: &[candle_core::Tensor]) -> $crate::Result<()> {
                self.$field.set_values(values)
            }
            fn collect_gradients(&mut self, g: &candle_core::backprop::GradStore) -> $crate::Result<()> {
                self.$field.collect_gradients(g)
            }
            fn clear_gradients(&mut self) {
                self.$field.clear_gradients();
            }
            fn drop_gradient(&mut self, p: usize) -> $crate::Result<()> {
                self.$field.drop_gradient(p)
            }
            fn gradients(&self) -> $crate::Result<Vec<Option<candle_core::Tensor>>> {
                self.$field.gradients()
            }
            fn gradient_square_norm(&self) -> $crate::Result<f64> {
                self.$field.gradient_square_norm()
            }
            fn step(&mut self, rule: &$crate::optimizer::AdamStep) -> $crate::Result<()> {
                self.$field.step(rule)
            }
            fn moments(&self) -> $crate::Result<Vec<(candle_core::Tensor, candle_core::Tensor)>> {
                self.$field.moments()
            }
            fn set_moments(
                &mut self,
                moments: &[(candle_core::Tensor, candle_core::Tensor)],
            ) -> $crate::Result<()> {
                self.$field.set_moments(moments)
            }
            fn follow(&mut self, leader: &dyn $crate::encoder::Trainable, decay: f64) -> $crate::Result<()> {
                self.$field.follow(leader, decay)
            }
        }
    };
}
pub(crate) use trainable_by;

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn gradients_of_several_passes_add_up_until_a_step_or_until_they_are_cleared() {
        let mut set = ParameterSet::new();
        let start = Tensor::new(&[2.0_f32, 3.0], &Device::Cpu).expect("a tensor");
        let weight = set.add("w", Group::Weight, &start).expect("a parameter");
        let pass = |set: &mut ParameterSet, factor: f64| {
            let loss = (&weight * factor).and_then(|l| l.sum_all()).expect("a loss");
            set.collect_gradients(&loss.backward().expect("a backward pass")).expect("gradients");
        };
        let sum = |set: &ParameterSet| {
            set.gradients().expect("gradients")[0].as_ref().map(|g| g.to_vec1::<f32>().expect("entries"))
        };
        pass(&mut set, 1.0);
        pass(&mut set, 0.5);
        assert_eq!(sum(&set), Some(vec![1.5, 1.5]));
        set.clear_gradients();
        assert_eq!(sum(&set), None);
        pass(&mut set, 4.0);
        let rule = AdamStep {
            step: 1,
            learning_rate: 0.1,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            weight_decay: 0.0,
            decay_all: false,
            gradient_scale: 1.0,
            bias_correction: true,
        };
        set.step(&rule).expect("a step");
        assert_eq!(sum(&set), None);
    }
}

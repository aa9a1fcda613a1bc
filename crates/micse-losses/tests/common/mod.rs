//! Helpers for the integration tests: random inputs, and central differences in f64.
#![allow(dead_code, reason = "each test binary uses only some of the helpers")]

use candle_core::{Device, Tensor, Var};
use micse_random::Stream;

pub(crate) mod reference;

/// A variable of normal numbers (f64).
pub(crate) fn normal(seed: u64, shape: &[usize]) -> Var {
    let mut draws = Stream::new(seed).draws();
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| draws.normal()).collect();
    Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
}

/// A variable of positive numbers over several orders of magnitude, like attention (f64).
pub(crate) fn attention(seed: u64, shape: &[usize]) -> Var {
    Var::from_tensor(&normal(seed, shape).exp().unwrap()).unwrap()
}

/// All entries, as f64.
pub(crate) fn values(x: &Tensor) -> Vec<f64> {
    x.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest difference between the gradients of `loss` and its central differences, relative to the largest
/// gradient entry.
pub(crate) fn gradient_error(variables: &[&Var], loss: &dyn Fn() -> Tensor) -> f64 {
    let step = 1e-6;
    let gradients = loss().backward().unwrap();
    let (mut worst, mut largest) = (0_f64, 0_f64);
    for variable in variables {
        let gradient = values(gradients.get(variable).expect("a gradient"));
        let start = values(variable);
        for (i, &analytic) in gradient.iter().enumerate() {
            let at = |delta: f64| {
                let mut moved = start.clone();
                moved[i] += delta;
                let moved = Tensor::from_vec(moved, variable.shape(), &Device::Cpu).unwrap();
                variable.set(&moved).unwrap();
                loss().to_scalar::<f64>().unwrap()
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            worst = worst.max((analytic - numeric).abs());
            largest = largest.max(analytic.abs());
        }
        variable.set(&Tensor::from_vec(start, variable.shape(), &Device::Cpu).unwrap()).unwrap();
    }
    assert!(largest > 0.0, "the gradient is zero everywhere");
    worst / largest
}

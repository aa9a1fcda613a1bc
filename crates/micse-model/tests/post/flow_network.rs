//! The flow's network: comparison with PyTorch, finite differences and its own inverse.

use crate::common::{
    FlowReference, correlated_rows, covariance, entries, fixture, normal_rows, numbers, relative_error,
    tensor,
};
use candle_core::{DType, Device, Tensor, Var};
use micse_model::post::Error;
use micse_model::post::flow::{Glow, GlowShape};
use micse_random::Stream;

/// The reference network in f64, moved away from its initial values, and its parameters as named variables.
fn moved(reference: &FlowReference) -> (Glow, Vec<(String, Var)>) {
    let mut variables = Vec::new();
    let glow = Glow::build(reference.shape(), &mut |name, shape| {
        let value = Tensor::from_vec(numbers(&reference.moved[name]), shape, &Device::Cpu)?;
        let variable = Var::from_tensor(&value)?;
        variables.push((name.to_owned(), variable.clone()));
        Ok(variable.as_tensor().clone())
    });
    (glow.unwrap(), variables)
}

/// A network with effective couplings: parameters that start at zero are moved by N(0, 0.1^2).
fn perturbed(shape: GlowShape, batch: &Tensor, seed: u64) -> Glow {
    let stream = Stream::new(seed);
    let mut values = Glow::initialised(shape, batch, stream).unwrap().parameters().into_iter();
    let mut draws = stream.with(99).draws();
    let moved = Glow::build(shape, &mut |name, _| {
        let (_, value) = values.next().expect("a value");
        // Moving the lower layers too would produce shifts in the thousands, for which no inverse is
        // accurate.
        if !name.contains("last") {
            return Ok(value);
        }
        let change: Vec<f64> = (0..value.elem_count()).map(|_| 0.1 * draws.normal()).collect();
        let change = Tensor::from_vec(change, value.shape(), &Device::Cpu)?.to_dtype(value.dtype())?;
        Ok((value + change)?)
    });
    moved.unwrap()
}

#[test]
fn initial_parameters_agree_with_pytorch() {
    let reference: FlowReference = fixture("flow.json");
    let batch = tensor(&reference.batches[0], DType::F64);
    let glow = Glow::initialised(reference.shape(), &batch, Stream::new(reference.seed)).unwrap();
    let parameters = glow.parameters();
    assert_eq!(parameters.len(), reference.initial.len());
    for (name, value) in parameters {
        let expected = numbers(&reference.initial[&name]);
        let worst = entries(&value).iter().zip(&expected).fold(0_f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(worst < 1e-12, "{name}: {worst:e}");
    }
}

#[test]
fn latents_likelihood_and_gradients_agree_with_pytorch() {
    let reference: FlowReference = fixture("flow.json");
    let (glow, variables) = moved(&reference);
    let x = tensor(&reference.batches[1], DType::F64);

    let latents = glow.forward(&x).unwrap();
    assert!(relative_error(&entries(&latents.z), &numbers(&reference.z)) < 1e-13);
    // PyTorch's log|det| comes from the Jacobian by automatic differentiation, one per row.
    let log_dets = vec![entries(&latents.log_det)[0]; reference.jacobian_log_dets.len()];
    assert!(relative_error(&log_dets, &reference.jacobian_log_dets) < 1e-12);
    let bits = glow.bits_per_dimension(&x).unwrap();
    assert!(relative_error(&entries(&bits), &numbers(&reference.bits)) < 1e-13);

    let gradients = bits.mean_all().unwrap().backward().unwrap();
    assert_eq!(variables.len(), reference.gradients.len());
    for (name, variable) in variables {
        let expected = numbers(&reference.gradients[&name]);
        let found = entries(gradients.get(&variable).expect("a gradient"));
        assert!(relative_error(&found, &expected) < 1e-11, "{name}");
    }
}

#[test]
fn log_determinant_is_that_of_the_jacobian_by_finite_differences() {
    let shape = GlowShape { dimension: 8, levels: 2, depth: 3, width: 6 };
    let glow = perturbed(shape, &tensor(&correlated_rows(4, 30, 8), DType::F64), 5);
    let step = 1e-5;
    for row in normal_rows(6, 5, 8) {
        let image = |d: usize, delta: f64| {
            let mut moved: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
            moved[d] += delta;
            entries(&glow.forward(&Tensor::from_vec(moved, (1, 8), &Device::Cpu).unwrap()).unwrap().z)
        };
        let jacobian: Vec<f64> = (0..8)
            .flat_map(|d| {
                let (above, below) = (image(d, step), image(d, -step));
                above.into_iter().zip(below).map(|(a, b)| (a - b) / (2.0 * step)).collect::<Vec<_>>()
            })
            .collect();
        let determinant = nalgebra::DMatrix::from_vec(8, 8, jacobian).determinant();
        let found = glow.forward(&tensor(&[row], DType::F64)).unwrap().log_det;
        assert!((entries(&found)[0] - determinant.abs().ln()).abs() < 1e-7);
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let reference: FlowReference = fixture("flow.json");
    let (glow, variables) = moved(&reference);
    let x = Var::from_tensor(&tensor(&reference.batches[2], DType::F64)).unwrap();
    let loss = || glow.bits_per_dimension(&x).unwrap().mean_all().unwrap();
    let gradients = loss().backward().unwrap();
    let step = 1e-6;
    let inputs = std::iter::once(("x".to_owned(), x.clone()));
    for (name, variable) in variables.into_iter().chain(inputs) {
        let (shape, start) = (variable.shape().clone(), entries(&variable));
        let analytic = entries(gradients.get(&variable).expect("a gradient"));
        let numeric: Vec<f64> = (0..start.len())
            .map(|i| {
                let at = |delta: f64| {
                    let mut moved = start.clone();
                    moved[i] += delta;
                    variable.set(&Tensor::from_vec(moved, &shape, &Device::Cpu).unwrap()).unwrap();
                    entries(&loss())[0]
                };
                (at(step) - at(-step)) / (2.0 * step)
            })
            .collect();
        variable.set(&Tensor::from_vec(start, &shape, &Device::Cpu).unwrap()).unwrap();
        let largest = analytic.iter().fold(0_f64, |m, v| m.max(v.abs()));
        let worst = analytic.iter().zip(&numeric).fold(0_f64, |m, (a, n)| m.max((a - n).abs()));
        assert!(worst < 1e-6 * largest.max(1.0), "{name}: {worst:e} of {largest:e}");
    }
}

#[test]
fn a_new_network_standardises_its_batch_and_permutes_it() {
    let rows = correlated_rows(8, 50, 8);
    let shape = GlowShape { dimension: 8, levels: 3, depth: 2, width: 4 };
    let batch = tensor(&rows, DType::F64);
    let z = Glow::initialised(shape, &batch, Stream::new(1)).unwrap().forward(&batch).unwrap().z;
    let z = z.to_vec2::<f64>().unwrap();
    for d in 0..8 {
        let mean = z.iter().map(|row| row[d]).sum::<f64>() / 50.0;
        let square = z.iter().map(|row| row[d] * row[d]).sum::<f64>() / 50.0;
        assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-5, "coordinate {d}: {mean:e}, {square}");
    }
    // Two reversals per level restore the order: 4..8 leave, then 2..4, then 0..2 remain.
    for (latent, source) in [4, 5, 6, 7, 2, 3, 0, 1].into_iter().enumerate() {
        let deviation = covariance(&rows)[source][source].sqrt();
        let product: f64 = z.iter().zip(&rows).map(|(z, x)| z[latent] * f64::from(x[source])).sum();
        assert!((product / (50.0 * deviation) - 1.0).abs() < 1e-5, "latent {latent} is not {source}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_inverse_gives_the_input_back(
        seed: u64, levels in 1_usize..4, depth in 1_usize..4, width in 1_usize..9, times in 1_usize..4,
    ) {
        let shape = GlowShape { dimension: times << levels, levels, depth, width };
        let rows = correlated_rows(seed, 20, shape.dimension);
        let glow = perturbed(shape, &tensor(&rows, DType::F64), seed);
        let fresh = tensor(&correlated_rows(seed, 30, shape.dimension)[20..], DType::F64);
        for x in [tensor(&rows, DType::F64), fresh] {
            let z = glow.forward(&x).unwrap().z;
            let back = glow.inverse(&z).unwrap();
            proptest::prop_assert!(relative_error(&entries(&z), &entries(&x)) > 0.01);
            let error = relative_error(&entries(&back), &entries(&x));
            proptest::prop_assert!(error < 1e-9, "{error:e}");
        }
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let shape = GlowShape { dimension: 24, levels: 3, depth: 3, width: 32 };
    assert!(shape.check().is_ok());
    for dimension in [25, 12, 20] {
        let error = GlowShape { dimension, ..shape }.check().unwrap_err();
        assert!(matches!(error, Error::Indivisible { levels: 3, .. }), "{error}");
        assert!(error.to_string().contains("fewer levels"), "{error}");
    }
    assert!(matches!(GlowShape { levels: 64, ..shape }.check(), Err(Error::Indivisible { .. })));
    for shape in [
        GlowShape { dimension: 0, ..shape },
        GlowShape { levels: 0, ..shape },
        GlowShape { depth: 0, ..shape },
        GlowShape { width: 0, ..shape },
    ] {
        assert!(matches!(shape.check(), Err(Error::Option { value: 0.0, .. })), "{shape:?}");
    }
}

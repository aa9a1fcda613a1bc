//! The perturbation by the gradient's sign, and the ramp of the decay.

mod common;

use candle_core::{DType, Device, Tensor};
use common::{normal, values};
use micse_losses::{Error, cosine_ramp, fgsm};
use proptest::prelude::*;

#[test]
fn signs_of_all_kinds_of_numbers() {
    let numbers = [3.0, -1e-40, 0.0, -0.0, f64::NEG_INFINITY, f64::NAN];
    for dtype in [DType::F32, DType::F64] {
        let gradient = Tensor::new(&numbers, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let found = values(&fgsm(&gradient, 0.5).unwrap());
        assert_eq!(found[..5], [0.5, -0.5, 0.0, 0.0, -0.5], "{dtype:?}");
        assert!(found[5].is_nan());
    }
}

proptest! {
    /// No other step within the same bounds raises a linear function more.
    #[test]
    fn it_is_the_best_step_within_its_bounds(seed: u64, epsilon in 0.0_f64..2.0) {
        let (gradient, other) = (normal(seed, &[3, 2, 4]), normal(!seed, &[3, 2, 4]));
        let rise = |step: &Tensor| values(&gradient.mul(step).unwrap()).iter().sum::<f64>();
        let step = fgsm(&gradient, epsilon).unwrap();
        prop_assert_eq!(step.dims(), gradient.dims());
        let within = (other.tanh().unwrap() * epsilon).unwrap();
        prop_assert!(rise(&step) >= rise(&within));
    }

    #[test]
    fn the_ramp_rises_to_one(base in 0.0_f64..1.0, steps in 1_usize..500) {
        prop_assert!((cosine_ramp(base, 0, steps) - base).abs() < 1e-15);
        for step in 1..steps + 3 {
            let (before, now) = (cosine_ramp(base, step - 1, steps), cosine_ramp(base, step, steps));
            prop_assert!(before <= now && now <= 1.0, "{before} {now}");
        }
        prop_assert_eq!(cosine_ramp(base, steps, steps), 1.0);
    }
}

#[test]
fn no_gradient_passes() {
    let gradient = normal(1, &[2, 3]);
    let loss = fgsm(&gradient, 0.1).unwrap().sum_all().unwrap();
    assert!(loss.backward().unwrap().get(&gradient).is_none());
}

// >>> [1 - (1 - 0.85) * (math.cos(math.pi * k / 15000) + 1) / 2 for k in (0, 1, 3000, 11250, 14999)]
// [0.85, 0.8500000016449341, 0.864323725421879, 0.9780330085889911, 0.9999999983550659]
#[test]
fn the_ramp_has_pythons_values() {
    let expected = [
        (0, 0.85),
        (1, 0.850_000_001_644_934_1),
        (3000, 0.864_323_725_421_879),
        (11_250, 0.978_033_008_588_991_1),
        (14_999, 0.999_999_998_355_065_9),
    ];
    for (step, expected) in expected {
        assert!((cosine_ramp(0.85, step, 15_000) - expected).abs() < 1e-15, "step {step}");
    }
    assert_eq!(cosine_ramp(0.85, 40_000, 15_000), 1.0);
    assert_eq!(cosine_ramp(0.85, 0, 0), 1.0);
}

#[test]
fn wrong_arguments_are_named() {
    let gradient = normal(1, &[2, 3]);
    for epsilon in [-1.0, f64::NAN, f64::INFINITY] {
        let message = fgsm(&gradient, epsilon).unwrap_err().to_string();
        assert!(message.starts_with("epsilon must be a number of at least 0"), "{message}");
    }
    let integers = Tensor::ones(3, DType::U32, &Device::Cpu).unwrap();
    assert!(matches!(fgsm(&integers, 1.0), Err(Error::DType { name: "gradient", .. })));
}

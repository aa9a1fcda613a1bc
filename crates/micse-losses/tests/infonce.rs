//! The contrastive loss: bounds, masks, degenerate inputs.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use common::{normal, values};
use micse_losses::{Error, InfoNce, InfoNceForm, NegativeQueue, check_finite, cosine_matrix, normalize_rows};
use proptest::prelude::*;

const STANDARD: InfoNce = InfoNce { temperature: 0.05, form: InfoNceForm::Standard };
const PRINTED: InfoNce = InfoNce { temperature: 0.05, form: InfoNceForm::AsPrinted };

fn scalar(x: &Tensor) -> f64 {
    values(x)[0]
}

proptest! {
    #[test]
    fn lies_between_its_bounds(seed: u64, rows in 1_usize..8, queued in 1_usize..6) {
        let (z1, z2, queue) = (normal(seed, &[rows, 6]), normal(seed ^ 1, &[rows, 6]), normal(seed ^ 2, &[queued, 6]));
        let without = scalar(&STANDARD.loss(&z1, &z2, None).unwrap());
        let with = scalar(&STANDARD.loss(&z1, &z2, Some(&queue)).unwrap());
        // A logit is within 20 of 0, so a row's loss is at most 40 plus the ln of the number of logits.
        prop_assert!(0.0 <= without && without <= with, "{without} {with}");
        prop_assert!(with <= 40.0 + ((rows + queued) as f64).ln());
    }

    #[test]
    fn a_permutation_and_a_scale_change_nothing(seed: u64, scale in 0.01_f64..100.0) {
        let (z1, z2) = (normal(seed, &[5, 6]), normal(seed ^ 1, &[5, 6]));
        let order = Tensor::new(&[3_u32, 0, 4, 1, 2], &Device::Cpu).unwrap();
        let permuted = |z: &Var| (z.index_select(&order, 0).unwrap() * scale).unwrap();
        for infonce in [STANDARD, PRINTED] {
            let before = scalar(&infonce.loss(&z1, &z2, None).unwrap());
            let after = scalar(&infonce.loss(&permuted(&z1), &permuted(&z2), None).unwrap());
            prop_assert!((before - after).abs() < 1e-10 * before.abs().max(1.0), "{before} {after}");
        }
    }

    #[test]
    fn masked_rows_are_as_if_not_queued(seed: u64) {
        let (z1, z2, queue) = (normal(seed, &[3, 4]), normal(seed ^ 1, &[3, 4]), normal(seed ^ 2, &[5, 4]));
        let mask = Tensor::new(&[[0_u8, 0, 0, 1, 1]; 3], &Device::Cpu).unwrap();
        let shorter = queue.narrow(0, 0, 3).unwrap();
        for infonce in [STANDARD, PRINTED] {
            let masked = scalar(&infonce.loss_masked(&z1, &z2, &queue, &mask).unwrap());
            let without = scalar(&infonce.loss(&z1, &z2, Some(&shorter)).unwrap());
            prop_assert!((masked - without).abs() < 1e-12 * without.abs().max(1.0));
        }
    }
}

#[test]
fn same_sentence_is_no_negative() {
    let z = Tensor::eye(2, DType::F32, &Device::Cpu).unwrap();
    let mut queue = NegativeQueue::new(8, 2, &Device::Cpu).unwrap();
    assert!(queue.same_sentence(&[4, 5]).unwrap().is_none());
    queue.push(&z, &[4, 9]).unwrap();
    let mask = queue.same_sentence(&[4, 5]).unwrap().unwrap();
    assert_eq!(mask.to_vec2::<u8>().unwrap(), [[1, 0], [0, 0]]);
    let masked = STANDARD.loss_masked(&z, &z, queue.rows().unwrap(), &mask).unwrap();
    let plain = STANDARD.loss(&z, &z, queue.rows()).unwrap();
    assert!(scalar(&masked) < scalar(&plain));
}

#[test]
fn zero_rows_have_cosine_zero_and_no_gradient() {
    let z = Var::new(&[[0_f32, 0.0], [3.0, 4.0]], &Device::Cpu).unwrap();
    assert_eq!(normalize_rows(&z).unwrap().to_vec2::<f32>().unwrap(), [[0.0, 0.0], [0.6, 0.8]]);
    assert_eq!(cosine_matrix(&z, &z).unwrap().to_vec2::<f32>().unwrap(), [[0.0, 0.0], [0.0, 1.0]]);
    for infonce in [STANDARD, PRINTED] {
        let loss = infonce.loss(&z, &z, Some(&z)).unwrap();
        check_finite(&loss, "infonce").unwrap();
        let gradient = loss.backward().unwrap().get(&z).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(gradient[0], [0.0, 0.0]);
        assert!(gradient[1].iter().all(|g| g.is_finite()));
    }
}

#[test]
fn one_sentence_alone() {
    let z = normal(1, &[1, 4]);
    assert_eq!(scalar(&STANDARD.loss(&z, &z, None).unwrap()), 0.0);
    assert!(matches!(PRINTED.loss(&z, &z, None), Err(Error::NoNegatives)));
    let all_masked = Tensor::ones((1, 1), DType::U8, &Device::Cpu).unwrap();
    assert!(matches!(PRINTED.loss_masked(&z, &z, &z, &all_masked), Err(Error::NoNegatives)));
    check_finite(&PRINTED.loss(&z, &z, Some(&z)).unwrap(), "infonce").unwrap();
}

#[test]
fn a_tiny_temperature_stays_finite() {
    let (z1, z2) = (normal(1, &[6, 4]), normal(2, &[6, 4]));
    let (z1, z2) = (z1.to_dtype(DType::F32).unwrap(), z2.to_dtype(DType::F32).unwrap());
    let loss = InfoNce { temperature: 1e-4, form: InfoNceForm::Standard }.loss(&z1, &z2, None).unwrap();
    assert!(check_finite(&loss, "infonce").unwrap() > 0.0);
}

#[test]
fn wrong_arguments_are_named() {
    let (z, other) = (normal(1, &[3, 4]), normal(2, &[3, 5]));
    let message = STANDARD.loss(&z, &other, None).unwrap_err().to_string();
    assert_eq!(message, "z2: expected shape [3, 4], found [3, 5]");
    let message = STANDARD.loss(&z, &z, Some(&other)).unwrap_err().to_string();
    assert_eq!(message, "queue: expected shape [3, 4], found [3, 5]");
    let infonce = InfoNce { temperature: 0.0, form: InfoNceForm::Standard };
    assert!(matches!(infonce.loss(&z, &z, None), Err(Error::Temperature(_))));
    let single = z.to_dtype(DType::F32).unwrap();
    for infonce in [STANDARD, PRINTED] {
        let message = infonce.loss(&z, &single, None).unwrap_err().to_string();
        assert_eq!(message, "z2: expected F64 like the other tensor, found F32; convert one of them");
        let message = infonce.loss(&z, &z, Some(&single)).unwrap_err().to_string();
        assert_eq!(message, "queue: expected F64 like the other tensor, found F32; convert one of them");
    }
    assert!(matches!(cosine_matrix(&z, &single), Err(Error::MixedTypes { name: "b", .. })));
    let integers = Tensor::ones((2, 2), DType::U32, &Device::Cpu).unwrap();
    assert!(matches!(STANDARD.loss(&integers, &integers, None), Err(Error::DType { name: "z1", .. })));
}

#[test]
fn nan_is_an_error_that_names_the_objective() {
    let z = Var::new(&[[f32::NAN, 1.0], [3.0, 4.0]], &Device::Cpu).unwrap();
    let loss = STANDARD.loss(&z, &z, None).unwrap();
    let message = check_finite(&loss, "infonce").unwrap_err().to_string();
    assert!(message.starts_with("objective infonce is NaN"), "{message}");
}

#[test]
fn forms_are_written_in_kebab_case() {
    let written = serde_json::to_string(&[InfoNceForm::Standard, InfoNceForm::AsPrinted]).unwrap();
    assert_eq!(written, r#"["standard","as-printed"]"#);
}

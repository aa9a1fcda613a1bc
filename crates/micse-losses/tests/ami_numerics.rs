//! Mutual information where it is undefined or infinite on paper: finite values and gradients in f32.

mod common;

use candle_core::{Device, Tensor, Var};
use common::{attention, values};
use micse_losses::{Error, MiForm, check_finite, mutual_information};
use proptest::prelude::*;

const FORMS: [MiForm; 2] = [MiForm::Eq4, MiForm::Algorithm1];

/// `rho`, the mutual information, and the gradients with respect to both views, of one row.
fn one_row(x: &[f32], y: &[f32], count: u32, form: MiForm) -> (f32, f32, Vec<f32>, Vec<f32>) {
    let variable = |values: &[f32]| {
        Var::from_tensor(&Tensor::new(values, &Device::Cpu).unwrap().unsqueeze(0).unwrap()).unwrap()
    };
    let (x, y) = (variable(x), variable(y));
    let rows = mutual_information(&x, &y, &[count], form).unwrap();
    let gradients = rows.mi.sum_all().unwrap().backward().unwrap();
    let gradient = |v: &Var| gradients.get(v).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let first = |t: &Tensor| t.to_vec1::<f32>().unwrap()[0];
    (first(&rows.rho), first(&rows.mi), gradient(&x), gradient(&y))
}

#[test]
fn agrees_with_numbers_computed_elsewhere() {
    // x = torch.tensor([.5, .2, .1, .2], dtype=torch.float64).log()
    // y = torch.tensor([.3, .4, .1, .2], dtype=torch.float64).log()
    // x, y = x - x.mean(), y - y.mean()
    // rho = (x * y).sum() / (x.norm() * y.norm())
    // print(rho, -0.5 * (1 - rho ** 2).log())
    let (rho, mi, ..) = one_row(&[0.5, 0.2, 0.1, 0.2], &[0.3, 0.4, 0.1, 0.2], 4, MiForm::Eq4);
    assert!((rho - 0.696_545_2).abs() < 1e-6, "{rho}");
    assert!((mi - 0.331_964_35).abs() < 1e-6, "{mi}");
}

#[test]
fn equal_views_are_clamped_without_gradient() {
    let x = [0.5_f32, 0.2, 0.1, 0.2];
    for (form, expected) in [(MiForm::Eq4, -0.5 * 1e-6_f32.ln()), (MiForm::Algorithm1, -0.5e-6)] {
        let (rho, mi, dx, dy) = one_row(&x, &x, 4, form);
        assert!((rho - 1.0).abs() < 1e-6 && (mi - expected).abs() < 1e-5 * expected.abs(), "{rho} {mi}");
        assert!(dx.iter().chain(&dy).all(|&g| g == 0.0));
    }
}

#[test]
fn constant_rows_have_no_information_and_no_gradient() {
    let (constant, other) = ([0.1_f32; 5], [0.5_f32, 0.2, 0.1, 0.2, 0.7]);
    for form in FORMS {
        for (x, y) in [(constant, other), (other, constant), (constant, constant)] {
            let (rho, mi, dx, dy) = one_row(&x, &y, 5, form);
            assert_eq!((rho, mi), (0.0, 0.0));
            assert!(dx.iter().chain(&dy).all(|&g| g == 0.0));
        }
        for count in [0, 1] {
            let (rho, mi, dx, dy) = one_row(&other, &other, count, form);
            assert_eq!((rho, mi), (0.0, 0.0));
            assert!(dx.iter().chain(&dy).all(|&g| g == 0.0));
        }
    }
}

#[test]
fn dropped_and_underflowed_values_are_floored_without_gradient() {
    let x = [0.5_f32, 0.0, -1.0, 1e-40, 0.1, f32::MIN_POSITIVE];
    let y = [0.5_f32, 0.2, 0.1, 0.3, 0.0, 0.4];
    for form in FORMS {
        let (rho, mi, dx, dy) = one_row(&x, &y, 6, form);
        assert!(rho.is_finite() && mi.is_finite());
        assert!(dx.iter().chain(&dy).all(|g| g.is_finite()), "{dx:?} {dy:?}");
        assert!(dx[1..4].iter().all(|&g| g == 0.0) && dy[4] == 0.0);
        assert!(dx[0] != 0.0 && dx[5] != 0.0 && dy[5] != 0.0);
        let floored = [x[0], f32::MIN_POSITIVE, f32::MIN_POSITIVE, f32::MIN_POSITIVE, x[4], x[5]];
        assert_eq!(one_row(&floored, &y, 6, form).1, mi);
    }
}

#[test]
fn nan_comes_through_and_is_named() {
    for (x, y) in [([f32::NAN, 0.1, 0.2], [0.1_f32, 0.3, 0.2]), ([0.1, f32::INFINITY, 0.2], [0.1, 0.3, 0.2])]
    {
        let x = Tensor::new(&[x], &Device::Cpu).unwrap();
        let y = Tensor::new(&[y], &Device::Cpu).unwrap();
        let mi = mutual_information(&x, &y, &[3], MiForm::Eq4).unwrap().mi;
        let message = check_finite(&mi, "ami").unwrap_err().to_string();
        assert!(message.starts_with("objective ami is NaN"), "{message}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    let (x, y) = (attention(1, &[2, 3]), attention(2, &[2, 4]));
    assert!(matches!(mutual_information(&x, &y, &[3, 3], MiForm::Eq4), Err(Error::Shape { .. })));
    assert!(matches!(mutual_information(&x, &x, &[3], MiForm::Eq4), Err(Error::Sampling(_))));
    assert!(matches!(mutual_information(&x, &x, &[3, 4], MiForm::Eq4), Err(Error::Sampling(_))));
}

proptest! {
    #[test]
    fn rho_is_a_correlation(seed: u64, samples in 2_usize..40, factor in 0.01_f64..100.0) {
        let (x, y) = (attention(seed, &[3, samples]), attention(seed ^ 1, &[3, samples]));
        let counts = [samples as u32; 3];
        let rows = mutual_information(&x, &y, &counts, MiForm::Eq4).unwrap();
        let swapped = mutual_information(&y, &x, &counts, MiForm::Eq4).unwrap();
        let scaled = mutual_information(&(x.as_tensor() * factor).unwrap(), &y, &counts, MiForm::Eq4).unwrap();
        prop_assert!(values(&rows.rho).iter().all(|rho| rho.abs() <= 1.0 + 1e-12));
        prop_assert!(values(&rows.mi).iter().all(|mi| (0.0..=6.91).contains(mi)));
        prop_assert_eq!(values(&rows.rho), values(&swapped.rho));
        for (a, b) in values(&rows.rho).iter().zip(values(&scaled.rho)) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_not_valid_does_not_matter(seed: u64, count in 2_u32..6) {
        let (x, y) = (attention(seed, &[1, 6]), attention(seed ^ 1, &[1, 6]));
        let narrow = |w: &Var| w.narrow(1, 0, count as usize).unwrap();
        let masked = mutual_information(&x, &y, &[count], MiForm::Eq4).unwrap();
        let short = mutual_information(&narrow(&x), &narrow(&y), &[count], MiForm::Eq4).unwrap();
        prop_assert!((values(&masked.rho)[0] - values(&short.rho)[0]).abs() < 1e-12);
    }
}

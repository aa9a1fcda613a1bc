//! Compares correlations with reference values, and checks their mathematical properties.

use std::path::Path;

use micse_eval::{pearson, spearman};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Case {
    x: Vec<f64>,
    y: Vec<f64>,
    spearman: f64,
    pearson: f64,
}

#[test]
fn reference_cases_with_many_ties() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden/stats/correlation.json");
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(cases.len(), 20);
    for (i, case) in cases.iter().enumerate() {
        let found = [spearman(&case.x, &case.y), pearson(&case.x, &case.y)];
        for (found, expected) in found.iter().zip([case.spearman, case.pearson]) {
            assert!((found - expected).abs() < 1e-12, "case {i}: {found} instead of {expected}");
        }
    }
}

#[test]
fn what_is_not_defined_is_nan() {
    // In floating point, the mean of 0.1, 0.1, 0.1 is not 0.1.
    for correlation in [pearson, spearman] {
        assert!(correlation(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]).is_nan());
        assert!(correlation(&[1.0, 2.0, 3.0], &[0.1, 0.1, 0.1]).is_nan());
        assert!(correlation(&[1.0], &[1.0]).is_nan());
        assert!(correlation(&[], &[]).is_nan());
        assert!(correlation(&[1.0, f64::NAN, 2.0], &[1.0, 2.0, 3.0]).is_nan());
    }
}

proptest! {
    #[test]
    fn bounded_symmetric_and_blind_to_monotone_maps(pairs in prop::collection::vec((-9_i32..9, -9_i32..9), 2..40)) {
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
        let rho = spearman(&x, &y);
        prop_assume!(!rho.is_nan());
        prop_assert!(rho.abs() <= 1.0 + 1e-12);
        prop_assert_eq!(rho, spearman(&y, &x));
        let cubes: Vec<f64> = x.iter().map(|x| x.powi(3)).collect();
        prop_assert_eq!(rho, spearman(&cubes, &y));
        let lines: Vec<f64> = x.iter().map(|x| 7.0 - 3.0 * x).collect();
        prop_assert!((pearson(&x, &y) + pearson(&lines, &y)).abs() < 1e-12);
    }
}

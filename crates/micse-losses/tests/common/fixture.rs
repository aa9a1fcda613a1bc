//! Reads `fixtures/*.json` and compares results with the stored values.

use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use serde::de::DeserializeOwned;

/// A matrix as written by the scripts.
pub(crate) type Rows = Vec<Vec<f64>>;

/// The cases of `fixtures/NAME.json`.
pub(crate) fn cases<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A variable with these rows.
pub(crate) fn variable(rows: &Rows, dtype: DType) -> Var {
    let rows = Tensor::new(rows.clone(), &Device::Cpu).unwrap();
    Var::from_tensor(&rows.to_dtype(dtype).unwrap()).unwrap()
}

/// Fails unless the largest difference, over the largest expected entry, is at most `tolerance`.
pub(crate) fn compare(what: &str, found: &Tensor, expected: &[Vec<f64>], tolerance: f64) {
    let (found, expected) = (super::common::values(found), expected.concat());
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
    let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    // `max` would drop a NaN.
    let error = apart.fold(0.0, |m: f64, x| if x.is_nan() { x } else { m.max(x) }) / largest;
    println!("{what}: {error:.1e}");
    assert!(error <= tolerance, "{what}: {error:e} above {tolerance:e}");
}

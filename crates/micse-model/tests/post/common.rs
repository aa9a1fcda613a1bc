//! Helpers for the integration tests: random rows, fixtures, comparisons.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use micse_model::post::flow::GlowShape;
use micse_random::Stream;
use serde_json::Value;

/// `n` rows of standard normal numbers.
pub(crate) fn normal_rows(seed: u64, n: usize, dimension: usize) -> Vec<Vec<f32>> {
    let mut draws = Stream::new(seed).draws();
    (0..n).map(|_| (0..dimension).map(|_| draws.normal() as f32).collect()).collect()
}

/// `n` rows of correlated normal numbers: each row is `e M + 2` for one random matrix M.
pub(crate) fn correlated_rows(seed: u64, n: usize, dimension: usize) -> Vec<Vec<f32>> {
    let mixing = normal_rows(seed.wrapping_add(1), dimension, dimension);
    let mix = |row: Vec<f32>| -> Vec<f32> {
        (0..dimension).map(|d| 2.0 + row.iter().zip(&mixing).map(|(e, m)| e * m[d]).sum::<f32>()).collect()
    };
    normal_rows(seed, n, dimension).into_iter().map(mix).collect()
}

/// A JSON fixture.
pub(crate) fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/post/fixtures").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture")).expect("its values")
}

/// The largest difference, relative to the largest entry of `expected`.
pub(crate) fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0_f64, |m, v| m.max(v.abs()));
    let worst = found.iter().zip(expected).fold(0_f64, |m, (a, b)| m.max((a - b).abs()));
    worst / largest
}

/// The covariance of rows, computed with plain loops: `[d][e]`.
pub(crate) fn covariance(rows: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let (n, dimension) = (rows.len() as f64, rows[0].len());
    let column = |d: usize| rows.iter().map(move |row| f64::from(row[d]));
    let means: Vec<f64> = (0..dimension).map(|d| column(d).sum::<f64>() / n).collect();
    let entry = |d: usize, e: usize| {
        column(d).zip(column(e)).map(|(a, b)| (a - means[d]) * (b - means[e])).sum::<f64>() / n
    };
    (0..dimension).map(|d| (0..dimension).map(|e| entry(d, e)).collect()).collect()
}

/// `fixtures/flow.json`: a flow and its fit, computed by PyTorch in float64.
#[derive(serde::Deserialize)]
pub(crate) struct FlowReference {
    dimension: usize,
    levels: usize,
    depth: usize,
    width: usize,
    pub(crate) seed: u64,
    pub(crate) batches: Vec<Vec<Vec<f32>>>,
    pub(crate) initial: BTreeMap<String, Value>,
    pub(crate) moved: BTreeMap<String, Value>,
    pub(crate) z: Value,
    pub(crate) jacobian_log_dets: Vec<f64>,
    pub(crate) bits: Value,
    pub(crate) gradients: BTreeMap<String, Value>,
    pub(crate) fit: Fit,
}

/// The steps of [`FlowReference`].
#[derive(serde::Deserialize)]
pub(crate) struct Fit {
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    pub(crate) clip: f64,
    pub(crate) losses: Vec<f64>,
    pub(crate) after: BTreeMap<String, Value>,
}

impl FlowReference {
    pub(crate) fn shape(&self) -> GlowShape {
        let Self { dimension, levels, depth, width, .. } = *self;
        GlowShape { dimension, levels, depth, width }
    }
}

/// All entries of nested lists, in order.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().expect("a number")],
    }
}

/// All entries, as f64.
pub(crate) fn entries(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Rows as a tensor of this type.
pub(crate) fn tensor(rows: &[Vec<f32>], dtype: DType) -> Tensor {
    let shape = (rows.len(), rows[0].len());
    Tensor::from_vec(rows.concat(), shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

//! Pearson's and Spearman's correlation.

use statrs::statistics::{Data, OrderStatistics, RankTieBreaker};

/// Pearson's correlation of `x` and `y`, between -1 and 1 up to rounding.
///
/// NaN if it is undefined: fewer than 2 values, all values of `x` or `y` equal, or a NaN among them.
///
/// # Panics
/// If `x` and `y` differ in length.
pub fn pearson(x: &[f64], y: &[f64]) -> f64 {
    assert_eq!(x.len(), y.len(), "x and y must have the same length");
    // Compares the values directly: subtracting a rounded mean from a constant does not give exactly 0.
    let constant = |values: &[f64]| values.iter().all(|&value| value == values[0]);
    if x.len() < 2 || constant(x) || constant(y) {
        return f64::NAN;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        let (a, b) = (a - mean_x, b - mean_y);
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    xy / (xx.sqrt() * yy.sqrt())
}

/// Spearman's correlation: Pearson's correlation of the ranks, with the mean rank for equal values.
///
/// NaN in the same cases as [`pearson`].
///
/// ```
/// use micse_eval::spearman;
/// assert!((spearman(&[0.1, 0.2, 0.9], &[1.0, 4.0, 5.0]) - 1.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// If `x` and `y` differ in length.
pub fn spearman(x: &[f64], y: &[f64]) -> f64 {
    if x.iter().chain(y).any(|value| value.is_nan()) {
        return f64::NAN;
    }
    pearson(&ranks(x), &ranks(y))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    Data::new(values.to_vec()).ranks(RankTieBreaker::Average)
}

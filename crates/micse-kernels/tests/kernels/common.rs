//! Test inputs and finite differences.

use micse_kernels::bf16::{Lhs, round};
use micse_random::Stream;

/// `count` normal numbers.
pub(crate) fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut draws = Stream::new(seed).draws();
    (0..count).map(|_| draws.normal() as f32).collect()
}

/// Checks that rows were rounded to bfloat16 as they were computed.
pub(crate) fn check_rounded(rounded: &Lhs, values: &[f32], width: usize) {
    let rounded = rounded.view();
    assert_eq!((rounded.rows(), rounded.columns()), (values.len() / width, width));
    for (i, &value) in values.iter().enumerate() {
        assert_eq!(rounded.at(i / width, i % width), round(value), "value {i}: {value}");
    }
}

/// `sum x y` in f64.
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f64 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// Compares a gradient with central differences of `f` at `x`, in every entry: within `tolerance` of the largest.
pub(crate) fn check_gradient(
    name: &str,
    x: &[f32],
    gradient: &[f32],
    tolerance: f64,
    f: &mut dyn FnMut(&[f32]) -> f64,
) {
    assert_eq!(x.len(), gradient.len());
    let step = 2e-3_f32;
    let largest = gradient.iter().fold(1e-3_f32, |m, g| m.max(g.abs()));
    for i in 0..x.len() {
        let mut moved = x.to_vec();
        moved[i] = x[i] + step;
        let up = f(&moved);
        let high = moved[i];
        moved[i] = x[i] - step;
        let down = f(&moved);
        let slope = (up - down) / f64::from(high - moved[i]);
        let error = (slope - f64::from(gradient[i])).abs() / f64::from(largest);
        assert!(error < tolerance, "{name}[{i}]: {} against {slope} ({error:e})", gradient[i]);
    }
}

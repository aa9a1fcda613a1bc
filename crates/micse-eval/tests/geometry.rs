//! Compares alignment and uniformity with plain loops in f64.

use micse_eval::{alignment, uniformity};
use micse_random::Stream;

fn unit_rows(count: usize, dimension: usize) -> Vec<Vec<f32>> {
    let mut draws = Stream::new(48).draws();
    let mut row = || {
        let row: Vec<f64> = (0..dimension).map(|_| draws.normal()).collect();
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter().map(|v| (v / norm) as f32).collect()
    };
    (0..count).map(|_| row()).collect()
}

fn squared_distance(u: &[f32], v: &[f32]) -> f64 {
    u.iter().zip(v).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}

#[test]
fn uniformity_agrees_with_a_plain_loop() {
    // 150 rows are three blocks, the last one incomplete; 37 entries leave a remainder of 5.
    for (count, dimension) in [(2, 3), (64, 16), (65, 37), (150, 37)] {
        let rows = unit_rows(count, dimension);
        let (mut sum, mut pairs) = (0.0, 0.0);
        for i in 0..count {
            for j in 0..i {
                sum += (-2.0 * squared_distance(&rows[i], &rows[j])).exp();
                pairs += 1.0;
            }
        }
        let found = uniformity(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let expected = f64::ln(sum / pairs);
        assert!((found - expected).abs() < 1e-6, "{count} rows: {found} instead of {expected}");
    }
}

#[test]
fn a_single_point_has_alignment_and_uniformity_zero() {
    let row = unit_rows(1, 20).remove(0);
    assert!(uniformity(&[&row[..]; 70]).unwrap().abs() < 1e-6);
    assert_eq!(alignment([(&row[..], &row[..])].into_iter()), Some(0.0));
    assert_eq!(uniformity(&[&row[..]]), None);
    assert_eq!(alignment(std::iter::empty::<(&[f32], &[f32])>()), None);
}

#[test]
fn alignment_is_a_mean_of_squared_distances() {
    let rows = unit_rows(4, 20);
    let found = alignment(rows.chunks(2).map(|pair| (&pair[0][..], &pair[1][..]))).unwrap();
    let expected = f64::midpoint(squared_distance(&rows[0], &rows[1]), squared_distance(&rows[2], &rows[3]));
    assert!((found - expected).abs() < 1e-12);
}

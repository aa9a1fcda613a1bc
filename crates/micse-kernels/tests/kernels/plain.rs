//! Products, sums and AdamW against plain loops in f64.

use crate::common::normal;
use micse_kernels::adam::{AdamRule, adam, average, square_norm};
use micse_kernels::panels::{self, Panels};
use micse_kernels::rows::{add, fill_rows, gather_rows, scatter_add_rows};
use micse_kernels::sums::add_column_sums;
use micse_kernels::{View, Write, product};

#[test]
fn products_of_any_size_and_strides() {
    for (m, k, n) in [(1, 1, 1), (3, 7, 5), (33, 17, 65), (130, 300, 96), (4, 0, 3)] {
        let (a, b) = (normal(1, m * (k + 2)), normal(2, n * (k + 1)));
        let lhs = View::new(&a, m, k, k + 2);
        let rhs = View::new(&b, n, k, k + 1).transposed();
        let start = normal(3, m * n);
        for write in [Write::Replace, Write::Add] {
            let mut out = start.clone();
            product(&mut out, lhs, rhs, write);
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let before = if write == Write::Add { f64::from(start[i * n + j]) } else { 0.0 };
                let sum: f64 = (0..k).map(|l| f64::from(lhs.at(i, l)) * f64::from(rhs.at(l, j))).sum();
                let got = f64::from(out[i * n + j]);
                assert!((got - sum - before).abs() < 1e-4, "{m}x{k}x{n} ({i}, {j}): {got} {}", sum + before);
            }
        }
    }
}

#[test]
fn packed_weights_multiply_like_plain_loops() {
    // Whole and partial tiles, panels and tasks; a buffer that was larger before.
    let mut panels = Panels::default();
    panels.pack(&normal(9, 100 * 70), 70);
    for (m, k, n) in [(1, 1, 1), (2, 3, 16), (7, 5, 17), (12, 64, 96), (11, 9, 130), (101, 33, 65)] {
        let (x, weight, bias) = (normal(1, m * k), normal(2, n * k), normal(3, n));
        panels.pack(&weight, k);
        assert_eq!((panels.inputs(), panels.outputs()), (k, n));
        for bias in [None, Some(&bias[..])] {
            let mut out = vec![f32::NAN; m * n];
            panels::product(&mut out, &x, &panels, bias);
            for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                let start = bias.map_or(0.0, |bias| f64::from(bias[j]));
                let sum: f64 = (0..k).map(|l| f64::from(x[i * k + l]) * f64::from(weight[j * k + l])).sum();
                let got = f64::from(out[i * n + j]);
                assert!((got - sum - start).abs() < 1e-4, "{m}x{k}x{n} ({i}, {j}): {got} {}", sum + start);
            }
            // A row alone has the same bits.
            let mut row = vec![0.0; n];
            panels::product(&mut row, &x[(m - 1) * k..], &panels, bias);
            assert_eq!(row, out[(m - 1) * n..]);
        }
    }
    panels::product(&mut [], &[], &panels, None);
}

#[test]
fn column_sums_add_up() {
    for (rows, width) in [(1, 1), (3, 5), (200, 17)] {
        let matrix = normal(1, rows * width);
        let mut total = vec![1.0; width];
        // A buffer with stale content.
        add_column_sums(&mut total, &matrix, &mut vec![9.0; 100]);
        for (c, &got) in total.iter().enumerate() {
            let want: f64 = 1.0 + (0..rows).map(|r| f64::from(matrix[r * width + c])).sum::<f64>();
            assert!((f64::from(got) - want).abs() < 1e-4);
        }
    }
}

#[test]
fn rows_move() {
    let matrix = normal(1, 5 * 3);
    let mut out = [0.0; 9];
    gather_rows(&mut out, &matrix, &[4, 0, 4], 3);
    assert_eq!(out[..3], matrix[12..]);
    assert_eq!(out[3..6], matrix[..3]);
    let mut sums = vec![0.0; 15];
    scatter_add_rows(&mut sums, &out, &[1, 2, 1], 3);
    let mut twice = out[..3].to_vec();
    add(&mut twice, &out[6..]);
    assert_eq!(sums[3..6], twice);
    assert_eq!(sums[..3], [0.0; 3]);
    let mut filled = [0.0; 4];
    fill_rows(&mut filled, &[1.0, 2.0]);
    assert_eq!(filled, [1.0, 2.0, 1.0, 2.0]);
}

#[test]
fn adam_follows_its_formula() {
    let n = 40_000;
    let (start, g) = (normal(1, n), normal(2, n));
    let (mut p, mut m, mut v) = (start.clone(), normal(3, n), normal(4, n));
    for v in &mut v {
        *v = v.abs();
    }
    let (m0, v0) = (m.clone(), v.clone());
    let rule = AdamRule {
        betas: (0.9, 0.99),
        rests: (0.1, 0.01),
        rate: 0.02,
        root: 1.5,
        epsilon: 1e-8,
        lost: 0.001,
        scale: 0.5,
    };
    adam(&mut p, &g, &mut m, &mut v, &rule);
    for i in (0..n).step_by(97) {
        let g = f64::from(g[i]) * 0.5;
        let m1 = 0.9 * f64::from(m0[i]) + 0.1 * g;
        let v1 = 0.99 * f64::from(v0[i]) + 0.01 * g * g;
        let p0 = f64::from(start[i]);
        let want = p0 - (0.001 * p0 + 0.02 * m1 / (v1.sqrt() * 1.5 + 1e-8));
        assert!((f64::from(p[i]) - want).abs() < 1e-6 * want.abs().max(1.0), "{} {want}", p[i]);
    }
    let want: f64 = g.iter().map(|g| f64::from(*g).powi(2)).sum();
    assert!((square_norm(&g) - want).abs() < 1e-9 * want);
}

#[test]
fn an_average_of_equal_values_is_that_value() {
    let fast = normal(1, 1000);
    let mut slow = fast.clone();
    average(&mut slow, &fast, 0.995);
    assert_eq!(slow, fast);
    let mut zero = vec![0.0; 1000];
    average(&mut zero, &fast, 0.75);
    assert!(zero.iter().zip(&fast).all(|(z, f)| *z == 0.25 * f));
}

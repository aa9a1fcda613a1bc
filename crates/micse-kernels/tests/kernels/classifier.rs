//! The classifier's kernels against formulas in f64.

use micse_kernels::classifier::{L2Adam, PANEL, Rows, adam, gradient, logits, softmax_deltas};
use micse_random::Stream;
use proptest::prelude::*;

fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut draws = Stream::new(seed).draws();
    (0..count).map(|_| draws.normal() as f32).collect()
}

fn close(found: f32, expected: f64) -> bool {
    (f64::from(found) - expected).abs() < 2e-5 * expected.abs().max(1.0)
}

/// Where a column's weight of feature `k` is stored.
fn place(column: usize, k: usize, width: usize) -> usize {
    (column / PANEL * width + k) * PANEL + column % PANEL
}

proptest! {
    #[test]
    fn products_agree_with_f64(seed: u64, steps in 1_usize..5, panels in 1_usize..4, count in 0_usize..21) {
        let (width, columns) = (8 * steps, PANEL * panels);
        let data = normal(seed, 30 * width);
        let chosen: Vec<u32> = Stream::new(seed).draws().distinct(30, count);
        let rows = Rows::new(&data, width, &chosen);
        let x = |row: usize, k: usize| f64::from(data[chosen[row] as usize * width + k]);
        let weights = normal(seed ^ 1, width * columns);
        let mut out = vec![f32::NAN; count * columns];
        logits(&mut out, rows, &weights, columns);
        for row in 0..count {
            for column in 0..columns {
                let terms = (0..width).map(|k| x(row, k) * f64::from(weights[place(column, k, width)]));
                prop_assert!(close(out[row * columns + column], terms.sum()));
            }
        }
        let deltas = normal(seed ^ 2, count * columns);
        let mut found = vec![f32::NAN; width * columns];
        gradient(&mut found, rows, &deltas, columns);
        for column in 0..columns {
            for k in 0..width {
                let terms = (0..count).map(|row| x(row, k) * f64::from(deltas[row * columns + column]));
                prop_assert!(close(found[place(column, k, width)], terms.sum()));
            }
        }
    }

    #[test]
    fn deltas_agree_with_f64(seed: u64, classes in 2_usize..7, classifiers in 1_usize..5, rows in 1_usize..9) {
        let columns = (classes * classifiers).next_multiple_of(PANEL);
        let values: Vec<f32> = normal(seed, rows * columns).iter().map(|value| 3.0 * value).collect();
        let mut draws = Stream::new(seed).draws();
        let labels: Vec<u8> = (0..rows).map(|_| draws.below(classes as u64) as u8).collect();
        let mut found = values.clone();
        softmax_deltas(&mut found, &labels, columns, classifiers, classes);
        for (row, &label) in labels.iter().enumerate() {
            for column in 0..columns {
                let found = found[row * columns + column];
                let Some(classifier) = (column < classes * classifiers).then_some(column / classes) else {
                    prop_assert_eq!(found, 0.0);
                    continue;
                };
                let exp = |class: usize| f64::from(values[row * columns + classifier * classes + class]).exp();
                let class = column % classes;
                let share = exp(class) / (0..classes).map(exp).sum::<f64>();
                let hit = f64::from(u8::from(class == usize::from(label)));
                prop_assert!(close(found, (share - hit) / rows as f64));
            }
        }
    }
}

#[test]
fn every_column_has_its_own_penalty() {
    let (width, columns) = (8, 2 * PANEL);
    let count = width * columns;
    let (start, g) = (normal(1, count), normal(2, count));
    let l2: Vec<f32> = (0..columns).map(|column| 0.1 * column as f32).collect();
    let rule = L2Adam {
        betas: (0.9, 0.999),
        rests: (0.1, 0.001),
        rate: (1e-3 / 0.1_f64) as f32,
        root: (1.0 / 0.001_f64.sqrt()) as f32,
        epsilon: 1e-8,
    };
    let (mut p, mut m, mut v) = (start.clone(), vec![0.0; count], vec![0.0; count]);
    adam(&mut p, &g, &mut m, &mut v, &l2, &rule);
    for (column, &penalty) in l2.iter().enumerate() {
        for k in 0..width {
            let place = place(column, k, width);
            let total = f64::from(g[place]) + f64::from(penalty) * f64::from(start[place]);
            assert!(close(m[place], 0.1 * total) && close(v[place], 0.001 * total * total));
            // The first step of Adam has the size of the learning rate.
            let step = f64::from(p[place]) - f64::from(start[place]);
            assert!((step + 1e-3 * total.signum()).abs() < 1e-6, "{step} for {total}");
        }
    }
}

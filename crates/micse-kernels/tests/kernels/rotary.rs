//! Rotary positions against their formula in f64, and the backward pass against finite differences.

use crate::common::{check_gradient, dot, normal};
use micse_kernels::rotary::{Rotation, rotate, rotate_backward};

#[test]
fn values_and_gradients() {
    for (heads, size, theta) in [(1, 2, 10_000.0), (3, 8, 160_000.0), (2, 20, 10_000.0)] {
        let (hidden, positions) = (heads * size, [0_u32, 1, 2, 7, 2, 39]);
        let rotation = Rotation::new(theta, 1.5, size, 40);
        let x = normal(1, positions.len() * 3 * hidden);
        let mut y = x.clone();
        rotate(&mut y, hidden, &positions, &rotation);
        for (i, &got) in y.iter().enumerate() {
            let (row, column) = (i / (3 * hidden), i % (3 * hidden));
            let want = if column >= 2 * hidden {
                f64::from(x[i])
            } else {
                let within = column % size;
                let angle = f64::from(positions[row])
                    * theta.powf(-2.0 * (within % (size / 2)) as f64 / size as f64)
                    / 1.5;
                let other =
                    if within < size / 2 { -f64::from(x[i + size / 2]) } else { f64::from(x[i - size / 2]) };
                f64::from(x[i]) * angle.cos() + other * angle.sin()
            };
            // An angle of 39 is rounded to 2e-6.
            assert!((f64::from(got) - want).abs() < 1e-5, "[{i}]: {got}, not {want}");
        }
        let dy = normal(2, x.len());
        let mut dx = dy.clone();
        rotate_backward(&mut dx, hidden, &positions, &rotation);
        check_gradient("dx", &x, &dx, 1e-3, &mut |x| {
            let mut y = x.to_vec();
            rotate(&mut y, hidden, &positions, &rotation);
            dot(&y, &dy)
        });
    }
}

/// The product of a turned query and a turned key depends on the distance between them alone.
#[test]
fn products_depend_on_the_distance() {
    let (size, rotation) = (16, Rotation::new(10_000.0, 1.0, 16, 200));
    let row = normal(3, 3 * size);
    let product = |query: u32, key: u32| {
        let mut rows = [row.clone(), row.clone()].concat();
        rotate(&mut rows, size, &[query, key], &rotation);
        dot(&rows[..size], &rows[4 * size..5 * size])
    };
    assert!((product(3, 10) - product(150, 157)).abs() < 1e-4);
    assert!((product(3, 10) - product(10, 3)).abs() > 1e-2);
}

//! The gated non-linearity against its formula, and gradients against finite differences.

use crate::common::{check_gradient, dot, normal};
use micse_kernels::activation::{Activation, activate};
use micse_kernels::dropout::RowDropout;
use micse_kernels::gated::{gate, gate_backward};
use micse_random::{Lane, Stream, dropout_threshold};

const RATE: f64 = 0.3;

fn lanes(rows: usize) -> Vec<Lane> {
    (0..rows as u64).map(|row| Stream::new(5).with(row).lane()).collect()
}

fn dropout(lanes: &[Lane]) -> RowDropout<'_> {
    RowDropout { lanes, threshold: dropout_threshold(RATE), scale: (1.0 / (1.0 - RATE)) as f32 }
}

#[test]
fn values_and_gradients() {
    for (rows, width) in [(1, 1), (3, 7), (70, 5)] {
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu] {
            for drops in [false, true] {
                let lanes = lanes(rows);
                let mask = drops.then(|| dropout(&lanes));
                let (x, dy) = (normal(1, rows * 2 * width), normal(3, rows * width));
                let forward = |x: &[f32]| {
                    let mut y = vec![f32::NAN; rows * width];
                    gate(activation, &mut y, x, width, mask);
                    y
                };
                let y = forward(&x);
                for (i, y) in y.iter().enumerate() {
                    let (row, column) = (i / width, i % width);
                    let mut u = [x[row * 2 * width + column]];
                    // Its values have their own test.
                    activate(activation, &mut u, &[0.0]);
                    let kept = mask.is_none_or(|d| d.lanes[row].draw(column as u32) >= d.threshold);
                    let factor = if !drops {
                        1.0
                    } else if kept {
                        1.0 / (1.0 - RATE)
                    } else {
                        0.0
                    };
                    let want = f64::from(u[0]) * f64::from(x[row * 2 * width + width + column]) * factor;
                    assert!((f64::from(*y) - want).abs() < 1e-6 * want.abs().max(1.0), "{y} {want}");
                }
                let (mut again, mut dx) = (dy.clone(), vec![f32::NAN; x.len()]);
                gate_backward(activation, &mut again, &mut dx, &x, width, mask);
                assert_eq!(y, again);
                if activation != Activation::Relu {
                    check_gradient("dx", &x, &dx, 3e-3, &mut |x| dot(&forward(x), &dy));
                }
            }
        }
    }
}

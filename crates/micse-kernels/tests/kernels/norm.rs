//! LayerNorm with residual and dropout against its formula, and gradients against finite differences.

use crate::common::{check_gradient, check_rounded, dot, normal};
use micse_kernels::bf16::Lhs;
use micse_kernels::dropout::RowDropout;
use micse_kernels::norm::{Keep, Kept, Norm, add_norm, add_norm_backward, norm_drop, norm_drop_backward};
use micse_random::{Lane, Stream, dropout_threshold};

const EPSILON: f32 = 1e-5;

fn lanes(rows: usize) -> Vec<Lane> {
    (0..rows as u64).map(|row| Stream::new(5).with(row).lane()).collect()
}

struct Case {
    width: usize,
    x: Vec<f32>,
    bias: Vec<f32>,
    residual: Vec<f32>,
    gain: Vec<f32>,
    offset: Vec<f32>,
    dy: Vec<f32>,
    lanes: Option<Vec<Lane>>,
}

impl Case {
    fn new(rows: usize, width: usize, drops: bool) -> Self {
        let n = rows * width;
        Self {
            width,
            x: normal(1, n),
            bias: normal(2, width),
            residual: normal(3, n),
            gain: normal(4, width),
            offset: normal(5, width),
            dy: normal(6, n),
            lanes: drops.then(|| lanes(rows)),
        }
    }

    fn dropout(&self) -> Option<RowDropout<'_>> {
        let rate = 0.3;
        self.lanes.as_ref().map(|lanes| RowDropout {
            lanes,
            threshold: dropout_threshold(rate),
            scale: (1.0 / (1.0 - rate)) as f32,
        })
    }

    fn factor(&self, i: usize) -> f64 {
        let Some(d) = self.dropout() else { return 1.0 };
        let kept = d.lanes[i / self.width].draw((i % self.width) as u32) >= d.threshold;
        if kept { f64::from(d.scale) } else { 0.0 }
    }

    fn norm(&self) -> Norm<'_> {
        Norm { gain: &self.gain, offset: &self.offset, epsilon: EPSILON }
    }

    /// LayerNorm of every row, in f64.
    fn formula(&self, h: &[f64]) -> Vec<f64> {
        let mut y = Vec::new();
        for row in h.chunks(self.width) {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let variance = row.iter().map(|h| (h - mean).powi(2)).sum::<f64>() / row.len() as f64;
            let inverse = 1.0 / (variance + f64::from(EPSILON)).sqrt();
            y.extend(
                row.iter()
                    .enumerate()
                    .map(|(c, h)| (h - mean) * inverse * f64::from(self.gain[c]) + f64::from(self.offset[c])),
            );
        }
        y
    }
}

fn close(got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*got) - want).abs() < 1e-5 * want.abs().max(1.0), "[{i}]: {got}, not {want}");
    }
}

#[test]
fn residual_dropout_and_norm() {
    for (rows, width) in [(1, 3), (5, 16), (37, 21), (2, 100)] {
        for drops in [false, true] {
            let case = Case::new(rows, width, drops);
            let n = rows * width;
            let h: Vec<f64> = (0..n)
                .map(|i| {
                    f64::from(case.residual[i])
                        + (f64::from(case.x[i]) + f64::from(case.bias[i % width])) * case.factor(i)
                })
                .collect();
            let (mut y, mut plain) = (vec![0.0; n], vec![0.0; n]);
            let (mut normed, mut inverse) = (vec![0.0; n], vec![0.0; rows]);
            let keep = Keep { normed: &mut normed, inverse: &mut inverse };
            let (x, bias, residual) = (&case.x, &case.bias, &case.residual);
            add_norm(&mut y, None, Some(keep), x, bias, residual, case.norm(), case.dropout());
            let mut rounded = Lhs::new();
            let into = Some(rounded.room(rows, width));
            add_norm(&mut plain, into, None, x, bias, residual, case.norm(), case.dropout());
            check_rounded(&rounded, &plain, width);
            assert_eq!(y, plain);
            close(&y, &case.formula(&h));
        }
    }
}

#[test]
fn gradients_of_residual_dropout_and_norm() {
    for (rows, width, drops) in [(1, 3, false), (5, 19, true), (18, 16, true)] {
        let case = Case::new(rows, width, drops);
        let n = rows * width;
        let forward = |x: &[f32], bias: &[f32], residual: &[f32], norm: Norm<'_>| {
            let mut y = vec![0.0; n];
            add_norm(&mut y, None, None, x, bias, residual, norm, case.dropout());
            dot(&y, &case.dy)
        };
        let (mut y, mut normed, mut inverse) = (vec![0.0; n], vec![0.0; n], vec![0.0; rows]);
        let keep = Keep { normed: &mut normed, inverse: &mut inverse };
        let Case { x, bias, residual, gain, offset, .. } = &case;
        add_norm(&mut y, None, Some(keep), x, bias, residual, case.norm(), case.dropout());
        let (mut dh, mut dx, mut sums) = (case.dy.clone(), vec![0.0; n], vec![0.0; 3 * width]);
        let kept = Kept { normed: &normed, inverse: &inverse };
        let mut rounded = Lhs::new();
        let (into, parts) = (Some(rounded.room(rows, width)), &mut Vec::new());
        add_norm_backward(&mut dh, &mut dx, into, &mut sums, kept, gain, case.dropout(), parts);
        check_rounded(&rounded, &dx, width);
        check_gradient("dresidual", residual, &dh, 1e-2, &mut |r| forward(x, bias, r, case.norm()));
        check_gradient("dx", x, &dx, 1e-2, &mut |x| forward(x, bias, residual, case.norm()));
        check_gradient("dgain", gain, &sums[..width], 3e-3, &mut |gain| {
            forward(x, bias, residual, Norm { gain, ..case.norm() })
        });
        check_gradient("doffset", offset, &sums[width..2 * width], 3e-3, &mut |offset| {
            forward(x, bias, residual, Norm { offset, ..case.norm() })
        });
        check_gradient("dbias", bias, &sums[2 * width..], 1e-2, &mut |b| {
            forward(x, b, residual, case.norm())
        });
    }
}

#[test]
fn norm_then_dropout() {
    for (rows, width, drops) in [(1, 3, false), (5, 19, true), (18, 16, true)] {
        let case = Case::new(rows, width, drops);
        let n = rows * width;
        let forward = |x: &[f32]| {
            let mut y = x.to_vec();
            norm_drop(&mut y, None, case.norm(), case.dropout());
            y
        };
        let wide: Vec<f64> = case.x.iter().map(|x| f64::from(*x)).collect();
        let want: Vec<f64> =
            case.formula(&wide).into_iter().enumerate().map(|(i, y)| y * case.factor(i)).collect();
        close(&forward(&case.x), &want);

        let (mut y, mut normed, mut inverse) = (case.x.clone(), vec![0.0; n], vec![0.0; rows]);
        let keep = Keep { normed: &mut normed, inverse: &mut inverse };
        norm_drop(&mut y, Some(keep), case.norm(), case.dropout());
        let (mut dx, mut sums) = (case.dy.clone(), vec![0.0; 2 * width]);
        let kept = Kept { normed: &normed, inverse: &inverse };
        norm_drop_backward(&mut dx, &mut sums, kept, &case.gain, case.dropout(), &mut Vec::new());
        check_gradient("dx", &case.x, &dx, 1e-2, &mut |x| dot(&forward(x), &case.dy));
        check_gradient("doffset", &case.offset, &sums[width..], 3e-3, &mut |offset| {
            let mut y = case.x.clone();
            norm_drop(&mut y, None, Norm { offset, ..case.norm() }, case.dropout());
            dot(&y, &case.dy)
        });
    }
}

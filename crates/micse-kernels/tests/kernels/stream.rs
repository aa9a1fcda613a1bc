//! The residual stream against LayerNorm's own kernels, and gradients against finite differences.

use crate::common::{check_gradient, check_rounded, dot, normal};
use micse_kernels::bf16::Lhs;
use micse_kernels::dropout::RowDropout;
use micse_kernels::norm::{Keep, Kept, Norm, norm_drop};
use micse_kernels::stream::{stream_norm, stream_norm_backward};
use micse_random::{Lane, Stream, dropout_threshold};

const RATE: f64 = 0.3;

#[test]
fn values_and_gradients() {
    for (rows, width, drops) in [(1, 3, false), (3, 7, true), (40, 18, true), (5, 16, false)] {
        let n = rows * width;
        let lanes: Vec<Lane> = (0..rows as u64).map(|row| Stream::new(5).with(row).lane()).collect();
        let scale = (1.0 / (1.0 - RATE)) as f32;
        let dropout =
            drops.then_some(RowDropout { lanes: &lanes, threshold: dropout_threshold(RATE), scale });
        let (gain, offset) = (normal(4, width), normal(5, width));
        let (x, before) = (normal(1, n), normal(3, n));
        let (dy, dh) = (normal(6, n), normal(7, n));
        let forward = |x: &[f32], before: &[f32], gain: &[f32], offset: &[f32]| {
            let (mut stream, mut y) = (before.to_vec(), vec![f32::NAN; n]);
            let norm = Norm { gain, offset, epsilon: 1e-5 };
            stream_norm(&mut stream, &mut y, None, None, x, norm, dropout);
            (stream, y)
        };
        let (stream, y) = forward(&x, &before, &gain, &offset);
        for i in 0..n {
            let kept = lanes[i / width].draw((i % width) as u32) >= dropout_threshold(RATE);
            let factor = if !drops {
                1.0
            } else if kept {
                scale
            } else {
                0.0
            };
            assert!((stream[i] - (before[i] + factor * x[i])).abs() < 1e-6);
        }
        let mut want = stream.clone();
        norm_drop(&mut want, None, Norm { gain: &gain, offset: &offset, epsilon: 1e-5 }, None);
        assert_eq!(y, want);

        let (mut normed, mut inverse) = (vec![f32::NAN; n], vec![f32::NAN; rows]);
        let (mut again, mut kept) = (before.clone(), vec![f32::NAN; n]);
        let keep = Keep { normed: &mut normed, inverse: &mut inverse };
        let norm = Norm { gain: &gain, offset: &offset, epsilon: 1e-5 };
        let mut rounded = Lhs::new();
        let into = Some(rounded.room(rows, width));
        stream_norm(&mut again, &mut kept, into, Some(keep), &x, norm, dropout);
        check_rounded(&rounded, &y, width);
        assert_eq!((&again, &kept), (&stream, &y));

        let (mut dstream, mut dx, mut sums) = (dh.clone(), dy.clone(), vec![0.0; 2 * width]);
        let kept = Kept { normed: &normed, inverse: &inverse };
        let (into, parts) = (Some(rounded.room(rows, width)), &mut Vec::new());
        stream_norm_backward(&mut dstream, &mut dx, into, &mut sums, kept, &gain, dropout, parts);
        check_rounded(&rounded, &dx, width);
        let loss = |x: &[f32], before: &[f32], gain: &[f32], offset: &[f32]| {
            let (stream, y) = forward(x, before, gain, offset);
            dot(&stream, &dh) + dot(&y, &dy)
        };
        check_gradient("dx", &x, &dx, 5e-3, &mut |x| loss(x, &before, &gain, &offset));
        check_gradient("dh", &before, &dstream, 5e-3, &mut |h| loss(&x, h, &gain, &offset));
        check_gradient("dgain", &gain, &sums[..width], 5e-3, &mut |gain| loss(&x, &before, gain, &offset));
        check_gradient("doffset", &offset, &sums[width..], 5e-3, &mut |o| loss(&x, &before, &gain, o));
    }
}

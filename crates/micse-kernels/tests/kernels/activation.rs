//! Non-linearities against f64 values, and their gradients against finite differences.

use crate::common::{check_gradient, dot, normal};
use micse_kernels::activation::{Activation, activate, activate_keeping, activation_backward};

/// ```text
/// x = numpy.array([-6., -3., -1., -0.1, 0., 0.1, 1., 3., 6.]); Phi = scipy.special.ndtr(x)
/// print(x * Phi)
/// print(x / 2 * (1 + numpy.tanh(numpy.sqrt(2 / numpy.pi) * (x + 0.044715 * x ** 3))))
/// print(x * scipy.special.expit(x))
/// ```
#[test]
fn values() {
    let x = [-6.0_f32, -3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 6.0];
    let gelu = [
        -5.919_525_8e-9,
        -4.049_694e-3,
        -0.158_655_25,
        -0.046_017_22,
        0.0,
        0.053_982_78,
        0.841_344_75,
        2.995_950_3,
        5.999_999_994,
    ];
    let tanh = [
        -8.439_649e-11,
        -3.637_392_1e-3,
        -0.158_808_01,
        -0.046_017_249,
        0.0,
        0.053_982_751,
        0.841_191_991,
        2.996_362_608,
        6.0,
    ];
    let silu = [
        -0.014_835_74,
        -0.142_277_62,
        -0.268_941_42,
        -0.047_502_08,
        0.0,
        0.052_497_92,
        0.731_058_58,
        2.857_722_38,
        5.985_164_26,
    ];
    for (activation, want) in
        [(Activation::Gelu, gelu), (Activation::GeluTanh, tanh), (Activation::Silu, silu)]
    {
        let mut y = x;
        activate(activation, &mut y, &[0.0; 9]);
        for (i, want) in want.into_iter().enumerate() {
            let error = (f64::from(y[i]) - want).abs();
            assert!(error <= 3e-7 * want.abs() + 2e-7, "{activation:?}({}) = {}, not {want}", x[i], y[i]);
        }
    }
    let mut y = x;
    activate(Activation::Relu, &mut y, &[0.5; 9]);
    assert_eq!(y, [0.0, 0.0, 0.0, 0.4, 0.5, 0.6, 1.5, 3.5, 6.5]);
}

#[test]
fn far_out_it_is_zero_or_the_identity_and_never_nan() {
    for activation in [Activation::Gelu, Activation::GeluTanh] {
        let mut y = [-1e30_f32, -50.0, -14.0, 14.0, 50.0, 1e10];
        activate(activation, &mut y, &[0.0; 6]);
        assert!(y[..3].iter().all(|y| y.abs() < 1e-6), "{activation:?}: {y:?}");
        assert_eq!(y[3..], [14.0, 50.0, 1e10]);
    }
    let mut y = [-1e30_f32, -50.0, 50.0, 1e10];
    activate(Activation::Silu, &mut y, &[0.0; 4]);
    assert!(y[..2].iter().all(|y| y.abs() < 1e-7), "{y:?}");
    assert_eq!(y[2..], [50.0, 1e10]);
}

#[test]
fn gradients() {
    for (rows, width) in [(1, 1), (3, 7), (70, 5)] {
        for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
            let (x, bias, dy) = (normal(1, rows * width), normal(2, width), normal(3, rows * width));
            let forward = |x: &[f32], bias: &[f32]| {
                let mut y = x.to_vec();
                activate(activation, &mut y, bias);
                dot(&y, &dy)
            };
            let (mut y, mut kept) = (vec![0.0; x.len()], x.clone());
            activate_keeping(activation, &mut y, &mut kept, &bias);
            let (mut again, mut dx, mut dbias) = (vec![0.0; x.len()], dy.clone(), vec![0.0; width]);
            activation_backward(activation, &mut again, &mut dx, &kept, &mut dbias, &mut Vec::new());
            assert_eq!(y, again);
            check_gradient("dx", &x, &dx, 3e-3, &mut |x| forward(x, &bias));
            check_gradient("dbias", &bias, &dbias, 3e-3, &mut |bias| forward(&x, bias));
        }
    }
}

#[test]
fn nan_is_not_hidden() {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu] {
        let mut y = [f32::NAN, 1.0];
        activate(activation, &mut y, &[0.0; 2]);
        assert!(y[0].is_nan() && y[1].is_finite(), "{activation:?}: {y:?}");
    }
}

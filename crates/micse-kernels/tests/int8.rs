//! Products in 8 bits against plain integer sums.

use micse_kernels::activation::{self, Activation};
use micse_kernels::int8::{LARGEST, Rows, Weights, activate, product, product_activated, round_row};
use micse_random::{Draws, Stream};

const ACTIVATIONS: [Activation; 4] =
    [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu];

/// The lowest value of a row, its step, the rounded values, and what was cut off.
struct Rounded {
    lowest: f32,
    step: f32,
    values: Vec<u8>,
    cuts: Vec<(usize, f32)>,
}

fn rounded(x: &[f32]) -> Rounded {
    // The sum of squares, in the order of 16 lanes.
    let mut lanes = [0.0_f32; 16];
    for (i, x) in x.iter().enumerate() {
        lanes[i % 16] += x * x;
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    let bound = 6.0 * (lanes[0] / x.len() as f32).sqrt();
    let lowest = x.iter().copied().fold(f32::INFINITY, f32::min).max(-bound);
    let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max).min(bound);
    let step = highest / 255.0 - lowest / 255.0;
    if step < f32::MIN_POSITIVE {
        return Rounded { lowest, step: 0.0, values: vec![0; x.len()], cuts: Vec::new() };
    }
    let (inverse, zero) = (1.0 / step, lowest / step);
    let values = x.iter().map(|x| (x * inverse - zero).round_ties_even().clamp(0.0, 255.0) as u8).collect();
    let top = lowest + 255.0 * step;
    let (low, high) = (x.iter().any(|&x| x < lowest), x.iter().any(|&x| x > highest));
    let cuts = x.iter().enumerate().filter_map(|(k, &x)| match x {
        x if high && x > top => Some((k, x - top)),
        x if low && x < lowest => Some((k, x - lowest)),
        _ => None,
    });
    Rounded { lowest, step, values, cuts: cuts.collect() }
}

struct Case {
    x: Vec<f32>,
    weights: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Case {
    fn new(draws: &mut Draws, (rows, inputs, outputs): (usize, usize, usize)) -> Self {
        let mut normal = |count: usize| -> Vec<f32> { (0..count).map(|_| draws.normal() as f32).collect() };
        Self {
            x: normal(rows * inputs),
            weights: normal(outputs * inputs).iter().map(|w| (60.0 * w) as i8).collect(),
            scales: normal(outputs).iter().map(|s| s.abs() * 0.01).collect(),
            bias: normal(outputs),
            inputs,
        }
    }

    /// By the formula in the module's documentation, in its order.
    fn expected(&self) -> Vec<f32> {
        let mut out = Vec::new();
        for x in self.x.chunks_exact(self.inputs) {
            let Rounded { lowest, step, values: p, cuts } = rounded(x);
            for ((q, &scale), bias) in
                self.weights.chunks_exact(self.inputs).zip(&self.scales).zip(&self.bias)
            {
                let sum: i32 = p.iter().zip(q).map(|(&p, &q)| i32::from(p) * i32::from(q)).sum();
                let total: i32 = q.iter().map(|&q| i32::from(q)).sum();
                let mut y = step * scale * sum as f32 + lowest * (scale * total as f32) + bias;
                for &(k, value) in &cuts {
                    y += value * (scale * f32::from(q[k]));
                }
                out.push(y);
            }
        }
        out
    }

    fn weights(&self) -> Weights {
        Weights::new(&self.weights, self.inputs, &self.scales)
    }

    fn product(&self, weights: &Weights) -> Vec<f32> {
        let mut rows = Rows::default();
        rows.round(&self.x, self.inputs, None);
        let mut out = vec![f32::NAN; rows.rows() * weights.outputs()];
        product(&mut out, &rows, weights, Some(&self.bias));
        out
    }

    fn check(&self, what: &str) {
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let expected = bits(&self.expected());
        let weights = self.weights();
        let channels: Vec<i8> = (0..weights.outputs()).flat_map(|output| weights.channel(output)).collect();
        assert!(channels == self.weights && weights.scales() == self.scales, "{what}");
        assert_eq!(bits(&self.product(&weights)), expected, "{what}");
        assert_eq!(bits(&self.product(&weights.portable())), expected, "{what}, portable");
    }
}

#[test]
fn every_size_up_to_70_and_larger_ones() {
    let mut draws = Stream::new(8).draws();
    for inputs in 1..=70 {
        for outputs in 1..=70 {
            let rows = 1 + (7 * inputs + outputs) % 13;
            Case::new(&mut draws, (rows, inputs, outputs)).check(&format!("{rows} x {inputs} x {outputs}"));
        }
    }
    for size in [(70, 70, 70), (101, 384, 33), (49, 1537, 17), (1, 3072, 769), (333, 5, 129)] {
        Case::new(&mut draws, size).check(&format!("{size:?}"));
    }
}

#[test]
fn non_linearities_are_exact_to_less_than_8_bits() {
    let x: Vec<f32> = (-200_000..=200_000)
        .map(|i| i as f32 * 1e-4)
        .chain([1e4, 9e6, 1e7, 1e30, f32::MAX].into_iter().flat_map(|x| [x, -x]))
        .collect();
    for activation in ACTIVATIONS {
        let (mut exact, mut near) = (x.clone(), x.clone());
        let bias = vec![0.25; x.len()];
        activation::activate(activation, &mut exact, &bias);
        activate(activation, &mut near, &bias);
        assert!(near.iter().all(|y| y.is_finite()), "{activation:?}");
        let error = exact.iter().zip(&near).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        match activation {
            Activation::Gelu | Activation::GeluTanh => {
                assert!(error > 1e-6 && error < 7e-5, "{activation:?}: {error}");
            }
            Activation::Relu | Activation::Silu => assert_eq!(exact, near),
        }
        let mut undefined = [f32::NAN];
        activate(activation, &mut undefined, &[0.0]);
        assert!(undefined[0].is_nan());
    }
}

#[test]
fn activated_products_are_products_then_activations() {
    let mut draws = Stream::new(12).draws();
    let mut y = Rows::default();
    // More and fewer rows than a task has, so that the buffers of earlier sizes are used again.
    // (40, 8, 1000) are few rows in three parts.
    let sizes = [(150, 70, 33), (1, 3, 1), (97, 5, 18), (20, 64, 600), (40, 8, 1000)];
    for ((rows, inputs, outputs), activation) in sizes.into_iter().zip(ACTIVATIONS.into_iter().cycle()) {
        let mut case = Case::new(&mut draws, (rows, inputs, outputs));
        case.x[0] = 90.0;
        if rows > 100 {
            case.x[inputs * 99] = f32::NAN;
        }
        let factors: Vec<f32> = (0..outputs).map(|_| 0.5 + draws.normal().abs() as f32).collect();
        let outer = Case::new(&mut draws, (1, outputs, 7)).weights();
        for (weights, outer) in
            [(case.weights(), outer.clone()), (case.weights().portable(), outer.portable())]
        {
            for factors in [None, Some(factors.as_slice())] {
                let mut x = Rows::default();
                x.round(&case.x, inputs, None);
                let mut inner = vec![f32::NAN; rows * outputs];
                product(&mut inner, &x, &weights, None);
                activate(activation, &mut inner, &case.bias);
                let mut separate = Rows::default();
                separate.round(&inner, outputs, factors);
                product_activated(activation, &mut y, factors, &x, &weights, &case.bias);
                // What a product reads of the rows.
                let read = |rows: &Rows| {
                    let mut out = vec![f32::NAN; rows.rows() * outer.outputs()];
                    product(&mut out, rows, &outer, None);
                    out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                };
                assert_eq!(read(&y), read(&separate), "{rows} x {inputs} x {outputs}");
            }
        }
    }
}

#[test]
fn large_activations_do_not_coarsen_the_others() {
    // One or two panels at a time, the last of them whole or not.
    for outputs in [21, 32, 53, 64] {
        let (rows, inputs) = (20, 3003);
        let mut case = Case::new(&mut Stream::new(11).draws(), (rows, inputs, outputs));
        for (row, x) in case.x.chunks_exact_mut(inputs).enumerate() {
            x[7 * row] = 80.0;
            // Also after the last whole vector.
            x[inputs - 1 - row] = -90.0;
        }
        assert!(case.x.chunks_exact(inputs).all(|x| rounded(x).cuts.len() == 2));
        case.check("large activations");
        let y = case.product(&case.weights());
        let mut squares = 0.0;
        for (x, y) in case.x.chunks_exact(inputs).zip(y.chunks_exact(outputs)) {
            for (n, &y) in y.iter().enumerate() {
                let w = |k: usize| f64::from(case.scales[n] * f32::from(case.weights[n * inputs + k]));
                let exact: f64 = x.iter().enumerate().map(|(k, &x)| f64::from(x) * w(k)).sum();
                let norm = (0..inputs).map(|k| w(k).powi(2)).sum::<f64>().sqrt();
                squares += ((f64::from(y - case.bias[n]) - exact) / norm).powi(2);
            }
        }
        // Steps of 27 / 255 have an error of 0.03; without the cut, it would be that of 170 / 255: 0.19.
        let error = (squares / (rows * outputs) as f64).sqrt();
        assert!(error < 0.04, "{error}");
    }
}

/// Cut off below, above or both, in blocks of 64 inputs and after them.
#[test]
fn cut_offs_of_each_side_and_place() {
    let mut draws = Stream::new(13).draws();
    for inputs in [45, 63, 64, 65, 128, 200] {
        for place in [0, 31, inputs - 1] {
            for values in [[90.0, 0.5], [-90.0, 0.5], [90.0, -90.0]] {
                let mut case = Case::new(&mut draws, (3, inputs, 21));
                for x in case.x.chunks_exact_mut(inputs) {
                    x[place] = values[0];
                    x[(place + 40) % inputs] = values[1];
                }
                let count = if values[1] == 0.5 { 1 } else { 2 };
                // In short rows, two large values raise the bound above themselves.
                let cuts = |x: &[f32]| rounded(x).cuts.len();
                assert!(
                    (inputs < 128 && count == 2) || case.x.chunks_exact(inputs).all(|x| cuts(x) == count)
                );
                case.check(&format!("{inputs} inputs, {values:?} at {place}"));
            }
        }
    }
}

#[test]
fn extreme_integers_do_not_overflow() {
    for (low, high) in [(0.0, 255.0), (-255.0, 0.0)] {
        let inputs = 1 << 16;
        let mut x = vec![high; inputs];
        x[0] = low;
        let case = Case {
            x,
            weights: [vec![LARGEST; inputs], vec![-LARGEST; inputs]].concat(),
            scales: vec![1.0, 1.0],
            bias: vec![0.0; 2],
            inputs,
        };
        case.check("extreme");
        assert!(case.product(&case.weights()).iter().all(|y| y.abs() < 2.2e9));
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let case = Case::new(&mut Stream::new(9).draws(), (131, 70, 45));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| case.product(&case.weights()))
    };
    assert!(run(1) == run(2) && run(1) == run(3));
}

#[test]
fn factors_multiply_the_inputs() {
    let case = Case::new(&mut Stream::new(10).draws(), (9, 37, 5));
    let factors: Vec<f32> = (0..37).map(|i| 0.5 + i as f32 / 10.0).collect();
    let product_of = |x: &[f32], factors| {
        let (mut rows, mut out) = (Rows::default(), vec![0.0; 45]);
        rows.round(x, 37, factors);
        product(&mut out, &rows, &case.weights(), None);
        out
    };
    let scaled: Vec<f32> = case.x.iter().zip(factors.iter().cycle()).map(|(x, f)| x * f).collect();
    assert_eq!(product_of(&case.x, Some(&factors)), product_of(&scaled, None));
}

#[test]
fn unusual_rows() {
    let weights = Weights::new(&[10, -20, 30, 40], 4, &[0.5]);
    let output = |x: [f32; 4]| {
        let (mut rows, mut out) = (Rows::default(), [0.0]);
        rows.round(&x, 4, None);
        product(&mut out, &rows, &weights, Some(&[1.0]));
        out[0]
    };
    assert_eq!(output([0.0; 4]), 1.0);
    // Constant: 3 * 0.5 * (10 - 20 + 30 + 40) + 1.
    assert_eq!(output([3.0; 4]), 91.0);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(output([1.0, bad, 2.0, 3.0]).is_nan());
    }
    assert!((output([1e30, 0.0, 0.0, 0.0]) - 5e30).abs() < 1e28);
    // 0.5 * (10 * x + 20 * x), whose range of 2 x is larger than f32.
    let x = f32::MAX / 1.5;
    assert!((output([x / 64.0, -x / 64.0, 0.0, 0.0]) / (15.0 * (x / 64.0)) - 1.0).abs() < 0.02);
    assert_eq!(output([1e-42, 2e-42, 3e-42, 0.0]), 1.0);
}

/// As above, in whole vectors and after them, and where a factor makes a value infinite or undefined.
#[test]
fn unusual_values_in_long_rows() {
    const INPUTS: usize = 40;
    let weights = Weights::new(&[1; INPUTS], INPUTS, &[1.0]);
    let output = |place: usize, value: f32, factor: Option<f32>| {
        let (mut x, mut factors) = ([0.5; INPUTS], [1.0; INPUTS]);
        x[place] = value;
        factors[place] = factor.unwrap_or(1.0);
        let (mut rows, mut out) = (Rows::default(), [0.0]);
        rows.round(&x, INPUTS, factor.map(|_| &factors[..]));
        product(&mut out, &rows, &weights, None);
        out[0]
    };
    for place in [0, 17, INPUTS - 1] {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(output(place, bad, None).is_nan() && output(place, bad, Some(2.0)).is_nan());
        }
        assert!(output(place, f32::INFINITY, Some(0.0)).is_nan());
        assert!(output(place, 1e30, Some(1e30)).is_nan());
        // Squares exceed f32, the values do not.
        for factor in [None, Some(2.0)] {
            let wanted = 1e30 * factor.unwrap_or(1.0);
            assert!((output(place, 1e30, factor) / wanted - 1.0).abs() < 0.01, "{place}");
        }
    }
}

#[test]
fn rounding_of_weights() {
    let mut out = [0; 4];
    assert_eq!(round_row(&mut out, &[1.27, -0.635, 0.004, 0.0]), 1.27 / 127.0);
    assert_eq!(out, [127, -64, 0, 0]);
    assert_eq!((round_row(&mut out, &[0.0; 4]), out), (0.0, [0; 4]));
}

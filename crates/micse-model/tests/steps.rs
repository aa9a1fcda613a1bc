//! Optimizer features: frozen parameters, and RMSprop as Adam without a first moment.

use candle_core::{Device, Tensor};
use micse_model::{
    AdamStep, Batch, BertConfig, Dropout, Encoder, Group, Mode, PackedEncoder, ParameterSet, Pass, Pooling,
    Precision, RandomWeights, Taps, TensorEncoder, Trainable,
};
use micse_random::Stream;

fn numbers(x: &Tensor) -> Vec<f32> {
    x.flatten_all().and_then(|x| x.to_vec1()).expect("numbers")
}

fn rule(step: usize) -> AdamStep {
    AdamStep {
        step,
        learning_rate: 0.01,
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.1,
        decay_all: false,
        gradient_scale: 1.0,
        bias_correction: true,
    }
}

#[test]
fn a_parameter_whose_gradient_was_dropped_stays_as_it_is() {
    let config = BertConfig::with_sizes(40, 2, 32, 4, 40);
    let weights = || RandomWeights { deviation: 0.2, stream: Stream::new(48) };
    let tensor = TensorEncoder::new(config.clone(), &mut weights(), &Device::Cpu).expect("an encoder");
    let packed = PackedEncoder::new(config, &mut weights(), Precision::F32).expect("an encoder");
    let both: [Box<dyn Encoder>; 2] = [Box::new(tensor), Box::new(packed)];
    for mut encoder in both {
        let before: Vec<Vec<f32>> = encoder.values().expect("values").iter().map(numbers).collect();
        let dropout = Dropout { hidden: 0.1, attention: 0.1, stream: Stream::new(3) };
        let taps = Taps { pooled: Some(Pooling::Mean), ..Taps::default() };
        let pass = Pass { mode: Mode::Training(dropout), gradients: true, taps };
        // The word table, and a weight of the first layer.
        let frozen = [0, 7];
        let mut norms = Vec::new();
        for step in 1..=2 {
            let batch = Batch::new(&[vec![2_u32, 8, 9, 3], vec![2, 3]]).expect("a batch");
            let leaves = encoder.forward(&batch, &pass).expect("leaves");
            let sum = leaves.pooled.expect("rows").sqr().and_then(|s| s.sum_all()).expect("a sum");
            encoder.collect_gradients(&sum.backward().expect("gradients")).expect("gradients");
            norms.push(encoder.gradient_square_norm().expect("a norm"));
            for parameter in frozen {
                encoder.drop_gradient(parameter).expect("a parameter");
            }
            norms.push(encoder.gradient_square_norm().expect("a norm"));
            encoder.step(&rule(step)).expect("a step");
        }
        assert!(norms[1] < norms[0] && norms[3] < norms[2], "{norms:?}");
        let after: Vec<Vec<f32>> = encoder.values().expect("values").iter().map(numbers).collect();
        for (parameter, info) in encoder.parameters().iter().enumerate() {
            let stays = frozen.contains(&parameter) || info.name.ends_with("key.bias");
            assert_eq!(before[parameter] == after[parameter], stays, "{}", info.name);
        }
        let error = encoder.drop_gradient(1000).expect_err("no such parameter").to_string();
        assert!(error.contains("1000"), "{error}");
    }
}

/// A word's moments decay in the steps in which it does not occur, also in those of a schedule's rate 0.
#[test]
fn both_engines_step_through_a_learning_rate_of_zero() {
    let config = BertConfig::with_sizes(40, 2, 32, 4, 40);
    let weights = || RandomWeights { deviation: 0.2, stream: Stream::new(48) };
    let tensor = TensorEncoder::new(config.clone(), &mut weights(), &Device::Cpu).expect("an encoder");
    let packed = PackedEncoder::new(config, &mut weights(), Precision::F32).expect("an encoder");
    let both: [Box<dyn Encoder>; 2] = [Box::new(tensor), Box::new(packed)];
    let words = both.map(|mut encoder| {
        let taps = Taps { pooled: Some(Pooling::Mean), ..Taps::default() };
        let pass = Pass { mode: Mode::Evaluation, gradients: true, taps };
        for (step, (word, learning_rate)) in
            [(8, 0.01), (9, 0.0), (9, 0.0), (9, 0.01)].into_iter().enumerate()
        {
            let batch = Batch::new(&[vec![2_u32, word, 3]]).expect("a batch");
            let leaves = encoder.forward(&batch, &pass).expect("leaves");
            let sum = leaves.pooled.expect("rows").sqr().and_then(|s| s.sum_all()).expect("a sum");
            encoder.collect_gradients(&sum.backward().expect("gradients")).expect("gradients");
            encoder.step(&AdamStep { learning_rate, ..rule(step + 1) }).expect("a step");
        }
        numbers(&encoder.values().expect("values")[0])
    });
    let furthest = words[0].iter().zip(&words[1]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(furthest < 1e-4, "the word tables differ by {furthest}");
}

/// v <- r v + (1 - r) g^2, p <- p - lr g / (sqrt(v) + eps), computed in f64 for comparison.
#[test]
fn rmsprop_is_adam_without_first_moment_and_bias_correction() {
    let start = [2.0_f32, -3.0, 0.5];
    let mut set = ParameterSet::new();
    let value = Tensor::new(&start, &Device::Cpu).expect("a tensor");
    let weight = set.add("w", Group::Weight, &value).expect("a parameter");
    let (mut p, mut v) = (start.map(f64::from), [0.0_f64; 3]);
    for step in 1..=4 {
        let slope = [0.3 * f64::from(step as u32), -0.7, 0.0];
        let factors = Tensor::new(&slope.map(|s| s as f32), &Device::Cpu).expect("a tensor");
        let loss = (&weight * factors).and_then(|l| l.sum_all()).expect("a loss");
        set.collect_gradients(&loss.backward().expect("gradients")).expect("gradients");
        let rule = AdamStep {
            betas: (0.0, 0.9),
            epsilon: 1e-7,
            weight_decay: 0.0,
            decay_all: false,
            bias_correction: false,
            ..rule(step)
        };
        set.step(&rule).expect("a step");
        for i in 0..3 {
            v[i] = 0.9 * v[i] + 0.1 * slope[i] * slope[i];
            p[i] -= 0.01 * slope[i] / (v[i].sqrt() + 1e-7);
        }
    }
    let got = numbers(&set.values().expect("values")[0]);
    for (got, want) in got.iter().zip(p) {
        assert!((f64::from(*got) - want).abs() < 1e-6, "got {got}, expected {want}");
    }
}

/// Decoupled decay multiplies by 1 - lr wd; Adam's first step then goes by lr against the sign of the gradient.
#[test]
fn decay_acts_on_weights_or_on_all_groups() {
    let (kept, decayed) = (2.0_f32 - 0.01, 2.0 * (1.0 - 0.01 * 0.5) - 0.01);
    for (decay_all, bias) in [(false, kept), (true, decayed)] {
        let mut set = ParameterSet::new();
        let value = Tensor::new(&[2.0_f32], &Device::Cpu).expect("a tensor");
        let parts = [Group::Weight, Group::Bias, Group::LayerNorm]
            .map(|group| set.add(format!("{group:?}"), group, &value).expect("a parameter"));
        let all = Tensor::cat(&parts, 0).and_then(|x| x.sum_all()).expect("a loss");
        set.collect_gradients(&all.backward().expect("gradients")).expect("gradients");
        let rule = AdamStep { weight_decay: 0.5, decay_all, learning_rate: 0.01, ..rule(1) };
        set.step(&rule).expect("a step");
        let found: Vec<f32> = set.values().expect("values").iter().map(|v| numbers(v)[0]).collect();
        let expected = [decayed, bias, bias];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{decay_all}: {found} instead of {expected}");
        }
    }
}

//! Steps, moments, gradients of several terms, bfloat16, threads.

use candle_core::{Device, Tensor};
use micse_model::{
    AdamStep, AttentionStage, AttentionValues, Batch, BertConfig, Encoder, Family, Mode, PackedEncoder,
    Padding, Pass, Pooling, Precision, RandomWeights, Taps, Trainable,
};
use micse_random::Stream;

use crate::common::*;

fn rule(step: usize, gradient_scale: f64, weight_decay: f64) -> AdamStep {
    AdamStep {
        step,
        learning_rate: 0.01,
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay,
        decay_all: false,
        gradient_scale,
        bias_correction: true,
    }
}

/// bfloat16 has 8 bits of mantissa: leaves and gradients agree to a few per cent, and in direction.
#[test]
fn bfloat16_is_close_to_f32() {
    let gated = rotary(Family::Gte, 1, (3, 96, 6, 200));
    let bert = config(3, 96, 6, 200);
    for config in [bert, modern(3, 96, 6, 200, 5), electra(3, 96, 6, 200), albert(4, 96, 6, 200), gated] {
        bfloat16_is_close_to_f32_with(&config);
    }
}

fn bfloat16_is_close_to_f32_with(config: &BertConfig) {
    let batch = batch(&[30, 1, 17, 9, 22], Padding::Drop);
    let at = positions(&batch, config, 200);
    let values = AttentionValues { stage: AttentionStage::BeforeDropout, at };
    for pooling in [Pooling::Cls, Pooling::Mean] {
        let taps = Taps { attention_values: Some(values.clone()), ..pooled(pooling) };
        let pass = Pass { mode: training(0.1), gradients: true, taps };
        let ran = [Precision::F32, Precision::Bf16]
            .map(|precision| run(&mut packed(config, precision), &batch, &pass));
        for ((name, want), (_, got)) in ran[0].leaves.iter().zip(&ran[1].leaves) {
            let worst = difference(got, want);
            assert!(worst > 0.0 && worst < 0.03, "{name}: {worst:e}");
        }
        for ((name, want), (_, got)) in ran[0].gradients.iter().zip(&ran[1].gradients) {
            let (Some(want), Some(got)) = (want, got) else { continue };
            let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
            let cosine = dot(want, got) / (dot(want, want) * dot(got, got)).sqrt();
            assert!(cosine > 0.995, "{name}: cosine {cosine}");
        }
    }
}

#[test]
fn steps_and_moving_averages() {
    for weight_decay in [0.0, 0.1] {
        steps_with(&config(2, 32, 4, 64), weight_decay);
    }
    steps_with(&modern(2, 32, 4, 64, 3), 0.1);
    steps_with(&electra(2, 32, 4, 64), 0.0);
}

fn steps_with(config: &BertConfig, weight_decay: f64) {
    let (tensor, packed) = both(config);
    let mut slow = [tensor.duplicate().expect("a copy"), packed.duplicate().expect("a copy")];
    let mut fast = [tensor, packed];
    let pass = Pass { mode: training(0.1), gradients: true, taps: pooled(Pooling::Cls) };
    for step in 1..=4 {
        // Different words in each step: rows of the word table that once had a gradient keep moving.
        let lengths = [step + 1, 2 * step];
        for (fast, slow) in fast.iter_mut().zip(&mut slow) {
            run(fast.as_mut(), &batch(&lengths, Padding::Drop), &pass);
            let extra = Tensor::full(0.25_f32, config.embedding_size, &Device::Cpu).expect("a tensor");
            let norm = fast.parameters().iter().position(|p| p.name == "embeddings.LayerNorm.weight");
            fast.add_gradient(norm.expect("a norm"), &extra).expect("a gradient");
            let norm = fast.gradient_square_norm().expect("a norm").sqrt();
            fast.step(&rule(step, 1.0 / norm, weight_decay)).expect("a step");
            slow.follow(fast.as_ref(), 0.9).expect("a step");
        }
    }
    for [want, got] in [&fast, &slow] {
        let names = want.parameters().into_iter().map(|p| p.name);
        let values = want.values().expect("values").into_iter().zip(got.values().expect("values"));
        for (name, (want, got)) in names.zip(values) {
            let (want, got) = (numbers(&want), numbers(&got));
            let worst = want.iter().zip(&got).fold(0.0_f32, |m, (x, y)| m.max((x - y).abs()));
            // Adam scales tiny gradients up with their rounding errors: at most a tenth of one step.
            assert!(worst < 1e-3, "{name}: {worst:e}");
        }
    }
}

#[test]
fn moments_put_back_go_on_with_the_same_bits() {
    for weight_decay in [0.0, 0.1] {
        let config = config(2, 32, 4, 64);
        let (_, mut encoder) = both(&config);
        let mut slow = encoder.duplicate().expect("a copy");
        let pass = Pass { mode: training(0.1), gradients: true, taps: pooled(Pooling::Cls) };
        let mut other: Option<[Box<dyn Encoder>; 2]> = None;
        for step in 1..=4 {
            let batch = batch(&[step + 2, 4], Padding::Drop);
            run(encoder.as_mut(), &batch, &pass);
            encoder.step(&rule(step, 1.0, weight_decay)).expect("a step");
            slow.follow(encoder.as_ref(), 0.9).expect("a step");
            if step == 2 {
                let mut copy = encoder.duplicate().expect("a copy");
                copy.set_moments(&encoder.moments().expect("moments")).expect("moments");
                other = Some([copy, slow.duplicate().expect("a copy")]);
            } else if let Some([copy, slow]) = &mut other {
                run(copy.as_mut(), &batch, &pass);
                copy.step(&rule(step, 1.0, weight_decay)).expect("a step");
                slow.follow(copy.as_ref(), 0.9).expect("a step");
            }
        }
        let other = other.expect("a copy");
        for (undisturbed, other) in [&encoder, &slow].into_iter().zip(&other) {
            let values = undisturbed.values().expect("values");
            for (a, b) in values.iter().zip(other.values().expect("values")) {
                assert_eq!(numbers(a), numbers(&b));
            }
        }
    }
}

/// A term on parameters may add its gradient before or after the backward pass.
#[test]
fn gradients_add_up_in_any_order() {
    let config = config(1, 16, 2, 20);
    let batch = batch(&[4, 6], Padding::Drop);
    let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
    let ran = [true, false].map(|before| {
        let (_, mut encoder) = both(&config);
        // Leave stale values in the buffers.
        run(encoder.as_mut(), &batch, &pass);
        encoder.clear_gradients();
        let extra = Tensor::full(0.5_f32, (16, 16), &Device::Cpu).expect("a tensor");
        let key = encoder.parameters().iter().position(|p| p.name.ends_with("key.weight")).expect("a key");
        if before {
            encoder.add_gradient(key, &extra).expect("a gradient");
        }
        run(encoder.as_mut(), &batch, &pass);
        if !before {
            encoder.add_gradient(key, &extra).expect("a gradient");
        }
        let gradients = encoder.gradients().expect("gradients");
        gradients.into_iter().map(|g| g.map(|g| numbers(&g)).unwrap_or_default()).collect::<Vec<_>>()
    });
    for (a, b) in ran[0].iter().zip(&ran[1]) {
        assert!(a.is_empty() == b.is_empty() && (a.is_empty() || difference(a, b) < 1e-6));
    }
}

#[test]
fn constant_embeddings_still_give_the_parameters_gradients() {
    let config = config(1, 16, 2, 20);
    let batch = batch(&[4, 6], Padding::Drop);
    let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
    let (tensor, packed) = both(&config);
    for mut encoder in [tensor, packed] {
        let embeddings = encoder.embed(&batch, &pass).expect("embeddings").detach();
        let leaves = encoder.encode(&embeddings, &batch, &pass).expect("leaves");
        let store = loss(&leaves).backward().expect("gradients");
        encoder.collect_gradients(&store).expect("gradients");
        let gradients = encoder.gradients().expect("gradients");
        assert!(gradients[0].is_none(), "the embeddings were constants");
        assert!(gradients[5].is_some(), "the first layer's queries were not");
    }
}

#[test]
fn weights_that_changed_before_the_backward_pass_are_refused() {
    let config = config(1, 16, 2, 20);
    let (_, mut encoder) = both(&config);
    let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
    let leaves = encoder.forward(&batch(&[4, 6], Padding::Drop), &pass).expect("leaves");
    let values = encoder.values().expect("values");
    encoder.set_values(&values).expect("values");
    let error = loss(&leaves).backward().expect_err("a refusal").to_string();
    assert!(error.contains("weights changed"), "{error}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let bert = config(2, 128, 4, 512);
    let mut mpnet = bert.clone();
    (mpnet.family, mpnet.type_vocab_size, mpnet.pad_token_id) = (Family::Mpnet, 0, 1);
    let gated = rotary(Family::NomicBert, 2, (2, 128, 4, 200));
    for config in [bert, mpnet, modern(2, 128, 4, 200, 6), albert(4, 128, 4, 200), gated] {
        for precision in [Precision::F32, Precision::Bf16] {
            same_bits_on_any_number_of_threads(&config, precision);
        }
    }
}

fn packed(config: &BertConfig, precision: Precision) -> PackedEncoder {
    let mut weights = RandomWeights { deviation: 0.05, stream: Stream::new(48) };
    PackedEncoder::new(config.clone(), &mut weights, precision).expect("an encoder")
}

fn same_bits_on_any_number_of_threads(config: &BertConfig, precision: Precision) {
    let batch = batch(&[30, 22, 7, 31, 12, 25, 9, 18, 33, 31, 30, 29], Padding::Drop);
    let at = positions(&batch, config, 500);
    let values = AttentionValues { stage: AttentionStage::BeforeDropout, at };
    let taps = Taps { attention_values: Some(values), ..pooled(Pooling::Mean) };
    let pass = Pass { mode: training(0.1), gradients: true, taps };
    let ran: Vec<Ran> = [1, 2, 3]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| run(&mut packed(config, precision), &batch, &pass))
        })
        .collect();
    for other in &ran[1..] {
        assert_eq!(ran[0].leaves, other.leaves);
        assert_eq!(ran[0].gradients, other.gradients);
    }
}

/// Buffers are used again, in bfloat16 some of them by several layers: what a pass leaves there must not reach the next.
#[test]
fn a_used_encoder_computes_what_a_new_one_does() {
    let sizes = (3, 96, 6, 300);
    let (depth, hidden, heads, inner) = sizes;
    let bert = config(depth, hidden, heads, inner);
    let shallow = config(1, hidden, heads, inner);
    for config in [bert, shallow, modern(3, 96, 6, 200, 5), rotary(Family::Gte, 1, (3, 96, 6, 200))] {
        let depth = config.num_hidden_layers;
        for precision in [Precision::F32, Precision::Bf16] {
            let large = batch(&[30, 1, 17, 9, 22, 31, 28], Padding::Drop);
            let small = batch(&[3, 12], Padding::Drop);
            let values = |batch: &Batch| AttentionValues {
                stage: AttentionStage::BeforeDropout,
                at: positions(batch, &config, 60),
            };
            let states = Taps { states: vec![0, depth / 2, depth], ..pooled(Pooling::Mean) };
            // The last layer computes no row here.
            let alone = Taps { attention_values: Some(values(&small)), ..Taps::default() };
            let passes = [
                (&large, training(0.1), true, states.clone()),
                (&large, Mode::Evaluation, false, pooled(Pooling::Mean)),
                (&small, training(0.1), true, states),
                (&small, training(0.1), true, alone),
                (&small, Mode::Evaluation, false, pooled(Pooling::Cls)),
                (&large, training(0.2), true, pooled(Pooling::Cls)),
            ];
            let mut used = packed(&config, precision);
            for (number, (batch, mode, gradients, taps)) in passes.into_iter().enumerate() {
                let pass = Pass { mode, gradients, taps };
                if !gradients {
                    let pooled = |encoder: &PackedEncoder| {
                        let rows =
                            encoder.forward(batch, &pass).expect("a pass").pooled.expect("pooled rows");
                        rows.to_vec2::<f32>().expect("rows")
                    };
                    assert_eq!(pooled(&used), pooled(&packed(&config, precision)), "pass {number}");
                    continue;
                }
                used.clear_gradients();
                let got = run(&mut used, batch, &pass);
                let want = run(&mut packed(&config, precision), batch, &pass);
                assert_eq!(got.leaves, want.leaves, "pass {number}");
                assert_eq!(got.gradients, want.gradients, "pass {number}");
            }
        }
    }
}

//! Compares the packed engine with the reference engine: same leaves and gradients, with dropout on.

use candle_core::{Device, Tensor, Var};
use micse_model::{
    Activation, AdamStep, AttentionPosition, AttentionStage, AttentionValues, Batch, BertConfig, Dropout,
    Encoder, Family, Leaves, LocalAttention, LocalLayers, Mode, PackedEncoder, Padding, Pass, Pooling,
    Precision, RandomWeights, Rotary, Taps, TensorEncoder,
};
use micse_random::Stream;

/// A configuration with odd sizes.
fn config(layers: usize, hidden: usize, heads: usize, inner: usize) -> BertConfig {
    let mut config = BertConfig::with_sizes(40, layers, hidden, heads, 40);
    config.intermediate_size = inner;
    config
}

/// An ELECTRA with embeddings of 6 columns.
fn electra(layers: usize, hidden: usize, heads: usize, inner: usize) -> BertConfig {
    BertConfig { family: Family::Electra, embedding_size: 6, ..config(layers, hidden, heads, inner) }
}

/// A `ModernBERT` whose local layers see `window` tokens to each side; the first and fourth layer see all.
fn modern(layers: usize, hidden: usize, heads: usize, inner: usize, window: usize) -> BertConfig {
    let local = LocalAttention { theta: 100.0, window, layers: LocalLayers::AllButEvery(3) };
    let rotary = Rotary { theta: 160_000.0, factor: 1.0, local: Some(local) };
    BertConfig {
        family: Family::ModernBert,
        type_vocab_size: 0,
        rotary: Some(rotary),
        max_position_embeddings: 100,
        ..config(layers, hidden, heads, inner)
    }
}

/// Both engines, with weights large enough for every path to matter.
fn both(config: &BertConfig) -> (Box<dyn Encoder>, Box<dyn Encoder>) {
    let weights = || RandomWeights { deviation: 0.2, stream: Stream::new(48) };
    let tensor = TensorEncoder::new(config.clone(), &mut weights(), &Device::Cpu).expect("an encoder");
    let packed = PackedEncoder::new(config.clone(), &mut weights(), Precision::F32).expect("an encoder");
    (Box::new(tensor), Box::new(packed))
}

fn batch(lengths: &[usize], padding: Padding) -> Batch {
    let mut draws = Stream::new(7).draws();
    let mut ids = |n: usize| (0..n).map(|_| draws.below(40) as u32).collect::<Vec<u32>>();
    let sentences: Vec<Vec<u32>> = lengths.iter().map(|&n| ids(n)).collect();
    Batch::padded(&sentences, 0, padding).expect("a batch")
}

fn training(rate: f64) -> Mode {
    Mode::Training(Dropout { hidden: rate, attention: rate, stream: Stream::new(3).with(1) })
}

fn positions(batch: &Batch, config: &BertConfig, count: usize) -> Vec<AttentionPosition> {
    let mut draws = Stream::new(9).draws();
    (0..count)
        .map(|_| {
            let sentence = draws.below(batch.sentences() as u64) as usize;
            AttentionPosition {
                sentence: sentence as u32,
                layer: draws.below(config.num_hidden_layers as u64) as u32,
                head: draws.below(config.num_attention_heads as u64) as u32,
                query: draws.below(batch.rows_of(sentence) as u64) as u32,
                key: draws.below(batch.keys_of(sentence) as u64) as u32,
            }
        })
        .collect()
}

/// All leaves as flat tensors with names.
fn flat(leaves: &Leaves) -> Vec<(String, Tensor)> {
    let mut all = Vec::new();
    let mut add = |name: String, t: &Tensor| all.push((name, t.flatten_all().expect("a tensor")));
    leaves.pooled.iter().for_each(|t| add("pooled".into(), t));
    leaves.attention_values.iter().for_each(|t| add("values".into(), t));
    leaves.attention_maps.iter().for_each(|t| add("maps".into(), t));
    leaves.tokens.iter().for_each(|t| add("tokens".into(), t));
    leaves.states.iter().enumerate().for_each(|(i, t)| add(format!("state {i}"), t));
    all
}

/// A loss that weights every entry of every leaf differently.
fn loss(leaves: &Leaves) -> Tensor {
    let mut draws = Stream::new(11).draws();
    let mut total = Tensor::new(0.0_f32, &Device::Cpu).expect("a tensor");
    for (_, leaf) in flat(leaves) {
        let weights: Vec<f32> = (0..leaf.elem_count()).map(|_| draws.normal() as f32).collect();
        let weights = Tensor::new(weights, &Device::Cpu).expect("a tensor");
        let term = (leaf.sqr().expect("squares") * &weights).and_then(|t| t.sum_all()).expect("a sum");
        let linear = (leaf * weights).and_then(|t| t.sum_all()).expect("a sum");
        total = (total + term).and_then(|t| t + linear).expect("a sum");
    }
    total
}

fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

/// The largest difference relative to the largest entry.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().all(|x| x.is_finite()));
    let largest = b.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let worst = a.iter().zip(b).fold(0.0_f32, |m, (x, y)| m.max((x - y).abs()));
    if worst == 0.0 { 0.0 } else { worst / largest }
}

struct Ran {
    leaves: Vec<(String, Vec<f32>)>,
    gradients: Vec<(String, Option<Vec<f32>>)>,
    embeddings: Vec<f32>,
}

fn run(encoder: &mut dyn Encoder, batch: &Batch, pass: &Pass) -> Ran {
    let embeddings = encoder.embed(batch, pass).expect("embeddings");
    // A shift of zero, whose gradient is the gradient of the embeddings.
    let shift = Var::from_tensor(&embeddings.zeros_like().expect("zeros")).expect("a variable");
    let embeddings = (embeddings + shift.as_tensor()).expect("embeddings");
    let leaves = encoder.encode(&embeddings, batch, pass).expect("leaves");
    let store = loss(&leaves).backward().expect("gradients");
    encoder.collect_gradients(&store).expect("gradients");
    let names = encoder.parameters().into_iter().map(|p| p.name);
    let gradients = names.zip(encoder.gradients().expect("gradients"));
    Ran {
        leaves: flat(&leaves).into_iter().map(|(n, t)| (n, numbers(&t))).collect(),
        gradients: gradients.map(|(n, g)| (n, g.map(|g| numbers(&g)))).collect(),
        embeddings: numbers(store.get(&shift).expect("the embeddings' gradient")),
    }
}

fn compare(config: &BertConfig, batch: &Batch, pass: &Pass) {
    let (mut tensor, mut packed) = both(config);
    let (want, got) = (run(tensor.as_mut(), batch, pass), run(packed.as_mut(), batch, pass));
    assert_eq!(want.leaves.len(), got.leaves.len());
    for ((name, want), (_, got)) in want.leaves.iter().zip(&got.leaves) {
        let worst = difference(got, want);
        assert!(worst < 5e-6, "{name}: {worst:e}");
    }
    let all = want.gradients.iter().filter_map(|(_, g)| g.as_ref()).flatten();
    let floor = 1e-3 * all.fold(0.0_f32, |m, x| m.max(x.abs()));
    for ((name, want), (_, got)) in want.gradients.iter().zip(&got.gradients) {
        // For a layer without requested leaves, one engine has no gradient and the other a zero gradient.
        let zeros = |n: usize| vec![0.0; n];
        let (want, got) = match (want, got) {
            (None, None) => continue,
            (Some(w), Some(g)) => (w.clone(), g.clone()),
            (None, Some(g)) => (zeros(g.len()), g.clone()),
            (Some(w), None) => (w.clone(), zeros(w.len())),
        };
        let scale = want.iter().fold(floor, |m, x| m.max(x.abs()));
        let worst = want.iter().zip(&got).fold(0.0_f32, |m, (x, y)| m.max((x - y).abs())) / scale;
        assert!(worst < 5e-5, "gradient of {name}: {worst:e}");
    }
    let worst = difference(&got.embeddings, &want.embeddings);
    assert!(worst < 5e-5, "gradient of the embeddings: {worst:e}");
    // Without gradients, the leaves are the same.
    let leaves = packed.forward(batch, &Pass { gradients: false, ..pass.clone() }).expect("leaves");
    for ((name, kept), (_, t)) in got.leaves.iter().zip(flat(&leaves)) {
        assert_eq!(kept, &numbers(&t), "{name} without gradients");
    }
}

fn pooled(pooling: Pooling) -> Taps {
    Taps { pooled: Some(pooling), ..Taps::default() }
}

#[test]
fn every_pooling_and_odd_sizes() {
    let shapes = [(1, 4, 1, 8), (2, 24, 3, 40), (3, 32, 2, 96), (2, 20, 5, 7), (4, 64, 4, 256)];
    for (i, (layers, hidden, heads, inner)) in shapes.into_iter().enumerate() {
        let config = config(layers, hidden, heads, inner);
        let batch = batch([&[5, 1, 17, 9][..], &[1], &[33, 2]][i % 3], Padding::Drop);
        for pooling in Pooling::ALL {
            for mode in [Mode::Evaluation, training(0.3)] {
                compare(&config, &batch, &Pass { mode, gradients: true, taps: pooled(pooling) });
            }
        }
    }
}

#[test]
fn attention_values_before_and_after_dropout() {
    let config = config(3, 24, 4, 48);
    let batch = batch(&[6, 3, 18], Padding::Drop);
    for stage in [AttentionStage::BeforeDropout, AttentionStage::AfterDropout] {
        let at = positions(&batch, &config, 300);
        for taps in [pooled(Pooling::Cls), Taps::default(), pooled(Pooling::Mean)] {
            let attention_values = Some(AttentionValues { stage, at: at.clone() });
            let taps = Taps { attention_values, ..taps };
            compare(&config, &batch, &Pass { mode: training(0.2), gradients: true, taps });
        }
        let taps = Taps { attention_maps: Some(stage), ..pooled(Pooling::Cls) };
        // Values outside the tokens are meaningless, so use sentences of equal length.
        let even = self::batch(&[7, 7], Padding::Drop);
        compare(&config, &even, &Pass { mode: training(0.2), gradients: true, taps });
    }
}

#[test]
fn states_and_tokens() {
    let config = config(3, 32, 2, 64);
    let batch = batch(&[6, 3, 18], Padding::Drop);
    for taps in [
        Taps { states: vec![0, 2, 3, 0], ..pooled(Pooling::Cls) },
        Taps { states: vec![1], tokens: vec![26, 0, 7, 7, 3], ..Taps::default() },
        Taps { tokens: vec![1, 5, 20], ..pooled(Pooling::Cls) },
        Taps { tokens: vec![1, 5, 20], ..pooled(Pooling::FirstLastAvg) },
    ] {
        compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps });
    }
}

#[test]
fn every_padding() {
    let config = config(2, 32, 4, 64);
    for padding in [Padding::Keep, Padding::Attend] {
        let batch = batch(&[6, 3, 11], padding);
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let at = positions(&batch, &config, 50);
            let attention_values = Some(AttentionValues { stage: AttentionStage::BeforeDropout, at });
            let taps = Taps { attention_values, states: vec![2], ..pooled(pooling) };
            compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps });
            compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps: pooled(pooling) });
        }
    }
}

#[test]
fn every_activation() {
    for activation in [Activation::Gelu, Activation::GeluNew, Activation::Relu, Activation::Silu] {
        let config = BertConfig { hidden_act: activation, ..config(2, 32, 4, 50) };
        let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
        compare(&config, &batch(&[4, 9], Padding::Drop), &pass);
    }
}

#[test]
fn modernbert_with_every_pooling_padding_and_tap() {
    for (layers, hidden, heads, inner, window) in [(1, 8, 2, 8, 4), (4, 24, 3, 40, 2), (3, 32, 4, 30, 7)] {
        let config = modern(layers, hidden, heads, inner, window);
        // More than one tile of queries.
        let batch = batch(&[6, 1, 75, 18], Padding::Drop);
        for pooling in Pooling::ALL {
            for mode in [Mode::Evaluation, training(0.3)] {
                compare(&config, &batch, &Pass { mode, gradients: true, taps: pooled(pooling) });
            }
        }
        for stage in [AttentionStage::BeforeDropout, AttentionStage::AfterDropout] {
            let at = positions(&batch, &config, 500);
            for taps in [pooled(Pooling::Cls), pooled(Pooling::Mean)] {
                let attention_values = Some(AttentionValues { stage, at: at.clone() });
                let taps = Taps { attention_values, ..taps };
                compare(&config, &batch, &Pass { mode: training(0.2), gradients: true, taps });
            }
            let taps = Taps { attention_maps: Some(stage), ..pooled(Pooling::Cls) };
            let even = self::batch(&[40, 40], Padding::Drop);
            compare(&config, &even, &Pass { mode: training(0.2), gradients: true, taps });
        }
        let last = batch.rows() as u32 - 1;
        for taps in [
            Taps { states: vec![0, layers, 0], ..pooled(Pooling::Cls) },
            Taps { states: vec![1], tokens: vec![26, 0, 7, 7, last, 3, 60], ..Taps::default() },
            Taps { tokens: vec![1, 5, 20, 70], ..pooled(Pooling::Cls) },
        ] {
            compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps });
        }
        // Pads far from every token see none.
        for padding in [Padding::Keep, Padding::Attend] {
            let batch = self::batch(&[6, 3, 41], padding);
            for pooling in [Pooling::Cls, Pooling::Mean, Pooling::MeanWithPads] {
                compare(
                    &config,
                    &batch,
                    &Pass { mode: training(0.1), gradients: true, taps: pooled(pooling) },
                );
            }
        }
    }
    for activation in [Activation::GeluNew, Activation::Relu, Activation::Silu] {
        let config = BertConfig { hidden_act: activation, ..modern(2, 32, 4, 50, 4) };
        let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
        compare(&config, &batch(&[4, 9], Padding::Drop), &pass);
    }
}

#[test]
fn projected_embeddings() {
    let config = electra(2, 24, 3, 40);
    let batch = batch(&[5, 1, 40], Padding::Drop);
    for pooling in Pooling::ALL {
        for mode in [Mode::Evaluation, training(0.3)] {
            let taps = Taps { states: vec![0], ..pooled(pooling) };
            compare(&config, &batch, &Pass { mode, gradients: true, taps });
        }
    }
}

/// An ALBERT, in whose pairs of layers the parameters are the same.
fn albert(layers: usize, hidden: usize, heads: usize, inner: usize) -> BertConfig {
    let groups = Some(layers / 2);
    let bert = config(layers, hidden, heads, inner);
    BertConfig { family: Family::Albert, embedding_size: 6, num_hidden_groups: groups, ..bert }
}

/// A family with rotary positions and LayerNorm after the sum; the frequencies are divided by 1.5.
fn rotary(family: Family, types: usize) -> BertConfig {
    BertConfig {
        family,
        type_vocab_size: types,
        rotary: Some(Rotary { theta: 500.0, factor: 1.5, local: None }),
        hidden_act: Activation::Silu,
        ..config(3, 24, 3, 30)
    }
}

#[test]
fn shared_layers_and_gates_after_the_sum() {
    let batch = batch(&[5, 1, 40], Padding::Drop);
    for config in [
        albert(4, 24, 3, 40),
        albert(2, 32, 4, 50),
        rotary(Family::NomicBert, 2),
        rotary(Family::Gte, 1),
        rotary(Family::Gte, 0),
    ] {
        for pooling in Pooling::ALL {
            for mode in [Mode::Evaluation, training(0.3)] {
                let taps = Taps { states: vec![0, 1], ..pooled(pooling) };
                compare(&config, &batch, &Pass { mode, gradients: true, taps });
            }
        }
        let at = positions(&batch, &config, 200);
        let values = Some(AttentionValues { stage: AttentionStage::AfterDropout, at });
        let taps = Taps { attention_values: values, ..pooled(Pooling::Cls) };
        compare(&config, &batch, &Pass { mode: training(0.2), gradients: true, taps });
        let padded = self::batch(&[6, 3, 21], Padding::Attend);
        compare(&config, &padded, &Pass { mode: training(0.1), gradients: true, taps: pooled(Pooling::Cls) });
    }
}

/// Values outside a window are zero in both engines, and do not change the gradients.
#[test]
fn attention_outside_the_window_is_zero() {
    let config = modern(2, 24, 3, 40, 2);
    let batch = batch(&[40], Padding::Drop);
    let at = |layer, query, key| AttentionPosition { sentence: 0, layer, head: 1, query, key };
    let at = vec![at(1, 5, 8), at(1, 5, 7), at(1, 39, 0), at(0, 39, 0)];
    for encoder in <[_; 2]>::from(both(&config)) {
        let attention_values = Some(AttentionValues { stage: AttentionStage::BeforeDropout, at: at.clone() });
        let taps = Taps { attention_values, ..Taps::default() };
        let leaves = encoder.forward(&batch, &Pass { taps, ..Pass::default() }).expect("leaves");
        let values = numbers(&leaves.attention_values.expect("values"));
        assert_eq!((values[0], values[2]), (0.0, 0.0));
        assert!(values[1] > 0.0 && values[3] > 0.0);
    }
}

/// Shuffled positions turn queries and keys by other angles; windows stay where they are.
#[test]
fn rotary_positions_can_be_shuffled() {
    let config = modern(3, 24, 3, 40, 2);
    let plain = batch(&[9, 40], Padding::Drop);
    let mut positions = plain.positions().to_vec();
    positions[1..40].reverse();
    let shuffled = plain.clone().with_positions(positions).expect("positions");
    let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
    compare(&config, &shuffled, &pass);
    let rows = [plain, shuffled].map(|batch| {
        let pass = Pass { gradients: false, ..pass.clone() };
        numbers(&both(&config).1.forward(&batch, &pass).expect("leaves").pooled.expect("rows"))
    });
    assert!(difference(&rows[0], &rows[1]) > 1e-3);
}

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
    for config in [config(3, 96, 6, 200), modern(3, 96, 6, 200, 5), electra(3, 96, 6, 200)] {
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
        let ran = [Precision::F32, Precision::Bf16].map(|precision| {
            let mut weights = RandomWeights { deviation: 0.05, stream: Stream::new(48) };
            let mut encoder =
                PackedEncoder::new(config.clone(), &mut weights, precision).expect("an encoder");
            run(&mut encoder, &batch, &pass)
        });
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
    for config in [bert, mpnet, modern(2, 128, 4, 200, 6)] {
        same_bits_on_any_number_of_threads(&config);
    }
}

fn same_bits_on_any_number_of_threads(config: &BertConfig) {
    let batch = batch(&[30, 22, 7, 31, 12, 25, 9, 18, 33, 31, 30, 29], Padding::Drop);
    let at = positions(&batch, config, 500);
    let values = AttentionValues { stage: AttentionStage::BeforeDropout, at };
    let taps = Taps { attention_values: Some(values), ..pooled(Pooling::Mean) };
    let pass = Pass { mode: training(0.1), gradients: true, taps };
    let ran: Vec<Ran> = [1, 2, 3]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| run(both(config).1.as_mut(), &batch, &pass))
        })
        .collect();
    for other in &ran[1..] {
        assert_eq!(ran[0].leaves, other.leaves);
        assert_eq!(ran[0].gradients, other.gradients);
    }
}

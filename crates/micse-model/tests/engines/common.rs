//! Both engines, batches, and the comparison of their leaves and gradients.

use candle_core::{Device, Tensor, Var};
use micse_model::{
    Activation, AttentionPosition, Batch, BertConfig, Dropout, Encoder, Family, Leaves, LocalAttention,
    LocalLayers, Mode, PackedEncoder, Padding, Pass, Pooling, Precision, RandomWeights, Rotary, Taps,
    TensorEncoder,
};
use micse_random::Stream;

/// A configuration with odd sizes.
pub(crate) fn config(layers: usize, hidden: usize, heads: usize, inner: usize) -> BertConfig {
    let mut config = BertConfig::with_sizes(40, layers, hidden, heads, 40);
    config.intermediate_size = inner;
    config
}

/// An ELECTRA with embeddings of 6 columns.
pub(crate) fn electra(layers: usize, hidden: usize, heads: usize, inner: usize) -> BertConfig {
    BertConfig { family: Family::Electra, embedding_size: 6, ..config(layers, hidden, heads, inner) }
}

/// A `ModernBERT` whose local layers see `window` tokens to each side; the first and fourth layer see all.
pub(crate) fn modern(layers: usize, hidden: usize, heads: usize, inner: usize, window: usize) -> BertConfig {
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

/// An ALBERT, in whose pairs of layers the parameters are the same.
pub(crate) fn albert(layers: usize, hidden: usize, heads: usize, inner: usize) -> BertConfig {
    let groups = Some(layers / 2);
    let bert = config(layers, hidden, heads, inner);
    BertConfig { family: Family::Albert, embedding_size: 6, num_hidden_groups: groups, ..bert }
}

/// A family with rotary positions and LayerNorm after the sum; the frequencies are divided by 1.5.
pub(crate) fn rotary(
    family: Family,
    types: usize,
    (layers, hidden, heads, inner): (usize, usize, usize, usize),
) -> BertConfig {
    BertConfig {
        family,
        type_vocab_size: types,
        rotary: Some(Rotary { theta: 500.0, factor: 1.5, local: None }),
        hidden_act: Activation::Silu,
        ..config(layers, hidden, heads, inner)
    }
}

/// Both engines, with weights large enough for every path to matter.
pub(crate) fn both(config: &BertConfig) -> (Box<dyn Encoder>, Box<dyn Encoder>) {
    let weights = || RandomWeights { deviation: 0.2, stream: Stream::new(48) };
    let tensor = TensorEncoder::new(config.clone(), &mut weights(), &Device::Cpu).expect("an encoder");
    let packed = PackedEncoder::new(config.clone(), &mut weights(), Precision::F32).expect("an encoder");
    (Box::new(tensor), Box::new(packed))
}

pub(crate) fn batch(lengths: &[usize], padding: Padding) -> Batch {
    let mut draws = Stream::new(7).draws();
    let mut ids = |n: usize| (0..n).map(|_| draws.below(40) as u32).collect::<Vec<u32>>();
    let sentences: Vec<Vec<u32>> = lengths.iter().map(|&n| ids(n)).collect();
    Batch::padded(&sentences, 0, padding).expect("a batch")
}

pub(crate) fn training(rate: f64) -> Mode {
    Mode::Training(Dropout { hidden: rate, attention: rate, stream: Stream::new(3).with(1) })
}

pub(crate) fn positions(batch: &Batch, config: &BertConfig, count: usize) -> Vec<AttentionPosition> {
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
pub(crate) fn flat(leaves: &Leaves) -> Vec<(String, Tensor)> {
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
pub(crate) fn loss(leaves: &Leaves) -> Tensor {
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

pub(crate) fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

/// The largest difference relative to the largest entry.
pub(crate) fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().all(|x| x.is_finite()));
    let largest = b.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    let worst = a.iter().zip(b).fold(0.0_f32, |m, (x, y)| m.max((x - y).abs()));
    if worst == 0.0 { 0.0 } else { worst / largest }
}

pub(crate) struct Ran {
    pub(crate) leaves: Vec<(String, Vec<f32>)>,
    pub(crate) gradients: Vec<(String, Option<Vec<f32>>)>,
    pub(crate) embeddings: Vec<f32>,
}

pub(crate) fn run(encoder: &mut dyn Encoder, batch: &Batch, pass: &Pass) -> Ran {
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

pub(crate) fn compare(config: &BertConfig, batch: &Batch, pass: &Pass) {
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

pub(crate) fn pooled(pooling: Pooling) -> Taps {
    Taps { pooled: Some(pooling), ..Taps::default() }
}

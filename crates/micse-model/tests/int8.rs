//! Encoders in 8-bit integers: accuracy, the folder, and what is refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use micse_model::int8::{Quantized, Rounding, quantize};
use micse_model::{
    AdamStep, Batch, BertConfig, Checkpoint, Compute, Encoder, Engine, ModelFolder, Names, Pass, Precision,
    RandomWeights, SentenceModel, Taps, build_encoder, save_safetensors,
};
use micse_random::Stream;

fn shipped() -> ModelFolder {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/encoder"));
    ModelFolder::open(&path).expect("the shipped encoder")
}

/// Sentences of a few words each, `from` a number on.
fn sentences(from: usize, count: usize) -> Vec<String> {
    const WORDS: [&str; 17] = [
        "the", "river", "was", "cold", "and", "nobody", "in", "the", "town", "knew", "why", "it", "rose",
        "so", "fast", "last", "night",
    ];
    let sentence = |i: usize| {
        let words: Vec<&str> = (0..3 + i % 9).map(|k| WORDS[(i * (k + 3) + k * k) % WORDS.len()]).collect();
        format!("{} {i}.", words.join(" "))
    };
    (from..from + count).map(sentence).collect()
}

fn quantized(model: &SentenceModel<'_>, rounding: Rounding) -> Quantized {
    let ids = model.pipeline().tokenize(&sentences(0, 150), model.max_length()).expect("tokens");
    quantize(model.encoder(), &ids, rounding).expect("a quantised encoder")
}

/// The shipped encoder in int8.
fn write(folder: &Path, rounding: Rounding) {
    let model = SentenceModel::open(shipped().root()).expect("the shipped encoder");
    model.save_int8(folder, &shipped(), &quantized(&model, rounding)).expect("a folder");
}

fn cosines(a: &[Vec<f32>], b: &[Vec<f32>]) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    a.iter().zip(b).map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).collect()
}

#[test]
fn each_measure_brings_embeddings_closer_to_f32() {
    let texts = sentences(1000, 200);
    let wanted = SentenceModel::open(shipped().root()).expect("a model").encode(&texts).expect("rows");
    let error = |rounding| {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), rounding);
        let rows = SentenceModel::open(folder.path()).expect("a model").encode(&texts).expect("rows");
        let cosines = cosines(&wanted, &rows);
        assert!(cosines.iter().all(|&c| c > 0.998), "{rounding:?}");
        cosines.iter().map(|c| 1.0 - c).sum::<f64>() / cosines.len() as f64
    };
    let (nearest, smoothed, compensated) =
        (error(Rounding::Nearest), error(Rounding::Smoothed), error(Rounding::Compensated));
    assert!(nearest > smoothed && smoothed > compensated, "{nearest} {smoothed} {compensated}");
    assert!(compensated < 2.5e-4, "{compensated}");
}

#[test]
fn the_folder_has_8_bit_tensors_and_no_weights_for_other_libraries() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), Rounding::Nearest);
    assert!(!folder.path().join("model.safetensors").exists());
    let weights = Checkpoint::in_folder(folder.path(), Names::default()).expect("weights");
    assert!(weights.is_int8());
    let bytes = weights.tensors().filter(|(name, _)| weights.dtype(name) == Some(DType::U8)).count();
    assert_eq!(bytes, 4 * 6 + 1);
    let parameters = shipped().config().expect("a configuration").parameter_count() as u64;
    assert!(weights.bytes() < 4 * parameters / 3, "{} bytes", weights.bytes());
    let modules = ModelFolder::open(folder.path()).expect("a folder").modules().expect("modules");
    assert_eq!(modules.last().expect("a module").class, "micse.Int8");

    // Stored weights times scale are the original ones, except for rounding by half a step.
    let own = SentenceModel::open(shipped().root()).expect("a model").encoder().values().expect("values");
    let read = SentenceModel::open(folder.path()).expect("a model").encoder().values().expect("values");
    for (a, b) in own.iter().zip(&read) {
        let of = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        let (a, b) = (of(a), of(b));
        let largest = a.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        let error = a.iter().zip(&b).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(error <= largest / 253.0, "{error} of {largest}");
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), Rounding::Compensated);
    let model = SentenceModel::open(folder.path()).expect("a model");
    let rows = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| model.encode(&sentences(0, 120)).expect("rows"))
    };
    assert!(rows(1) == rows(2) && rows(1) == rows(3));
    let copy = model.encoder().duplicate().expect("a copy");
    let batch = Batch::new(&[vec![2, 50, 60, 3]]).expect("a batch");
    let state = |encoder: &dyn Encoder| {
        let taps = Taps { states: vec![4], ..Taps::default() };
        let leaves = encoder.forward(&batch, &Pass { taps, ..Pass::default() }).expect("leaves");
        leaves.states[0].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values")
    };
    assert_eq!(state(copy.as_ref()), state(model.encoder()));
}

#[test]
fn training_and_other_engines_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), Rounding::Nearest);
    let int8 = ModelFolder::open(folder.path()).expect("a folder");
    for (engine, precision) in [(Engine::Packed, Precision::Bf16), (Engine::Tensor, Precision::F32)] {
        let refused = int8.encoder(&Compute { engine, precision, ..Compute::cpu() }).err().expect("refused");
        let text = refused.to_string();
        assert!(text.contains("int8.safetensors") && text.contains("only be encoded in int8"), "{text}");
    }
    let refused = shipped().encoder(&Compute { precision: Precision::Int8, ..Compute::cpu() }).err();
    assert!(refused.expect("refused").to_string().contains("micse export MODEL --precision int8"));

    let mut encoder =
        int8.encoder(&Compute { precision: Precision::Int8, ..Compute::cpu() }).expect("an encoder");
    let values = encoder.values().expect("values");
    let pass = Pass { gradients: true, ..Pass::default() };
    let batch = Batch::new(&[vec![2, 50, 3]]).expect("a batch");
    let step = AdamStep {
        step: 1,
        learning_rate: 1e-3,
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.0,
        decay_all: false,
        gradient_scale: 1.0,
        bias_correction: true,
    };
    let moments: Vec<_> = values.iter().map(|value| (value.clone(), value.clone())).collect();
    let copy = encoder.duplicate().expect("a copy");
    let errors = [
        encoder.forward(&batch, &pass).err(),
        encoder.set_values(&values).err(),
        encoder.step(&step).err(),
        encoder.add_gradient(1, &values[1]).err(),
        encoder.set_moments(&moments).err(),
        encoder.follow(copy.as_ref(), 0.5).err(),
    ];
    for error in errors {
        assert!(error.expect("refused").to_string().contains("int8 cannot be trained"));
    }
    // But an encoder in f32 may follow its values. The step is from a value to its rounded one, which f32 has exactly if
    // they differ by less than a factor of two, and otherwise to a last bit.
    let mut follower = shipped().encoder(&Compute::cpu()).expect("an encoder");
    follower.follow(encoder.as_ref(), 0.0).expect("values");
    for (number, value) in values.iter().enumerate() {
        let of = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        for (a, b) in of(&follower.value(number).expect("a value")).iter().zip(of(value)) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(0.1), "{number}: {a} instead of {b}");
        }
    }
}

#[test]
fn parts_of_the_folder_may_be_in_f32() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), Rounding::Compensated);
    let texts = sentences(0, 20);
    let (wanted, values, infos) = {
        let model = SentenceModel::open(folder.path()).expect("a model");
        let encoder = model.encoder();
        (model.encode(&texts).expect("rows"), encoder.values().expect("values"), encoder.parameters())
    };
    let path = folder.path().join("int8.safetensors");
    let put = |name: &str| {
        let weights = Checkpoint::open(&path).expect("weights");
        let number = infos.iter().position(|info| info.name == name).expect("a parameter");
        let own = |other: &str| {
            if other == name { Ok(values[number].clone()) } else { weights.read(other) }
        };
        let names: Vec<String> = weights.tensors().map(|(name, _)| name.to_owned()).collect();
        let tensors: Vec<_> = names.iter().map(|n| (n.clone(), own(n).expect("a tensor"))).collect();
        save_safetensors(&path, &tensors).expect("a file");
        SentenceModel::open(folder.path()).and_then(|model| model.encode(&texts)).expect("rows")
    };
    assert!(put("embeddings.word_embeddings.weight") == wanted);
    let rows = put("encoder.layer.0.intermediate.dense.weight");
    assert!(rows != wanted && cosines(&wanted, &rows).iter().all(|&c| c > 0.999));
}

#[test]
fn damaged_folders_are_named() {
    const NAME: &str = "encoder.layer.1.attention.self.key.weight";
    const WORDS: &str = "embeddings.word_embeddings.weight";
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), Rounding::Nearest);
    let path = folder.path().join("int8.safetensors");
    let weights = Checkpoint::open(&path).expect("weights");
    let names: Vec<String> = weights.tensors().map(|(name, _)| name.to_owned()).collect();
    let whole: HashMap<String, Tensor> =
        names.iter().map(|name| (name.clone(), weights.read(name).expect("a tensor"))).collect();
    let refused = |change: &dyn Fn(&mut HashMap<String, Tensor>), reasons: &[&str]| {
        let mut tensors = whole.clone();
        change(&mut tensors);
        save_safetensors(&path, &tensors.into_iter().collect::<Vec<_>>()).expect("a file");
        let text = SentenceModel::open(folder.path()).err().expect("refused").to_string();
        assert!(reasons.iter().all(|reason| text.contains(reason)), "{text}");
    };
    let scale = format!("{NAME}.scale");
    let word_scale = format!("{WORDS}.scale");
    refused(&|tensors| drop(tensors.remove(&scale)), &["int8.safetensors", "key.weight.scale"]);
    let vector = |value: f32, length: usize| Tensor::full(value, length, &Device::Cpu).expect("a tensor");
    refused(
        &|tensors| drop(tensors.insert(scale.clone(), vector(f32::NAN, 256))),
        &["key.weight.scale", "NaN", "export the model again"],
    );
    refused(
        &|tensors| drop(tensors.insert(scale.clone(), vector(1.0, 7))),
        &["key.weight.scale", "256", "7"],
    );
    refused(
        &|tensors| drop(tensors.remove(&word_scale)),
        &["int8.safetensors", "word_embeddings.weight.scale"],
    );
    refused(
        &|tensors| drop(tensors.insert(word_scale.clone(), vector(f32::INFINITY, 8192))),
        &["word_embeddings.weight.scale", "inf"],
    );
    let bytes = |rows: usize| Tensor::full(1_u8, (rows, 256), &Device::Cpu).expect("a tensor");
    for (name, rows) in [(WORDS, 8191), (NAME, 255)] {
        refused(&|tensors| drop(tensors.insert(name.into(), bytes(rows))), &[name, &rows.to_string()]);
    }
    refused(
        &|tensors| drop(tensors.insert(format!("{NAME}.factor"), vector(2.0, 256))),
        &["key.weight", "query.weight", "factors"],
    );
    refused(
        &|tensors| {
            let bytes = Tensor::full(1_u8, 256, &Device::Cpu).expect("a tensor");
            tensors.insert("encoder.layer.1.output.LayerNorm.bias".into(), bytes);
        },
        &["output.LayerNorm.bias", "u8"],
    );
    refused(
        &|tensors| {
            let floats = tensors[NAME].to_dtype(DType::F32).expect("floats");
            tensors.insert(NAME.into(), floats);
        },
        &["key.weight", "query.weight", "different types"],
    );
}

#[test]
fn unusual_samples_are_refused_or_harmless() {
    let model = SentenceModel::open(shipped().root()).expect("a model");
    for sample in [Vec::new(), vec![Vec::new()]] {
        let refused = quantize(model.encoder(), &sample, Rounding::Compensated).err().expect("refused");
        assert!(refused.to_string().contains("at least one sentence"));
    }
    let mut config = BertConfig::with_sizes(9, 1, 4, 1, 8);
    config.intermediate_size = 1 << 17;
    let mut weights = RandomWeights { deviation: 0.1, stream: Stream::new(1) };
    let wide = build_encoder(config, &mut weights, &Compute::cpu()).expect("an encoder");
    let refused = quantize(wide.as_ref(), &[vec![2, 5, 3]], Rounding::Nearest).err().expect("refused");
    assert!(refused.to_string().contains("131072 inputs"), "{refused}");
    let outside = quantize(model.encoder(), &[vec![2, 1_000_000, 3]], Rounding::Compensated);
    assert!(outside.err().expect("refused").to_string().contains("1000000"));
    // A single sentence is a poor sample, but a valid one.
    let folder = tempfile::tempdir().expect("a folder");
    let one = quantize(model.encoder(), &[vec![2, 50, 3]], Rounding::Compensated).expect("quantised");
    model.save_int8(folder.path(), &shipped(), &one).expect("a folder");
    let int8 = SentenceModel::open(folder.path()).expect("a model");
    let texts = ["", "\u{0}", "x", &"word ".repeat(400)];
    let (a, b) = (model.encode(&texts).expect("rows"), int8.encode(&texts).expect("rows"));
    assert!(cosines(&a, &b).iter().all(|&c| c > 0.98));
}

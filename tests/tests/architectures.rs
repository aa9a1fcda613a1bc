//! Compares checkpoints of every family with transformers in both engines, and saves them as folders.
//!
//! `tests/fixtures/architectures/write.py` documents the fixtures. `MICSE_WRITTEN=FOLDER` keeps the saved folders
//! there, so that `tests/fixtures/architectures/check.py` can load them with transformers and sentence-transformers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use micse_data::Masking;
use micse_files as files;
use micse_model::{
    AdamStep, AttentionPosition, AttentionStage, AttentionValues, Batch, Compute, Dense, DenseActivation,
    Dropout, Encoder, Family, MaskedLmHead, Mode, ModelFolder, Padding, Pass, Pooling, SentenceModel, Taps,
    Tokenizer, WORD_TABLE, add_dense, save_model,
};
use micse_random::Stream;
use micse_tests::root;

const SENTENCES: [&str; 5] = [
    "the old farmer sings a song",
    "a small dog runs over the hill",
    "they'll see the 3 sheep",
    "Zürich is not far, is it?",
    "the the the the the the the the the the the the the the the the the the the the the the the the the the the the \
     the the the the the the the the the the the the the the the the the the the the the the the the the the the the",
];

fn fixtures() -> PathBuf {
    root().join("tests/fixtures/architectures")
}

fn folder(family: Family) -> ModelFolder {
    ModelFolder::open(&fixtures().join(family.name())).expect("a fixture")
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The results of transformers for a batch.
struct Wanted {
    sentences: Vec<Vec<u32>>,
    /// States of all tokens except padding, sentence by sentence.
    states: Vec<f32>,
    scores: Vec<f32>,
}

fn wanted(family: Family) -> Wanted {
    read_wanted(&fixtures().join(family.name()))
}

fn read_wanted(folder: &Path) -> Wanted {
    let bytes = std::fs::read(folder.join("io.safetensors")).expect("io.safetensors");
    let io = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("io.safetensors");
    let ids: Vec<Vec<i64>> = io["ids"].to_vec2().expect("ids");
    let mask: Vec<Vec<i64>> = io["mask"].to_vec2().expect("mask");
    let lengths: Vec<usize> = mask.iter().map(|row| row.iter().sum::<i64>() as usize).collect();
    let of_tokens = |name: &str| {
        let rows: Vec<Vec<Vec<f32>>> = io[name].to_vec3().expect("values");
        rows.iter().zip(&lengths).flat_map(|(rows, &n)| rows[..n].concat()).collect()
    };
    Wanted {
        sentences: ids
            .iter()
            .zip(&lengths)
            .map(|(ids, &n)| ids[..n].iter().map(|&id| id as u32).collect())
            .collect(),
        states: of_tokens("states"),
        scores: of_tokens("scores"),
    }
}

fn last_states(encoder: &dyn Encoder) -> Pass {
    let taps = Taps { states: vec![encoder.config().num_hidden_layers], ..Taps::default() };
    Pass { taps, ..Pass::default() }
}

#[test]
fn states_and_scores_are_those_of_transformers() {
    for family in Family::ALL {
        let want = wanted(family);
        for compute in [Compute::reference(), Compute::cpu()] {
            let model = folder(family);
            let encoder = model.encoder(&compute).expect("the encoder");
            assert_eq!(encoder.config().family, family);
            let pass = last_states(encoder.as_ref());
            let batch = Batch::new(&want.sentences).expect("a batch");
            let states = encoder.forward(&batch, &pass).expect("a pass").states.swap_remove(0);
            let error = difference(&numbers(&states), &want.states);
            println!("{family}, {}: largest error of states {error:.1e}", compute.engine);
            assert!(error < 1e-5, "{family}, {}: {error}", compute.engine);

            // The same with a padded batch.
            let pad = encoder.config().pad_token_id;
            let padded = Batch::padded(&want.sentences, pad, Padding::Keep).expect("a batch");
            let rows = encoder.forward(&padded, &pass).expect("a pass").states.swap_remove(0);
            let rows: Vec<Vec<f32>> = rows.to_vec2().expect("rows");
            let kept: Vec<f32> = (0..padded.sentences())
                .flat_map(|b| rows[padded.first_rows()[b]..][..padded.lengths()[b]].concat())
                .collect();
            assert!(difference(&kept, &want.states) < 1e-5, "{family}, {}", compute.engine);

            let head = MaskedLmHead::in_folder(model.path(), encoder.config(), &compute.device);
            let head = head.expect("a whole head").expect("a head");
            let table = encoder.value(WORD_TABLE).expect("the word table");
            let error = difference(&numbers(&head.scores(&states, &table).expect("scores")), &want.scores);
            println!("{family}, {}: largest error of scores {error:.1e}", compute.engine);
            assert!(error < 1e-4, "{family}, {}: {error}", compute.engine);
        }
    }
}

#[test]
fn tokens_are_those_of_transformers() {
    let check = |tokenizer: &Tokenizer, cases: &Path, without: &str| {
        let text = std::fs::read_to_string(cases).expect("cases.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        assert!(cases.len() >= 6);
        for case in cases.iter().filter(|case| case["text"] != without) {
            let text = case["text"].as_str().expect("a text");
            let ids = tokenizer.encode(text, 100).expect("ids");
            assert_eq!(serde_json::json!(ids), case["ids"], "{text:?}");
        }
    };
    for family in Family::ALL {
        let folder = folder(family);
        check(&folder.tokenizer().expect("a tokenizer"), &folder.path().join("cases.json"), "");
        assert_eq!(folder.max_length().expect("a length"), Some(38), "{family}: model_max_length");
    }
    // RoBERTa's older files, without tokenizer.json.
    let merges = Tokenizer::load(&fixtures().join("merges")).expect("a tokenizer");
    // These files do not make the mask absorb the space before it (tests/fixtures/folders covers that).
    check(&merges, &fixtures().join("roberta/cases.json"), "a <mask> of sheep");
    assert_eq!(merges.mask_token().as_deref(), Some("<mask>"));
    // MPNet's older files: the vocabulary alone.
    let older = tempfile::tempdir().expect("a folder");
    let words = folder(Family::Mpnet).tokenizer().expect("a tokenizer").tokens().join("\n");
    std::fs::write(older.path().join("vocab.txt"), words).expect("vocab.txt");
    let words = Tokenizer::load(older.path()).expect("a tokenizer");
    check(&words, &fixtures().join("mpnet/cases.json"), "");
}

/// Gradients of a training pass with mean pooling and a loss on attention values, and the parameters after one step.
fn step(family: Family, compute: &Compute) -> (Vec<Option<Vec<f32>>>, Vec<Vec<f32>>) {
    let mut encoder = folder(family).encoder(compute).expect("the encoder");
    let batch = Batch::new(&wanted(family).sentences).expect("a batch");
    let dropout = Dropout { hidden: 0.2, attention: 0.1, stream: Stream::new(5) };
    let place = |layer, head, query, key| AttentionPosition { sentence: 1, layer, head, query, key };
    let at = vec![place(0, 0, 0, 10), place(0, 2, 9, 1), place(1, 1, 3, 4), place(1, 1, 10, 0)];
    let values = AttentionValues { stage: AttentionStage::AfterDropout, at };
    let taps = Taps { pooled: Some(Pooling::Mean), attention_values: Some(values), ..Taps::default() };
    let pass = Pass { mode: Mode::Training(dropout), gradients: true, taps };
    let leaves = encoder.forward(&batch, &pass).expect("a pass");
    let (pooled, values) = (leaves.pooled.expect("rows"), leaves.attention_values.expect("values"));
    let mut draws = Stream::new(6).draws();
    let weights: Vec<f32> = (0..pooled.elem_count()).map(|_| draws.normal() as f32).collect();
    let weights = Tensor::from_vec(weights, pooled.shape(), &Device::Cpu).expect("a tensor");
    let loss = (pooled.sqr().expect("squares") * weights).and_then(|l| l.sum_all()).expect("a loss");
    let of_values = values.sqr().and_then(|v| v.sum_all()).expect("a loss");
    let loss = (loss + of_values).expect("a loss");
    encoder.collect_gradients(&loss.backward().expect("a backward pass")).expect("gradients");
    let gradients = encoder.gradients().expect("gradients");
    let gradients = gradients.iter().map(|g| g.as_ref().map(numbers)).collect();
    let rule = AdamStep {
        step: 1,
        learning_rate: 1e-3,
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.0,
        decay_all: false,
        gradient_scale: 1.0,
        bias_correction: true,
    };
    encoder.step(&rule).expect("a step");
    (gradients, encoder.values().expect("values").iter().map(numbers).collect())
}

#[test]
fn every_tensor_learns_alike_in_both_engines() {
    for family in Family::ALL {
        let parameters = folder(family).encoder(&Compute::cpu()).expect("the encoder").parameters();
        let (packed, after) = step(family, &Compute::cpu());
        let (tensor, reference) = step(family, &Compute::reference());
        let types = parameters.iter().filter(|p| p.name.contains("token_type")).count();
        let without = [Family::DistilBert, Family::Mpnet, Family::ModernBert].contains(&family);
        assert_eq!((types, family.has_token_types()), (usize::from(!without), !without), "{family}");
        for (n, info) in parameters.iter().enumerate() {
            if info.name.ends_with("key.bias") {
                continue;
            }
            let (Some(packed), Some(tensor)) = (&packed[n], &tensor[n]) else {
                panic!("{family}: {} has no gradient", info.name)
            };
            let largest = tensor.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
            assert!(largest > 0.0, "{family}: {} has a gradient of zero", info.name);
            assert!(difference(packed, tensor) < 2e-5 * largest.max(1.0), "{family}: {}", info.name);
            assert!(difference(&after[n], &reference[n]) < 2.1e-3, "{family}: {}", info.name);
        }
    }
}

/// Keys that change the formula of `ModernBERT`'s prediction head are rejected by name.
#[test]
fn other_heads_of_modernbert_are_refused() {
    let whole = folder(Family::ModernBert);
    let config = whole.config().expect("a configuration");
    for (key, value) in [
        ("classifier_activation", serde_json::json!("relu")),
        ("classifier_bias", serde_json::json!(true)),
        ("decoder_bias", serde_json::json!(false)),
    ] {
        let changed = tempfile::tempdir().expect("a folder");
        let weights = "model.safetensors";
        std::fs::copy(whole.path().join(weights), changed.path().join(weights)).expect("the weights");
        let text = std::fs::read_to_string(whole.path().join("config.json")).expect("config.json");
        let mut keys: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        keys[key] = value;
        files::write_json(&changed.path().join("config.json"), &keys).expect("config.json");
        let head = MaskedLmHead::in_folder(changed.path(), &config, &Device::Cpu);
        let error = head.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(key) && error.contains("config.json"), "{key}: {error}");
    }
}

/// `tests/fixtures/architectures/write.py` describes the loss. Some of its attention values are outside a window.
#[test]
fn gradients_and_states_are_those_of_pytorch() {
    let families = [Family::ModernBert, Family::Electra, Family::Albert, Family::NomicBert, Family::Gte];
    for family in families {
        let path = fixtures().join(family.name()).join("steps.safetensors");
        let stored =
            candle_core::safetensors::load_buffer(&std::fs::read(path).expect("a file"), &Device::Cpu);
        let stored = stored.expect("tensors");
        let gradients = stored_gradients(family);
        for compute in [Compute::reference(), Compute::cpu()] {
            compare_step(family, &compute, &stored, &gradients);
        }
    }
}

/// The gradients of PyTorch by parameter: they lie in the place of the parameters.
fn stored_gradients(family: Family) -> Vec<Vec<f32>> {
    let (whole, fixture) = (tempfile::tempdir().expect("a folder"), fixtures().join(family.name()));
    for (from, to) in [("config.json", "config.json"), ("gradients.safetensors", "model.safetensors")] {
        std::fs::copy(fixture.join(from), whole.path().join(to)).expect("a copy");
    }
    let encoder = ModelFolder::open(whole.path()).and_then(|folder| folder.encoder(&Compute::cpu()));
    encoder.expect("the encoder").values().expect("values").iter().map(numbers).collect()
}

fn compare_step(family: Family, compute: &Compute, stored: &HashMap<String, Tensor>, gradients: &[Vec<f32>]) {
    let at = format!("{family}, {}", compute.engine);
    let sentences = wanted(family).sentences;
    let places: Vec<Vec<i64>> = stored["places"].to_vec2().expect("places");
    let place = |p: &Vec<i64>| {
        let [sentence, layer, head, query, key] = p[..] else { panic!("five numbers") };
        let [sentence, layer, head] = [sentence, layer, head].map(|n| n as u32);
        AttentionPosition { sentence, layer, head, query: query as u32, key: key as u32 }
    };
    let mut encoder = folder(family).encoder(compute).expect("the encoder");
    let batch = Batch::new(&sentences).expect("a batch");
    let taps = Taps {
        pooled: Some(Pooling::Mean),
        attention_values: Some(AttentionValues {
            stage: AttentionStage::BeforeDropout,
            at: places.iter().map(place).collect(),
        }),
        states: (0..=encoder.config().num_hidden_layers).collect(),
        ..Taps::default()
    };
    let pass = Pass { mode: Mode::Evaluation, gradients: true, taps };
    let leaves = encoder.forward(&batch, &pass).expect("a pass");
    for (layer, states) in leaves.states.iter().enumerate() {
        let want = stored["hidden_states"].get(layer).expect("a layer");
        let want: Vec<Vec<Vec<f32>>> = want.to_vec3().expect("states");
        let want: Vec<f32> =
            want.iter().zip(&sentences).flat_map(|(rows, ids)| rows[..ids.len()].concat()).collect();
        let largest = want.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        let error = difference(&numbers(states), &want) / largest;
        println!("{at}: state {layer}: {error:.1e}");
        assert!(error < 1e-5, "{at}: state {layer}: {error}");
    }
    let (pooled, values) = (leaves.pooled.expect("rows"), leaves.attention_values.expect("values"));
    let outside = numbers(&values)[3] == 0.0;
    assert_eq!(outside, family == Family::ModernBert, "{at}: a value outside the window");
    let pooled = pooled.sqr().and_then(|p| p * &stored["weights"]).and_then(|p| p.sum_all());
    let of_values = values.sqr().and_then(|v| v.sum_all()).expect("a loss");
    let loss = (pooled.expect("a loss") + of_values).expect("a loss");
    encoder.collect_gradients(&loss.backward().expect("a backward pass")).expect("gradients");
    let found = encoder.gradients().expect("gradients");
    assert_eq!(found.len(), gradients.len());
    for ((info, found), want) in encoder.parameters().iter().zip(found).zip(gradients) {
        // It is exactly zero, and rounding noise in PyTorch.
        if info.name.ends_with("key.bias") {
            continue;
        }
        let largest = want.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        let error = difference(&numbers(&found.expect("a gradient")), want) / largest;
        println!("{at}: gradient of {}: {error:.1e}", info.name);
        assert!(largest > 0.0 && error < 1e-4, "{at}: {}: {error}", info.name);
    }
}

/// What transformers reads from other places than the fixtures have.
#[test]
fn other_forms_of_albert_nomic_and_gte() {
    let copy = |name: &str| {
        let (to, from) = (tempfile::tempdir().expect("a folder"), fixtures().join(name));
        for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            std::fs::copy(from.join(file), to.path().join(file)).expect(file);
        }
        to
    };
    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
    };
    let save = |folder: &Path| {
        let (base, out) =
            (ModelFolder::open(folder).expect("a folder"), tempfile::tempdir().expect("a folder"));
        let encoder = base.encoder(&Compute::cpu()).expect("the encoder");
        save_model(out.path(), encoder.as_ref(), &base, Pooling::Mean, DType::F32).expect("a folder");
        out
    };
    let weights = |folder: &Path| {
        candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).expect("weights")
    };

    // ALBERT: the post-processor of the file counts, and the pooler is carried over.
    let albert = copy("albert");
    let path = albert.path().join("tokenizer.json");
    let mut tokenizer = read(&path);
    let ids =
        |folder: &Path| Tokenizer::load(folder).expect("a tokenizer").encode("the hill", 40).expect("ids");
    let usual = ids(albert.path());
    tokenizer["post_processor"]["single"].as_array_mut().expect("a template").remove(0);
    files::write_json(&path, &tokenizer).expect("tokenizer.json");
    assert_eq!(ids(albert.path()), usual[1..]);
    let mut tensors = weights(albert.path());
    for (name, shape) in [("albert.pooler.weight", vec![24, 24]), ("albert.pooler.bias", vec![24])] {
        tensors.insert(name.into(), Tensor::ones(shape, DType::F32, &Device::Cpu).expect("a tensor"));
    }
    candle_core::safetensors::save(&tensors, albert.path().join("model.safetensors")).expect("weights");
    let saved = save(albert.path());
    assert!(["pooler.weight", "pooler.bias"].iter().all(|name| weights(saved.path()).contains_key(*name)));

    // NomicBERT's first checkpoints: a masked-LM head without biases of linear layers.
    let nomic = copy("nomic_bert");
    let mut tensors = weights(nomic.path());
    for name in ["cls.predictions.transform.dense.bias", "cls.predictions.bias"] {
        tensors.remove(name).expect("a bias");
    }
    candle_core::safetensors::save(&tensors, nomic.path().join("model.safetensors")).expect("weights");
    let config = ModelFolder::open(nomic.path()).and_then(|folder| folder.config()).expect("a configuration");
    let head = MaskedLmHead::in_folder(nomic.path(), &config, &Device::Cpu).expect("a head").expect("a head");
    assert!(numbers(head.bias()).iter().all(|&bias| bias == 0.0));

    // GTE: frequencies outlive the export, wherever the base has them.
    let path = |folder: &Path| folder.join("config.json");
    for (key, value) in [
        ("rope_theta", serde_json::json!(200.0)),
        ("rope_scaling", serde_json::json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 200.0})),
    ] {
        let gte = copy("gte");
        let mut keys = read(&path(gte.path()));
        keys["rope_parameters"] = serde_json::Value::Null;
        keys[key] = value;
        files::write_json(&path(gte.path()), &keys).expect("config.json");
        let theta = |folder: &Path| {
            let config = ModelFolder::open(folder).and_then(|folder| folder.config());
            config.expect("a configuration").rotary.map(|rotary| (rotary.theta, rotary.factor))
        };
        let before = theta(gte.path());
        assert!(before.is_some_and(|(theta, _)| theta == 200.0));
        assert_eq!(theta(save(gte.path()).path()), before);
    }
    // Without a class, a folder of the type `new` uses its tokenizer.json, before and after.
    let first = copy("gte-new");
    std::fs::remove_file(first.path().join("tokenizer_config.json")).expect("a file");
    assert_eq!(ids(save(first.path()).path()), ids(first.path()));
}

/// A folder with the keys of GTE's first configurations, with scaled positions and without token types: states are those
/// of its formula, and what is saved loads under the name that transformers knows.
#[test]
fn first_configurations_of_gte() {
    let whole = ModelFolder::open(&fixtures().join("gte-new")).expect("a fixture");
    let want = read_wanted(whole.path());
    for compute in [Compute::reference(), Compute::cpu()] {
        let encoder = whole.encoder(&compute).expect("the encoder");
        assert_eq!((encoder.config().family, encoder.config().type_vocab_size), (Family::Gte, 0));
        let batch = Batch::new(&want.sentences).expect("a batch");
        let states = encoder.forward(&batch, &last_states(encoder.as_ref())).expect("a pass").states;
        let error = difference(&numbers(&states[0]), &want.states);
        println!("{}: largest error of states {error:.1e}", compute.engine);
        assert!(error < 1e-5, "{}: {error}", compute.engine);
    }
    let kept = std::env::var_os("MICSE_WRITTEN").map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let out = kept.as_deref().unwrap_or(temporary.path()).join("gte-new-mean");
    let encoder = whole.encoder(&Compute::cpu()).expect("the encoder");
    save_model(&out, encoder.as_ref(), &whole, Pooling::Mean, DType::F32).expect("a folder");
    let again = SentenceModel::open(&out).expect("what was written");
    assert_eq!(again.encoder().config(), encoder.config());
    let text = std::fs::read_to_string(out.join("config.json")).expect("config.json");
    let keys: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&keys["model_type"], &keys["rope_parameters"]["rope_type"]),
        (&"gte".into(), &"linear".into())
    );
    assert!(keys.get("rope_scaling").is_none() && keys.get("rope_theta").is_none(), "{text}");
}

fn names(folder: &Path) -> BTreeSet<String> {
    let bytes = std::fs::read(folder.join("model.safetensors")).expect("weights");
    candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("weights").into_keys().collect()
}

#[test]
fn folders_come_back_as_they_were() {
    let kept = std::env::var_os("MICSE_WRITTEN").map(PathBuf::from);
    let mut rows = BTreeMap::new();
    for family in Family::ALL {
        let base = folder(family);
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let temporary = tempfile::tempdir().expect("a folder");
            let out = kept.as_deref().unwrap_or(temporary.path()).join(format!("{family}-{pooling}"));
            let encoder = base.encoder(&Compute::cpu()).expect("the encoder");
            save_model(&out, encoder.as_ref(), &base, pooling, DType::F32).expect("a folder");
            let again = SentenceModel::open(&out).expect("what was written");
            assert_eq!(
                (again.pooling(), again.max_length()),
                (pooling, 38.min(encoder.config().max_position_embeddings))
            );
            for (a, b) in
                again.encoder().values().expect("values").iter().zip(encoder.values().expect("values"))
            {
                assert_eq!(numbers(a), numbers(&b), "{family}");
            }
            let want = SentenceModel::load(&base, Some(pooling), &Compute::cpu()).expect("the model");
            let embeddings = again.encode(&SENTENCES).expect("embeddings");
            assert_eq!(embeddings, want.encode(&SENTENCES).expect("embeddings"), "{family}");
            rows.insert(format!("{family}-{pooling}"), embeddings);

            // Saved folders use the family's tensor names without prefix and head, and keep known and unknown keys.
            let prefix = if family == Family::ModernBert { "model" } else { family.name() };
            let own: BTreeSet<String> = names(base.path())
                .iter()
                .filter_map(|name| name.split_once('.').filter(|(first, _)| prefix.ends_with(first)))
                .map(|(_, name)| name.to_owned())
                .collect();
            assert_eq!(names(&out), own, "{family}");
            let config = std::fs::read_to_string(out.join("config.json")).expect("config.json");
            let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
            assert_eq!(config["id2label"]["1"], "as it is", "{family}");
            let class = config["architectures"][0].as_str().expect("a class");
            assert!(
                class.ends_with("Model")
                    && class.to_lowercase().starts_with(&family.name().replace(['-', '_'], ""))
            );
            assert_eq!(config["max_position_embeddings"], 40);
        }
    }
    // With two linear layers after the pooling.
    let temporary = tempfile::tempdir().expect("a folder");
    let out = kept.as_deref().unwrap_or(temporary.path()).join("with-dense");
    let base = folder(Family::DistilBert);
    let encoder = base.encoder(&Compute::cpu()).expect("the encoder");
    save_model(&out, encoder.as_ref(), &base, Pooling::Mean, DType::F32).expect("a folder");
    let mut draws = Stream::new(9).draws();
    for (outputs, inputs, f) in [(10, 24, DenseActivation::Tanh), (6, 10, DenseActivation::Identity)] {
        let mut normal = |n: usize| (0..n).map(|_| 0.2 * draws.normal() as f32).collect::<Vec<f32>>();
        let dense = Dense::new(normal(outputs * inputs), Some(normal(outputs)), inputs, f).expect("a layer");
        add_dense(&out, &dense).expect("a module");
    }
    let embeddings = SentenceModel::open(&out).expect("the model").encode(&SENTENCES).expect("embeddings");
    assert_eq!(embeddings[0].len(), 6);
    rows.insert("with-dense".into(), embeddings);
    if let Some(kept) = kept {
        let all = serde_json::json!({"sentences": SENTENCES, "rows": rows});
        files::write_json(&kept.join("rows.json"), &all).expect("rows.json");
    }
}

/// Every family finds its mask token, masks sentences, and learns to predict the masked tokens.
#[test]
fn masked_lm_trains_in_every_family() {
    for family in Family::ALL {
        let base = folder(family);
        let (encoder, tokenizer) = (base.encoder(&Compute::cpu()), base.tokenizer());
        let (encoder, tokenizer) = (encoder.expect("the encoder"), tokenizer.expect("the tokenizer"));
        let recipe = micse_tests::setting::recipe("simcse-mlm", &["optimizer.batch_size=4"]);
        let marked = [Family::Roberta, Family::XlmRoberta, Family::Mpnet, Family::Gte].contains(&family);
        let mask = if marked { "<mask>" } else { "[MASK]" };
        assert_eq!(tokenizer.mask_token().as_deref(), Some(mask), "{family}");
        let vocabulary = micse_train::masked_lm::mask_vocabulary(&tokenizer).expect("a mask");
        assert_eq!(Some(vocabulary.mask()), tokenizer.id(mask), "{family}");
        // A masking rate of 1 masks every token except the special tokens around the sentence.
        let ids = tokenizer.encode(SENTENCES[1], 40).expect("ids");
        let all = Masking { rate: 1.0, whole_words: false }.apply(&ids, &vocabulary, Stream::new(1));
        assert!(!all.positions.contains(&0) && !all.positions.contains(&(ids.len() as u32 - 1)), "{family}");
        let unknown = ["[UNK]", "<unk>"].map(|token| tokenizer.id(token));
        let ordinary = ids.iter().filter(|id| !unknown.contains(&Some(**id))).count() - 2;
        assert_eq!(all.positions.len(), ordinary, "{family}");
        let mut trainer = micse_train::Trainer::new(recipe, 48, encoder, tokenizer, 5, &Device::Cpu)
            .unwrap_or_else(|e| panic!("{family}: {e}"));
        let mut losses = Vec::new();
        // Four layers, or a gate, learn more slowly.
        let steps = match family {
            Family::NomicBert | Family::Gte => 300,
            Family::ModernBert => 120,
            _ => 60,
        };
        for _ in 0..steps {
            let report = trainer.step(&|number| SENTENCES[number as usize], false).expect("a step");
            losses.extend(report.terms.iter().find(|(term, _)| *term == "masked-lm").map(|(_, loss)| *loss));
        }
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..10]), mean(&losses[steps - 10..]));
        println!("{family}: loss {first} at first, {last} at the end");
        assert!(last < 0.8 * first, "{family}: loss {first} at first, {last} at the end");
    }
}

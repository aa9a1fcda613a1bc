//! Models in ONNX's format: what the file contains, what its operators compute by their definitions, and, with Python, what
//! onnxruntime computes from it.
//!
//! `MICSE_PYTHON` names a Python with onnx, onnxruntime and tokenizers; without it, the comparison is skipped.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};
use micse_tests::folders::Cases;
use micse_tests::onnx::{Array, run};
use micse_tests::protobuf::Message;
use micse_tests::root;
use serde_json::json;
use tempfile::TempDir;

const FAMILIES: [&str; 5] = ["bert", "distilbert", "mpnet", "roberta", "xlm-roberta"];

/// Folders with modules, prompts, limits and tokenizers of their own.
const WITH_MODULES: [&str; 22] = [
    "normalize",
    "dense activation.Tanh",
    "dense activation.ReLU",
    "dense activation.GELU",
    "dense activation.Sigmoid",
    "dense activation.SiLU",
    "dense activation.LeakyReLU",
    "dense linear.Identity",
    "dense without activation or bias",
    "dense with a residual",
    "dense with a projected residual",
    "layer norm",
    "dropout",
    "everything",
    "truncate_dim",
    "max_seq_length",
    "truncation from the left",
    "a cased tokenizer.json under BertTokenizer",
    "prompt lower-cased",
    "vocab.txt",
    "roberta, merges",
    "additional_special_tokens",
];

/// The folder of a family's fixture, exported; `pooling` replaces mean.
fn exported(family: &str, pooling: Pooling) -> (TempDir, SentenceModel<'static>) {
    let base = ModelFolder::open(&root().join("tests/fixtures/architectures").join(family)).expect(family);
    let model = SentenceModel::load(&base, Some(pooling), &Compute::cpu()).expect(family);
    let folder = tempfile::tempdir().expect("a folder");
    model.save_onnx(folder.path(), &base).expect(family);
    (folder, model)
}

/// A folder of tests/fixtures/folders, exported.
fn exported_case(name: &str) -> (TempDir, SentenceModel<'static>) {
    let case = Cases::named(name).folder();
    let base = ModelFolder::open(case.path()).expect(name);
    let model = SentenceModel::load(&base, None, &Compute::cpu()).expect(name);
    let folder = tempfile::tempdir().expect("a folder");
    model.save_onnx(folder.path(), &base).expect(name);
    (folder, model)
}

/// Name, type and dimensions of the inputs (field 11) or outputs (12) of a graph.
fn ends(graph: &Message<'_>, field: u64) -> Vec<(String, u64, Vec<String>)> {
    let of = |value: Message<'_>| {
        let tensor = value.messages(2).remove(0).messages(1).remove(0);
        let size = |size: Message<'_>| size.texts(2).pop().unwrap_or_else(|| size.numbers(1)[0].to_string());
        let shape = tensor.messages(2).remove(0).messages(1).into_iter().map(size).collect();
        (value.text(1), tensor.numbers(1)[0], shape)
    };
    graph.messages(field).into_iter().map(of).collect()
}

#[test]
fn the_file_has_the_names_shapes_and_constants_of_the_model() {
    for family in FAMILIES {
        let (folder, model) = exported(family, Pooling::Mean);
        let bytes = std::fs::read(folder.path().join("onnx/model.onnx")).expect("the file");
        let file = Message::of(&bytes);
        let opset = file.messages(8).remove(0);
        assert_eq!((file.numbers(1), opset.numbers(2), opset.text(1)), (vec![8], vec![17], String::new()));
        let graph = file.messages(7).remove(0);

        let batch = ["batch_size", "sequence_length"].map(str::to_owned).to_vec();
        let mut names = vec!["input_ids", "attention_mask"];
        if family == "bert" {
            names.push("token_type_ids");
        }
        let inputs: Vec<_> = names.into_iter().map(|name| (name.to_owned(), 7, batch.clone())).collect();
        assert_eq!(ends(&graph, 11), inputs, "{family}");
        let states = [batch, vec!["24".to_owned()]].concat();
        let rows = vec!["batch_size".to_owned(), "24".to_owned()];
        let outputs = [("token_embeddings", states), ("sentence_embedding", rows)];
        assert_eq!(ends(&graph, 12), outputs.map(|(name, shape)| (name.to_owned(), 1, shape)), "{family}");

        // Every input of a node is known before it, and every constant is used.
        let constants = graph.messages(5);
        let constant_names: Vec<String> = constants.iter().map(|tensor| tensor.text(8)).collect();
        let mut known: Vec<String> = ends(&graph, 11).into_iter().map(|(name, ..)| name).collect();
        known.extend(constant_names.iter().cloned());
        let mut used = Vec::new();
        for node in graph.messages(1) {
            for input in node.texts(1) {
                assert!(known.contains(&input), "{family}: {input} of {}", node.text(3));
                used.push(input);
            }
            for output in node.texts(2) {
                assert!(!known.contains(&output), "{family}: {output} twice");
                known.push(output);
            }
            if node.text(4) == "LayerNormalization" {
                let epsilon = node.messages(5).into_iter().find(|a| a.text(1) == "epsilon").expect("epsilon");
                let wanted = model.encoder().config().layer_norm_eps as f32;
                assert_eq!((epsilon.floats(2), epsilon.numbers(20)), (vec![wanted], vec![1]), "{family}");
            }
        }
        for name in &constant_names {
            assert!(used.contains(name), "{family}: {name} is not used");
        }
        check_constants(family, &model, &constants);
    }
}

/// Every parameter of the encoder is among the constants, linear layers transposed.
fn check_constants(family: &str, model: &SentenceModel<'_>, constants: &[Message<'_>]) {
    let mut stored = BTreeMap::new();
    for tensor in constants {
        let shape: Vec<usize> = tensor.numbers(1).into_iter().map(|size| size as usize).collect();
        let bytes = tensor.bytes(9).remove(0);
        if tensor.numbers(2) == [1] {
            let values: Vec<f32> =
                bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{family}");
            stored.insert(tensor.text(8), (shape, values));
        } else {
            assert_eq!((tensor.numbers(2), bytes.len()), (vec![7], 8 * shape.iter().product::<usize>()));
        }
    }
    let encoder = model.encoder();
    let (mut same, mut transposed) = (0, 0);
    for (info, value) in encoder.parameters().iter().zip(encoder.values().expect("values")) {
        let plain: Vec<f32> = value.flatten_all().and_then(|v| v.to_vec1()).expect("values");
        let turned = (info.shape.len() == 2).then(|| {
            let turned = value.t().and_then(|v| v.contiguous()).and_then(|v| v.flatten_all());
            turned.and_then(|v| v.to_vec1::<f32>()).expect("values")
        });
        let is = |wanted: &Vec<f32>| stored.values().any(|(_, values)| values == wanted);
        if is(&plain) {
            same += 1;
        } else if turned.as_ref().is_some_and(is) {
            transposed += 1;
        } else {
            // Written in another form: types as one row, distances by distance.
            assert!(
                info.name.contains("token_type") || info.name.contains("relative_attention"),
                "{}",
                info.name
            );
        }
    }
    let layers = encoder.config().num_hidden_layers;
    assert!(
        transposed >= 6 * layers && same > 10 * layers,
        "{family}: {same} as they are, {transposed} transposed"
    );
}

/// Computes the file's embeddings of a padded batch by the definitions of the operators, and compares.
fn compare_by_definition(name: &str, folder: &Path, model: &SentenceModel<'_>, texts: &[String]) {
    let bytes = std::fs::read(folder.join("onnx/model.onnx")).expect("the file");
    let ids = model.pipeline().tokenize(texts, model.max_length()).expect("tokens");
    let width = ids.iter().map(Vec::len).max().expect("texts");
    let pad = f64::from(model.encoder().config().pad_token_id);
    let padded = |of: &dyn Fn(u32) -> f64, pad: f64| Array {
        shape: vec![ids.len(), width],
        values: ids.iter().flat_map(|ids| (0..width).map(|i| ids.get(i).map_or(pad, |&id| of(id)))).collect(),
    };
    let inputs = [
        ("input_ids", padded(&f64::from, pad)),
        ("attention_mask", padded(&|_| 1.0, 0.0)),
        ("token_type_ids", padded(&|_| 0.0, 0.0)),
    ];
    let found = run(&Message::of(&bytes), inputs.map(|(name, array)| (name.to_owned(), array)).into());
    let (found, expected) = (&found["sentence_embedding"], model.encode(texts).expect("rows"));
    assert_eq!(found.shape, [texts.len(), model.dimension()], "{name}");
    let largest = expected.iter().flatten().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.values.iter().zip(expected.iter().flatten()) {
        assert!(
            (found - f64::from(*expected)).abs() < 1e-5 * f64::from(largest),
            "{name}: {found}, {expected}"
        );
    }
}

#[test]
fn the_operators_compute_the_same_embeddings() {
    let texts = Cases::read().texts;
    for family in FAMILIES {
        for pooling in [Pooling::Mean, Pooling::Cls] {
            let (folder, model) = exported(family, pooling);
            compare_by_definition(&format!("{family}, {pooling}"), folder.path(), &model, &texts);
        }
    }
    for name in WITH_MODULES {
        let (folder, model) = exported_case(name);
        compare_by_definition(name, folder.path(), &model, &texts);
    }
}

#[test]
fn what_the_file_cannot_express_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = ModelFolder::open(&root().join("tests/fixtures/architectures/bert")).expect("a model");
    let model = SentenceModel::load(&base, Some(Pooling::FirstLastAvg), &Compute::cpu()).expect("a model");
    let error = model.save_onnx(folder.path(), &base).expect_err("a pooling").to_string();
    assert!(error.contains("first-last-avg") && error.contains("cls or mean"), "{error}");
    let prompted = Cases::named("prompt out of the mean").folder();
    let base = ModelFolder::open(prompted.path()).expect("a model");
    let model = SentenceModel::load(&base, None, &Compute::cpu()).expect("a model");
    let error = model.save_onnx(folder.path(), &base).expect_err("a prompt").to_string();
    assert!(error.contains("prompt") && error.contains("ONNX"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

/// The tokenizer in effect is written, with the limit and padding that users of ONNX files read.
#[test]
fn the_tokenizer_is_the_one_in_effect() {
    // transformers lower-cases here, although tokenizer.json does not.
    let case = Cases::named("a cased tokenizer.json under BertTokenizer").folder();
    let base = ModelFolder::open(case.path()).expect("a model");
    let model = SentenceModel::load(&base, None, &Compute::cpu()).expect("a model");
    let folder = tempfile::tempdir().expect("a folder");
    model.save_onnx(folder.path(), &base).expect("a folder");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join(name)).expect(name)).expect("JSON")
    };
    assert_eq!(read("tokenizer.json")["normalizer"]["lowercase"], true);
    let config = read("tokenizer_config.json");
    assert_eq!(config["model_max_length"].as_u64(), Some(model.max_length() as u64));
    assert_eq!(config["pad_token"], "[PAD]");
}

/// Compares what onnxruntime computes from an exported folder with the model's embeddings. The prompt is the caller's.
fn compare(python: &Path, name: &str, folder: &Path, model: &SentenceModel<'_>, texts: &[String]) {
    let rows = folder.join("rows.json");
    let prompted: Vec<String> = texts.iter().map(|text| format!("{}{text}", model.prompt())).collect();
    let known = json!({"texts": prompted, "rows": model.encode(texts).expect("rows")});
    std::fs::write(&rows, known.to_string()).expect("rows.json");
    let script = root().join("tests/fixtures/onnx/check.py");
    let ended = Command::new(python).arg(script).arg(folder).arg(rows).output().expect("Python starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&ended.stderr));
    println!("{name}: largest relative difference {}", said.trim());
}

#[test]
fn onnxruntime_computes_the_same_embeddings() {
    let Some(python) = std::env::var_os("MICSE_PYTHON") else {
        // Bypasses the test harness, which hides the output of passing tests.
        let _ = writeln!(std::io::stderr(), "skipped: onnxruntime (MICSE_PYTHON is not set)");
        return;
    };
    let python = Path::new(&python);
    let cases = Cases::read();
    for family in FAMILIES {
        for pooling in [Pooling::Mean, Pooling::Cls] {
            let (folder, model) = exported(family, pooling);
            compare(python, &format!("{family}, {pooling}"), folder.path(), &model, &cases.texts);
        }
    }
    for name in WITH_MODULES {
        let (folder, model) = exported_case(name);
        compare(python, name, folder.path(), &model, &cases.texts);
    }
}

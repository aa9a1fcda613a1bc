//! Models of token vectors give the embeddings of sentence-transformers and of model2vec. The expected values were
//! written by tests/fixtures/static/write.py.

use std::path::Path;

use candle_core::{Device, Tensor};
use micse_model::{
    Compute, Model, ModelFolder, Pooling, SentenceModel, StaticFolder, StaticModel, save_safetensors,
};
use micse_tests::token_vectors::StaticCases;
use serde_json::{Value, json};

#[test]
fn every_folder_gives_the_rows_of_its_library() {
    let StaticCases { texts, cases } = StaticCases::read();
    let mut wrong = Vec::new();
    for case in &cases {
        let folder = case.folder();
        let found = StaticFolder::open(folder.path()).expect("token vectors");
        assert_eq!(found.library(), case.library, "{}", case.name);
        assert_eq!(found.unknown_keys().expect("keys"), Vec::<String>::new(), "{}", case.name);
        let model = Model::open(folder.path()).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let rows = model.encode(&texts).expect("rows");
        assert!(rows.iter().all(|row| row.len() == model.dimension()), "{}", case.name);
        for ((text, a), b) in texts.iter().zip(&rows).zip(&case.rows) {
            assert_eq!(a.len(), b.len(), "{}", case.name);
            let worst = a.iter().zip(b).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
            let largest = b.iter().fold(1.0_f32, |largest, b| largest.max(b.abs()));
            if worst > case.tolerance * largest {
                wrong.push(format!("{}, {text:?}: {worst:e}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cases.len(), 20);
}

/// A sentence's embedding does not depend on the others, nor on their number.
#[test]
fn one_by_one_and_together_are_the_same() {
    let StaticCases { texts, .. } = StaticCases::read();
    let folder = StaticCases::named("modules and settings").folder();
    let model = StaticModel::open(folder.path()).expect("a model");
    let together = model.encode(&texts).expect("rows");
    let single = |text: &String| model.encode(&[text]).expect("a row").remove(0);
    assert_eq!(together, texts.iter().map(single).collect::<Vec<_>>());
}

#[test]
fn truncation_keeps_the_first_entries() {
    let StaticCases { texts, .. } = StaticCases::read();
    // The folder itself truncates 6 entries to 4.
    let folder = StaticCases::named("modules and settings").folder();
    let open = || Model::open(folder.path()).expect("a model");
    let whole = open().truncated_to(6).expect("6 of 6").encode(&texts).expect("rows");
    assert_eq!((open().dimension(), open().truncate_dim()), (4, Some(4)));
    let short = open().truncated_to(2).expect("2 of 6");
    assert_eq!((short.dimension(), short.truncate_dim()), (2, Some(2)));
    for (short, whole) in short.encode(&texts).expect("rows").iter().zip(&whole) {
        assert_eq!(short[..], whole[..2]);
    }
    for entries in [0, 7] {
        let error = open().truncated_to(entries).err().expect("refused").to_string();
        assert!(error.contains(&format!("to {entries} entries")) && error.contains("have 6"), "{error}");
    }
}

#[test]
fn what_needs_an_encoder_refuses_token_vectors() {
    for name in ["plain", "a folder of its own", "model2vec"] {
        let folder = StaticCases::named(name).folder();
        for error in [
            ModelFolder::open(folder.path()).expect_err("no encoder"),
            SentenceModel::open(folder.path()).err().expect("no encoder"),
        ] {
            let error = error.to_string();
            assert!(error.contains("token vectors") && error.contains("not trained or exported"), "{error}");
        }
    }
    // A pooling concerns encoders alone.
    let folder = StaticCases::named("plain").folder();
    Model::load(folder.path(), Some(Pooling::Mean), &Compute::cpu()).expect("a model");
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut json = serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON");
    change(&mut json);
    std::fs::write(path, json.to_string()).expect("a file");
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let refused = |folder: &Path, reasons: &[&str]| {
        let error = Model::open(folder).err().unwrap_or_else(|| panic!("accepted: {reasons:?}")).to_string();
        assert!(reasons.iter().all(|reason| error.contains(reason)), "{reasons:?}: {error}");
    };
    let weights = |folder: &Path, tensors: &[(&str, Tensor)]| {
        let named: Vec<(String, Tensor)> =
            tensors.iter().map(|(n, t)| ((*n).to_owned(), t.clone())).collect();
        save_safetensors(&folder.join("model.safetensors"), &named).expect("weights");
    };
    let zeros =
        |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).expect("a tensor");
    let integers = |values: &[i64]| Tensor::new(values, &Device::Cpu).expect("a tensor");

    let folder = StaticCases::named("plain").folder();
    let path = folder.path();
    weights(path, &[("embedding.weight", zeros(&[3, 8]))]);
    refused(path, &["tokenizer.json", "only 3 have a vector"]);
    weights(path, &[("embedding.weight", zeros(&[60]))]);
    refused(path, &["model.safetensors", "[60]", "a table"]);
    weights(path, &[("vectors", zeros(&[60, 8]))]);
    refused(path, &["model.safetensors", "neither `embedding.weight` nor `embeddings`"]);
    weights(path, &[("embeddings", zeros(&[2, 8])), ("mapping", integers(&[0, 1, 2]))]);
    refused(path, &["`mapping` of token 2 is 2", "2 rows"]);
    weights(path, &[("embeddings", zeros(&[2, 8])), ("mapping", integers(&[0, -1]))]);
    refused(path, &["`mapping` of token 1 is -1"]);
    weights(path, &[("embeddings", zeros(&[60, 8])), ("weights", zeros(&[59]))]);
    refused(path, &["`weights` has 59 entries for 60 tokens"]);
    std::fs::remove_file(path.join("tokenizer.json")).expect("a file");
    refused(path, &["tokenizer.json", "no such file"]);

    let folder = StaticCases::named("modules and settings").folder();
    let path = folder.path();
    rewrite(&path.join("modules.json"), |list| list.as_array_mut().expect("a list").swap(1, 3));
    refused(path, &["modules.json", "LayerNorm", "expects 6 entries", "have 8"]);
    rewrite(&path.join("modules.json"), |list| {
        list[1]["type"] = json!("sentence_transformers.models.Pooling");
    });
    refused(path, &["modules.json", "Pooling", "not supported"]);

    for (key, value) in [("max_length", json!(0)), ("max_length", json!("long")), ("normalize", json!("yes"))]
    {
        let folder = StaticCases::named("model2vec").folder();
        rewrite(&folder.path().join("config.json"), |keys| keys[key] = value);
        refused(folder.path(), &["config.json", key]);
    }
    let folder = StaticCases::named("model2vec").folder();
    rewrite(&folder.path().join("config.json"), |keys| keys["of_tomorrow"] = json!(1));
    let folder = StaticFolder::open(folder.path()).expect("token vectors");
    assert_eq!(folder.unknown_keys().expect("keys"), ["config.json: of_tomorrow"]);
}

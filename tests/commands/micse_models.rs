//! Commands on other models than those with an encoder and whole embeddings: token vectors, truncated embeddings.

use std::path::Path;

use micse_eval::Evaluation;
use micse_model::Model;
use micse_tests::token_vectors::StaticCases;
use micse_tests::{Ended, root, run, write_small_sts};
use serde_json::Value;

fn micse(arguments: &[&str]) -> Ended {
    run(env!("CARGO_BIN_EXE_micse"), None, arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}

#[test]
fn token_vectors_are_encoded_searched_compared_and_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let sentences = ["the dog runs over the hill", "a small sheep sings", "the old farmer"];
    let (input, sts, saved) = (path("notes.txt"), path("sts"), path("notes.npy"));
    std::fs::write(&input, sentences.join("\n")).expect("notes.txt");
    write_small_sts(&sts);
    for name in ["a folder of its own", "model2vec, normalize"] {
        let model = StaticCases::named(name).folder();
        let model = text(model.path());
        let want = Model::open(model).and_then(|model| model.encode(&sentences)).expect("rows");

        let lines = micse(&["encode", "--model", model, "--input", text(&input)]).output();
        for (line, want) in lines.lines().zip(&want) {
            let row: Vec<f32> = serde_json::from_value(json(line)["embedding"].clone()).expect("a row");
            assert_eq!(row, *want, "{name}");
        }
        let search =
            ["--json", "search", "--model", model, "--corpus", text(&input), "--query", sentences[1]];
        let hits = json(&micse(&search).output());
        assert_eq!(hits[0]["hits"][0]["row"], 1, "{hits}");
        let cosine = micse(&["similarity", "--model", model, sentences[0], sentences[0]]).output();
        assert_eq!(cosine.trim(), "1.0000");
        let compared = ["--json", "compare", model, "demo", "--corpus", text(&input), "--top", "1"];
        assert_eq!(json(&micse(&compared).output())["sentences"], 3);

        let scores = micse(&["--json", "eval", "--model", model, "--sts", text(&sts)]).output();
        let scores = Evaluation::from_json(&scores).expect("an evaluation");
        assert_eq!((scores.pooling.as_str(), scores.dimension, scores.truncate_dim), ("mean", Some(8), None));
        let inspected = micse(&["inspect", model]).output();
        for part in ["mean of token vectors (StaticEmbedding)", "dimension 8", "embeddings as by"] {
            assert!(inspected.contains(part), "{part} is not in {inspected}");
        }

        let encode = ["encode", "--model", model, "--input", text(&input), "--pooling", "cls"];
        micse(&encode).refused(&["token vectors", "remove --pooling"]);
        let (run, out) = (path("run"), path("out"));
        let train = ["train", "--model", model, "--corpus", text(&input), "--out", text(&run)];
        micse(&train).refused(&["token vectors", "not trained or exported"]);
        micse(&["export", model, "--output", text(&out)])
            .refused(&["token vectors", "not trained or exported"]);
        assert!(!out.exists());
        std::fs::remove_file(&saved).ok();
    }
}

#[test]
fn a_model_is_exported_for_onnx() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (onnx, int8) = (path("onnx"), path("int8"));
    let export = |arguments: &[&str]| micse(&[&["export", "demo", "--output"], arguments].concat());
    export(&[text(&int8), "--format", "onnx", "--precision", "f16"]).refused(&["f32", "remove --precision"]);
    export(&[text(&int8), "--format", "onnx", "--calibrate", "notes.txt"]).refused(&["--precision int8"]);
    export(&[text(&int8), "--format", "onnx", "--pooling", "top2-avg"]).refused(&["cls or mean"]);
    assert!(!int8.exists());

    let report = json(&export(&[text(&onnx), "--format", "onnx", "--json"]).output());
    assert_eq!((report["pooling"].as_str(), report["dimension"].as_u64()), (Some("mean"), Some(256)));
    let size = onnx.join("onnx/model.onnx").metadata().expect("the file").len();
    assert_eq!(report["bytes"].as_u64(), Some(size));
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "README.md"] {
        assert!(onnx.join(name).is_file(), "{name}");
    }
    let config = json(&std::fs::read_to_string(onnx.join("tokenizer_config.json")).expect("a file"));
    assert_eq!(config["model_max_length"], report["max_length"]);
    // Other programs read the file; this one names it in its error.
    micse(&["similarity", "--model", text(&onnx), "a", "b"]).refused(&["found onnx", "cannot read"]);
    micse(&["export", "demo", "--output", text(&onnx), "--format", "onnx"]).refused(&["not empty"]);
}

#[test]
fn truncated_embeddings_are_the_first_entries_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let sentences = ["The doctor visited the old hospital.", "A nurse saw the clinic.", "The river is wide."];
    let (input, sts, saved) = (path("notes.txt"), path("sts"), path("notes.npy"));
    std::fs::write(&input, sentences.join("\n")).expect("notes.txt");
    write_small_sts(&sts);
    let whole =
        Model::open(root().join("data/encoder")).and_then(|model| model.encode(&sentences)).expect("rows");

    let encode = ["encode", "--model", "demo", "--input", text(&input), "--truncate-dim", "5"];
    let lines = micse(&encode).output();
    for (line, whole) in lines.lines().zip(&whole) {
        let row: Vec<f32> = serde_json::from_value(json(line)["embedding"].clone()).expect("a row");
        assert_eq!(row, whole[..5]);
    }
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let similarity = ["similarity", "--model", "demo", "--truncate-dim", "5", sentences[0], sentences[1]];
    let found: f64 = micse(&similarity).output().trim().parse().expect("a number");
    assert!((found - cosine(&whole[0][..5], &whole[1][..5])).abs() < 1e-4, "{found}");

    // Saved embeddings of another truncation are not reused.
    let search = |more: &[&str]| {
        let common = ["search", "--model", "demo", "--corpus", text(&input), "--save", text(&saved)];
        let ended = micse(&[&common[..], &["--query", sentences[2]], more].concat());
        let reused = ended.stderr.contains("reusing");
        assert!(ended.output().contains("1.0000"));
        reused
    };
    assert!(!search(&[]) && search(&[]));
    assert!(!search(&["--truncate-dim", "5"]) && search(&["--truncate-dim", "5"]));
    assert!(!search(&["--truncate-dim", "6"]) && !search(&[]));

    let eval = |more: &[&str]| {
        let ended = micse(&[&["eval", "--model", "demo", "--sts", "demo", "--transfer"], more].concat());
        assert!(ended.success, "{}", ended.stderr);
        ended.stdout
    };
    let scores = |more: &[&str]| Evaluation::from_json(&eval(&[more, &["--json"]].concat())).expect("scores");
    let (all, few) = (scores(&[]), scores(&["--truncate-dim", "5"]));
    assert_eq!((all.dimension, all.truncate_dim), (Some(256), None));
    assert_eq!((few.dimension, few.truncate_dim), (Some(5), Some(5)));
    assert!(all.average > few.average, "{} {}", all.average, few.average);
    let accuracy = |scores: &Evaluation| scores.transfer.as_ref().expect("transfer").average;
    assert!(accuracy(&all) > accuracy(&few), "{} {}", accuracy(&all), accuracy(&few));
    let table = eval(&["--truncate-dim", "5"]);
    assert!(table.contains("first 5 entries") && table.contains("transfer, first 5 entries"), "{table}");

    let too_many = ["--model", "demo", "--truncate-dim", "300"];
    for command in [&["encode", "--input", text(&input)][..], &["eval", "--sts", text(&sts)]] {
        micse(&[command, &too_many].concat()).refused(&["to 300 entries", "have 256"]);
    }
    let mteb = ["eval", "--model", "demo", "--truncate-dim", "5", "--mteb", text(&saved)];
    micse(&[&mteb[..], &["--sts", text(&sts)]].concat()).refused(&["--mteb-name OWNER/NAME-5d"]);
}

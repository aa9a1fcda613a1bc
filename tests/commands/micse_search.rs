//! `micse search` and `micse compare`, checked against a direct computation.

use std::path::Path;

use micse::SentenceModel;
use micse_tests::{Ended, root, run, write_small_model};
use serde_json::Value;

fn micse(arguments: &[&str]) -> Ended {
    run(env!("CARGO_BIN_EXE_micse"), None, arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn json(ended: Ended) -> Value {
    serde_json::from_str(&ended.output()).expect("JSON")
}

/// 300 different sentences.
fn notes() -> Vec<String> {
    let who = ["The doctor", "A farmer", "Our teacher", "The old captain", "A young singer"];
    let what = ["bought", "repaired", "forgot", "painted", "described", "sold"];
    let which = ["the red boat", "a broken pump", "the long story", "an apple tree", "her first horse"];
    let when = ["in winter", "yesterday"];
    (0..300)
        .map(|i| format!("{} {} {} {}.", who[i % 5], what[i / 5 % 6], which[i / 30 % 5], when[i / 150]))
        .collect()
}

/// The row and cosine of every sentence, best first, computed in f64.
fn brute_force(rows: &[Vec<f32>], query: &[f32]) -> Vec<(usize, f64)> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = |row: &Vec<f32>| dot(row, query) / (dot(row, row) * dot(query, query)).sqrt();
    let mut all: Vec<(usize, f64)> = rows.iter().map(cosine).enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

/// The row and cosine of each hit of a search.
fn hits(answer: &Value) -> Vec<(usize, f64)> {
    let hit = |hit: &Value| {
        (hit["row"].as_u64().expect("a row") as usize, hit["cosine"].as_f64().expect("a cosine"))
    };
    answer["hits"].as_array().expect("hits").iter().map(hit).collect()
}

#[test]
fn neighbours_are_the_true_ones_however_the_corpus_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (notes, corpus, queries) = (notes(), path("notes.txt"), path("queries.txt"));
    std::fs::write(&corpus, notes.join("\n")).expect("notes.txt");
    let asked = ["Somebody mended the pump.", "She sang a song.", "The horse was sold yesterday."];
    std::fs::write(&queries, asked.join("\n")).expect("queries.txt");
    let encoder = SentenceModel::open(root().join("data/encoder")).expect("the shipped encoder");
    let rows = encoder.encode(&notes).expect("rows");
    let from = ["search", "--model", "demo", "--top", "7", "--json", "--queries", text(&queries)];
    let search = |more: &[&str]| json(micse(&[&from[..], more].concat()));

    let found = search(&["--corpus", text(&corpus)]);
    for (answer, query) in found.as_array().expect("answers").iter().zip(asked) {
        assert_eq!(answer["query"], query);
        let want = brute_force(&rows, &encoder.encode(&[query]).expect("a row")[0]);
        for ((hit, (row, cosine)), shown) in
            hits(answer).into_iter().zip(&want).zip(answer["hits"].as_array().expect("hits"))
        {
            // Embeddings from different batches differ by rounding, so near ties may swap.
            assert!((hit.1 - cosine).abs() < 1e-5, "{hit:?} is not {row} {cosine}");
            assert_eq!(shown["sentence"], notes[hit.0]);
            let own = want.iter().find(|(row, _)| *row == hit.0).expect("the row").1;
            assert!((own - hit.1).abs() < 1e-5, "{hit:?} has the cosine {own}");
        }
        assert_eq!(hits(answer).len(), 7);
    }
    // The same with saved embeddings, with output of `encode`, and with a different number of threads.
    let (kept, rows_file) = (path("kept.npy"), path("rows.npy"));
    let saved = ["--corpus", text(&corpus), "--save", text(&kept)];
    assert_eq!(search(&saved), found);
    micse(&["encode", "--model", "demo", "--input", text(&corpus), "--output", text(&rows_file)]).output();
    assert_eq!(std::fs::read(&kept).expect("kept.npy"), std::fs::read(&rows_file).expect("rows.npy"));
    assert_eq!(search(&["--corpus", text(&rows_file), "--sentences", text(&corpus)]), found);
    assert_eq!(
        search(&["--corpus", text(&rows_file), "--sentences", text(&corpus), "--threads", "1"]),
        found
    );
    let plain = search(&["--corpus", text(&rows_file)]);
    assert!(plain[0]["hits"][0].get("sentence").is_none());
    assert_eq!(hits(&plain[0]), hits(&found[0]));
    let table =
        micse(&["search", "--model", "demo", "--corpus", text(&corpus), "--query", &notes[17]]).output();
    let best = format!("{}\n 1.0000   17  {}\n", notes[17], notes[17]);
    assert!(table.starts_with(&best) && table.lines().count() == 11, "{table}");
}

#[test]
fn kept_embeddings_are_those_of_text_and_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (corpus, kept) = (path("notes.txt"), path("kept.npy"));
    std::fs::write(&corpus, notes().join("\n")).expect("notes.txt");
    let search = |model: &str, pooling: &str| {
        let arguments = ["search", "--model", model, "--pooling", pooling, "--corpus", text(&corpus)];
        micse(&[&arguments[..], &["--save", text(&kept), "--query", "A pump."]].concat())
    };
    let reused = |ended: &Ended| ended.stderr.contains("of this corpus by this model");
    assert!(!reused(&search("demo", "mean")));
    assert!(reused(&search("demo", "mean")));
    assert!(!reused(&search("demo", "cls")));
    std::fs::write(&corpus, notes()[..200].join("\n")).expect("notes.txt");
    assert!(!reused(&search("demo", "cls")));
    assert!(reused(&search("demo", "cls")));
    let small = path("small");
    write_small_model(&small);
    assert!(!reused(&search(text(&small), "cls")));
    // Embeddings written by another command have no record of their model.
    micse(&["encode", "--model", "demo", "--input", text(&corpus), "--output", text(&kept)]).output();
    micse(&[
        "search",
        "--model",
        text(&small),
        "--pooling",
        "cls",
        "--corpus",
        text(&kept),
        "--query",
        "A pump.",
    ])
    .refused(&["32 entries", "256", "the model that encoded them"]);
}

#[test]
fn searches_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (corpus, rows) = (path("notes.txt"), path("rows.npy"));
    std::fs::write(&corpus, "one\ntwo\n").expect("notes.txt");
    micse(&["encode", "--model", "demo", "--input", text(&corpus), "--output", text(&rows)]).output();
    let search = |more: &[&str]| micse(&[&["search", "--model", "demo"], more].concat());
    search(&["--corpus", text(&corpus)]).refused(&["--query"]);
    search(&["--corpus", text(&rows), "--query", "x", "--save", "b.npy"]).refused(&["already encoded"]);
    search(&["--corpus", text(&corpus), "--query", "x", "--save", "b.bin"]).refused(&[".npy"]);
    search(&["--corpus", text(&corpus), "--query", "x", "--top", "0"]).refused(&["--top"]);
    let short = path("short.txt");
    std::fs::write(&short, "one\n").expect("short.txt");
    search(&["--corpus", text(&rows), "--query", "two", "--sentences", text(&short)])
        .refused(&["short.txt", "1 sentences"]);
    let bytes = std::fs::read(&rows).expect("rows.npy");
    std::fs::write(&rows, &bytes[..bytes.len() - 4]).expect("rows.npy");
    search(&["--corpus", text(&rows), "--query", "x"]).refused(&["rows.npy", "truncated"]);
}

#[test]
fn compare_shows_what_both_models_find() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (notes, corpus, small) = (notes(), path("notes.txt"), path("small"));
    std::fs::write(&corpus, notes.join("\n")).expect("notes.txt");
    write_small_model(&small);
    let compare = |a: &str, b: &str| {
        let arguments = ["compare", a, b, "--corpus", text(&corpus), "--pooling", "mean"];
        micse(&[&arguments[..], &["--top", "4", "--sample", "6", "--seed", "3", "--json"]].concat())
    };
    let same = json(compare("demo", "demo"));
    assert_eq!((&same["common"], &same["sentences"]), (&1.0.into(), &300.into()));
    assert_eq!(same["uniformity"][0], same["uniformity"][1]);
    let other = json(compare("demo", text(&small)));
    let sample = other["sample"].as_array().expect("a sample");
    assert_eq!(sample.len(), 6);
    let rows = SentenceModel::open(root().join("data/encoder"))
        .expect("the shipped encoder")
        .encode(&notes)
        .expect("rows");
    let mut common = 0;
    for sampled in sample {
        let row = sampled["row"].as_u64().expect("a row") as usize;
        assert_eq!(sampled["sentence"], notes[row]);
        let want = brute_force(&rows, &rows[row]);
        let want: Vec<_> = want.into_iter().filter(|(other, _)| *other != row).take(4).collect();
        let found = |side: usize| {
            let neighbour = |n: &Value| {
                (n["row"].as_u64().expect("a row") as usize, n["cosine"].as_f64().expect("a cosine"))
            };
            sampled["neighbours"][side]
                .as_array()
                .expect("neighbours")
                .iter()
                .map(neighbour)
                .collect::<Vec<_>>()
        };
        for (found, want) in found(0).iter().zip(&want) {
            assert!((found.1 - want.1).abs() < 1e-5 && found.0 != row, "{found:?} is not {want:?}");
        }
        let shared =
            found(0).iter().filter(|(row, _)| found(1).iter().any(|(other, _)| other == row)).count();
        assert_eq!(sampled["common"], shared);
        common += shared;
    }
    assert!((other["common"].as_f64().expect("a share") - common as f64 / 24.0).abs() < 1e-12);
    // Uniformity by definition, over all pairs of the 300 sentences.
    let unit = |row: &Vec<f32>| {
        let norm = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|&v| f64::from(v) / norm).collect::<Vec<_>>()
    };
    let units: Vec<_> = rows.iter().map(unit).collect();
    let mut sum = 0.0;
    for (i, a) in units.iter().enumerate() {
        for b in &units[..i] {
            sum += (-2.0 * a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>()).exp();
        }
    }
    let want = (sum / (300.0 * 299.0 / 2.0)).ln();
    assert!((other["uniformity"][0].as_f64().expect("a number") - want).abs() < 1e-4);
    let plain = micse(&[
        "compare",
        "demo",
        text(&small),
        "--pooling",
        "mean",
        "--sentences",
        text(&corpus),
        "--top",
        "2",
    ]);
    let plain = plain.output();
    assert!(
        plain.contains("[20] ") && plain.contains("A: demo") && plain.contains("neighbours in both: "),
        "{plain}"
    );
    std::fs::write(&corpus, "one alone\n").expect("notes.txt");
    compare("demo", "demo").refused(&["no neighbours"]);
}

/// As `encode_query` and `encode_document` of sentence-transformers choose them.
#[test]
fn queries_and_sentences_get_their_prompts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (model, corpus, rows) = (path("model"), path("notes.txt"), path("rows.npy"));
    std::fs::write(&corpus, notes().join("\n")).expect("notes.txt");
    micse(&["export", "demo", "--output", text(&model)]).output();
    let settings = r#"{"prompts": {"query": "find: ", "document": "note: ", "other": "a "}}"#;
    std::fs::write(model.join("config_sentence_transformers.json"), settings).expect("settings");

    let search = |corpus: &Path, model: &str, query: &str| {
        let ended =
            micse(&["search", "--model", model, "--corpus", text(corpus), "--query", query, "--json"]);
        assert_eq!(
            ended.stderr.contains("\"find: \" before queries, \"note: \" before sentences"),
            model != "demo"
        );
        hits(&json(ended)[0])
    };
    // The shipped encoder, with the prompts written out.
    let prompted = path("prompted.txt");
    std::fs::write(
        &prompted,
        notes().iter().map(|note| format!("note: {note}")).collect::<Vec<_>>().join("\n"),
    )
    .expect("prompted.txt");
    let found = search(&corpus, text(&model), "A pump.");
    assert_eq!(found, search(&prompted, "demo", "find: A pump."));
    assert_ne!(found, search(&corpus, "demo", "A pump."));
    // Rows that `encode` wrote with the same prompt.
    let encode = ["encode", "--model", text(&model), "--input", text(&corpus), "--output", text(&rows)];
    micse(&[&encode[..], &["--prompt-name", "document"]].concat()).output();
    assert_eq!(found, search(&rows, text(&model), "A pump."));
    micse(&[&encode[..], &["--prompt-name", "doc"]].concat()).refused(&["doc", "document, other, query"]);
    let shown = micse(&["inspect", text(&model)]).output();
    assert!(shown.contains("document: \"note: \"") && shown.contains("query: \"find: \""), "{shown}");
}

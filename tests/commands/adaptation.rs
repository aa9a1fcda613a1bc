//! `cargo xtask adaptation`: what the judge sees beside what labels say, on made-up lines, and on real sets if they exist.

use std::path::Path;

use micse_tests::{Ended, external_data, run};
use serde_json::{Value, json};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

fn adaptation(data: Option<&Path>, arguments: &[&str]) -> Ended {
    run(XTASK, data, &[&["adaptation"], arguments].concat())
}

/// A model of a study: `change` in search by noisy copies, half of it lost in half-sentence search, and the true scores.
fn line(number: u64, change: f64, similarity: f64) -> Value {
    let difference = |change: f64| json!({"before": 0.5, "after": 0.5 + change, "low": change - 0.01, "high": change + 0.01});
    let truth = |similarity: f64, grouping: f64| json!({"similarity": similarity, "search": 0.4, "paraphrases": 0.5, "grouping": grouping});
    json!({
        "number": number,
        "settings": {"encoder": "small", "domain": "films", "sentences": 300, "method": "crop-simcse", "steps": 30,
            "rate": 1e-5, "seed": number, "shares": [1.0]},
        "share": 1.0,
        "change": {"halves": difference(-change / 2.0), "noise": difference(change), "order": null, "uniformity": [-2.0, -2.5],
            "alignment": [0.2, 0.1], "kept_neighbours": 0.8, "kept_order": 0.9, "cosine_change": 0.1},
        "before": truth(60.0, 70.0),
        "after": truth(60.0 + similarity, 70.0 - similarity),
    })
}

#[test]
fn correlations_are_those_of_the_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("study.jsonl");
    let path = file.to_str().expect("UTF-8");
    // Ranks 1, 3, 2, 4 against 1, 2, 3, 4: Spearman's correlation is 1 - 6 x 2 / (4 x 15) = 0.8.
    let lines = [(0.01, 1.0), (0.03, 2.0), (0.02, 3.0), (0.04, 4.0)];
    let lines: Vec<String> = (0..)
        .zip(lines)
        .map(|(number, (change, similarity))| line(number, change, similarity).to_string())
        .collect();
    std::fs::write(&file, lines.join("\n")).expect("study.jsonl");
    let text = adaptation(None, &["correlations", path]).output();
    let cells = |measure: &str| -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(&format!("| {measure}"))).expect("a row");
        row.split('|').map(|cell| cell.trim().split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert!(text.contains("small: 4 trained models"), "{text}");
    // Similarity, search, paraphrases, grouping; a score that never changes has no correlation.
    assert_eq!(cells("search by noisy copies")[2..6], ["0.80", "-", "-", "-0.80"], "{text}");
    assert_eq!(cells("half-sentence search")[2..6], ["-0.80", "-", "-", "0.80"], "{text}");

    std::fs::write(&file, format!("{}\n{{", lines[0])).expect("study.jsonl");
    adaptation(None, &["correlations", path]).refused(&["study.jsonl:2"]);
    adaptation(None, &["correlations", "gone.jsonl"]).refused(&["no models in these files"]);
}

#[test]
fn a_study_and_a_delivery_resume() {
    adaptation(None, &["study", "--encoder", "shipped=demo", "--out", "none.jsonl"]).refused(&["MICSE_DATA"]);
    let Some(data) = external_data("cargo xtask adaptation, which needs senteval/ and texts") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (study, deliver) = (at("study.jsonl"), at("deliver.jsonl"));
    let encoder = ["--encoder", "shipped=demo", "--every", "400", "--precision", "bf16"];
    let lines = |path: &str| std::fs::read_to_string(path).expect("lines").lines().count();

    for _ in 0..2 {
        let all = [&["study", "--models", "1", "--out", &study], &encoder[..]].concat();
        adaptation(Some(&data), &all).output();
        assert_eq!(lines(&study), 1);
    }

    let settings = ["--domains", "headlines", "--sizes", "300", "--out", &deliver];
    let all = [&["deliver"], &settings[..], &encoder, &["--", "--steps", "4"]].concat();
    let first = adaptation(Some(&data), &all).output();
    let row = first.lines().nth(2).expect("a row");
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    assert_eq!(cells[1..4], ["shipped", "headlines", "300"], "{first}");
    assert_eq!(adaptation(Some(&data), &all).output(), first);
    assert_eq!(lines(&deliver), 1);
    // Lines of other options do not stand in the same file.
    let others = [&["deliver"], &settings[..], &encoder, &["--", "--steps", "5"]].concat();
    adaptation(Some(&data), &others).refused(&["deliver.jsonl:1", "--steps", "a different --out"]);
    let others = [&["study", "--models", "1", "--seed", "49", "--out", &study], &encoder[..]].concat();
    adaptation(Some(&data), &others).refused(&["study.jsonl:1", "a different --out"]);
    let new = at("new.jsonl");
    let wrong = [&["deliver", "--domains", "poems", "--out", &new], &encoder[..]].concat();
    adaptation(Some(&data), &wrong).refused(&["no domain poems; use one of wikipedia"]);
}

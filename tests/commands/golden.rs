//! `cargo xtask golden`: the reference values in the repository, and one that is wrong.

use micse_tests::{external_data, run};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

#[test]
fn every_reference_value_is_met() {
    let data = external_data("the tokenizer's reference ids, which need bert-base-uncased/vocab.txt");
    let arguments = ["golden", "tests/fixtures/golden"];
    let text = run(XTASK, data.as_deref(), &arguments).output();
    assert!(text.contains("tensors are within tolerance"), "{text}");
}

#[test]
fn a_wrong_value_fails_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let stats = folder.path().join("stats");
    std::fs::create_dir(&stats).expect("stats");
    let wrong = r#"[{"x": [1, 2, 3], "y": [1, 2, 4], "spearman": 0.9, "pearson": 0.98198050606}]"#;
    std::fs::write(stats.join("correlation.json"), wrong).expect("correlation.json");
    let ended = run(XTASK, None, &["golden", folder.path().to_str().expect("UTF-8")]);
    ended.refused(&["1 of 2 tensors are out of tolerance"]);
}

//! The reference values that the repository carries, through the command.

use micse_tests::{command, external_data};

#[test]
fn every_reference_value_is_met() {
    let mut golden = command("xtask");
    if let Some(data) = external_data("the tokenizer's reference ids, which need bert-base-uncased/vocab.txt")
    {
        golden.env("MICSE_DATA", data);
    }
    let output = golden.args(["golden", "tests/fixtures/golden"]).assert().success();
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(text.contains("tensors are within tolerance"), "{text}");
}

#[test]
fn a_wrong_value_fails_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let stats = folder.path().join("stats");
    std::fs::create_dir(&stats).expect("stats");
    let wrong = r#"[{"x": [1, 2, 3], "y": [1, 2, 4], "spearman": 0.9, "pearson": 0.98198050606}]"#;
    std::fs::write(stats.join("correlation.json"), wrong).expect("correlation.json");
    let assert = command("xtask").args(["golden".as_ref(), folder.path().as_os_str()]).assert().failure();
    let text = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(text.contains("1 of 2 tensors are out of tolerance"), "{text}");
}

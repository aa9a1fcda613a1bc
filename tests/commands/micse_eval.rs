//! `micse-eval`: what the repository ships, the forms of the result, and what is refused.

use micse_eval::Evaluation;
use micse_tests::{Ended, run, write_small_model, write_small_sts};

fn eval(arguments: &[&str]) -> Ended {
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    run(env!("CARGO_BIN_EXE_micse-eval"), None, &arguments)
}

#[test]
fn without_arguments_it_scores_what_is_shipped_and_says_so() {
    let ended = eval(&[]);
    assert!(ended.stderr.contains("encoder") && ended.stderr.contains("demo"), "{}", ended.stderr);
    let table = ended.output();
    assert!(table.contains("DemoSTS"), "{table}");
}

#[test]
fn table_json_and_csv_say_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    write_small_model(&folder.path().join("model"));
    write_small_sts(&folder.path().join("sts"));
    let (model, sts, out) = (path("model"), path("sts"), path("result.json"));
    let common = ["--model", &model, "--sts", &sts, "--pooling", "cls"];
    let with = |extra: &[&str]| eval(&[&common[..], extra].concat()).output();
    assert_eq!(with(&["--format", "json", "--output", &out]), "");
    let text = std::fs::read_to_string(&out).expect("result.json");
    let scores = Evaluation::from_json(&text).expect("an evaluation");
    assert_eq!(scores.pooling, "cls");
    let spearman = scores.tasks.get("DemoSTS").expect("the task").spearman.all;
    assert!(with(&[]).contains(&format!("{spearman:.2}")));
    assert!(with(&["--format", "csv"]).contains("DemoSTS"));
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().to_str().expect("UTF-8");
    eval(&["--sts", "demo", "--model", empty]).refused(&["config.json"]);
    eval(&["--model", "demo"]).refused(&["MICSE_DATA", "--sts"]);
    eval(&["--sts", empty]).refused(&[empty]);
    eval(&["--sts", "demo", "--tasks", "STS99"]).refused(&["STS99"]);
}

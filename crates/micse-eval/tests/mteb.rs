//! MTEB result files; `tests/fixtures/results/check_mteb.py` reads such files with MTEB's own classes.

use micse_data::sts::{DEMO_TASK, SENTEVAL_TASKS, Subset, Suite, Task};
use micse_eval::mteb::{self, MtebFacts, MtebModel};
use micse_eval::{Aggregates, Evaluation, TaskScores};
use serde_json::Value;

fn evaluation(tasks: &[&str], spearman: f64) -> Evaluation {
    let aggregates = |all| Aggregates { all, mean: 1.0, wmean: 2.0 };
    let scores = TaskScores {
        pairs: 3108,
        spearman: aggregates(spearman),
        pearson: aggregates(-7.0),
        subsets: std::iter::empty().collect(),
    };
    Evaluation {
        model: String::new(),
        pooling: String::new(),
        dimension: None,
        truncate_dim: None,
        average: spearman,
        dev_spearman: None,
        alignment: None,
        uniformity: None,
        tasks: tasks.iter().map(|task| ((*task).to_owned(), scores.clone())).collect(),
        transfer: None,
    }
}

fn read(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

#[test]
fn a_file_for_each_task_between_0_and_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = MtebModel::new("me/small.1", None).expect("a name");
    let facts = MtebFacts { dimension: Some(32), parameters: Some(3 << 17), ..MtebFacts::default() };
    let written = model
        .write(
            folder.path(),
            &facts,
            &evaluation(&[&SENTEVAL_TASKS[..], &[DEMO_TASK]].concat(), 72.123_456_789),
        )
        .expect("files");
    assert_eq!(written, folder.path().join("me__small.1/no_revision_available"));
    let mut names: Vec<String> = std::fs::read_dir(&written)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let expected = [
        "SICK-R.json",
        "STS12.json",
        "STS13.json",
        "STS14.json",
        "STS15.json",
        "STS16.json",
        "STSBenchmark.json",
        "model_meta.json",
    ];
    assert_eq!(names, expected);
    let sick = read(&written.join("SICK-R.json"));
    assert_eq!((&sick["task_name"], &sick["mteb_version"]), (&"SICK-R".into(), &Value::Null));
    let entry = &sick["scores"]["test"][0];
    for (metric, value) in
        [("main_score", 0.721_235), ("cosine_spearman", 0.721_235), ("cosine_pearson", -0.07)]
    {
        assert_eq!(entry[metric], value, "{metric}");
    }
    assert_eq!((&entry["hf_subset"], &entry["languages"][0]), (&"default".into(), &"eng-Latn".into()));
    assert_eq!(entry["pairs"], 3108);
    let meta = read(&written.join("model_meta.json"));
    assert_eq!((&meta["name"], &meta["embed_dim"]), (&"me/small.1".into(), &32.into()));
    assert_eq!(meta["memory_usage_mb"], 1.5);
    assert_eq!(meta["max_tokens"], Value::Null);
}

#[test]
fn names_that_are_no_names_are_refused() {
    for name in ["plain", "a/b/c", "../b", "a/..", "a/", "/b", "a/b c", "a\\b/c", "a/é"] {
        let error = MtebModel::new(name, None).expect_err(name).to_string();
        assert!(error.contains("OWNER/NAME"), "{error}");
    }
    assert!(MtebModel::new("a/b", Some("../c")).expect_err("a path").to_string().contains("--mteb-revision"));
    assert!(MtebModel::new("a/b", Some("86b5e09")).is_ok());
}

#[test]
fn what_mteb_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = MtebModel::new("a/b", None).expect("a name");
    let facts = MtebFacts::default();
    let error = model
        .write(folder.path(), &facts, &evaluation(&["STS12"], f64::NAN))
        .expect_err("no score")
        .to_string();
    assert!(error.contains("Spearman") && error.contains("STS12"), "{error}");
    assert!(model.write(folder.path(), &facts, &evaluation(&[DEMO_TASK], 1.0)).is_err());
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("the folder").count(),
        0,
        "a rejected evaluation must write nothing"
    );
    let task = |name: &str| Task { name: name.into(), subsets: Vec::<Subset>::new() };
    let suite = |names: &[&str]| Suite {
        name: "some".into(),
        tasks: names.iter().map(|name| task(name)).collect(),
        dev: None,
        sick_dev: None,
    };
    assert!(mteb::check(&suite(&[DEMO_TASK, "STS16"])).is_ok());
    assert!(mteb::check(&suite(&[DEMO_TASK])).expect_err("none").to_string().contains("--sts"));
}

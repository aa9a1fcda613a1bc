//! Truncated embeddings are those of sentence-transformers with `truncate_dim`. The expected values were written by
//! tests/fixtures/truncation/write.py.

use micse_data::sts::{Pair, Subset, Suite, Task};
use micse_eval::evaluate;
use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};
use micse_tests::folders::Cases;
use micse_tests::root;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    folder: String,
    entries: usize,
    rows: Vec<Vec<f32>>,
}

fn cases() -> Vec<Case> {
    let path = root().join("tests/fixtures/truncation/cases.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the cases")).expect("their form")
}

#[test]
fn rows_are_those_of_sentence_transformers() {
    let texts = Cases::read().texts;
    let cases = cases();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let folder = Cases::named(&case.folder).folder();
        let model = SentenceModel::open(folder.path()).expect("a model");
        let model = model.truncated_to(case.entries).expect("fewer entries");
        assert_eq!((model.dimension(), model.truncate_dim()), (case.entries, Some(case.entries)));
        let rows = model.encode(&texts).expect("rows");
        for (a, b) in rows.iter().zip(&case.rows) {
            assert_eq!(a.len(), b.len(), "{}", case.folder);
            let worst = a.iter().zip(b).fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst < 1e-5 * 4.0, "{}, {} entries: {worst:e}", case.folder, case.entries);
        }
    }
}

#[test]
fn a_truncation_beyond_the_dimension_is_refused_with_both_numbers() {
    // The folder itself truncates 12 entries to 6, which an own truncation may exceed.
    let folder = Cases::named("everything").folder();
    for entries in [0, 13] {
        let model = SentenceModel::open(folder.path()).expect("a model");
        let error = model.truncated_to(entries).err().expect("refused").to_string();
        assert!(error.contains(&format!("to {entries} entries")) && error.contains("have 12"), "{error}");
    }
}

#[test]
fn a_truncated_model_is_saved_with_its_truncation() {
    let texts = Cases::read().texts;
    let (folder, copy) = (Cases::named("normalize").folder(), tempfile::tempdir().expect("a folder"));
    let base = ModelFolder::open(folder.path()).expect("a model");
    let model = SentenceModel::load(&base, None, &Compute::cpu()).expect("a model").truncated_to(7);
    let model = model.expect("7 of 24");
    model.save(copy.path(), &base, candle_core::DType::F32).expect("a folder");
    let again = SentenceModel::open(copy.path()).expect("a model");
    assert_eq!(again.truncate_dim(), Some(7));
    assert_eq!(again.encode(&texts).expect("rows"), model.encode(&texts).expect("rows"));
}

fn suite() -> Suite {
    let pair = |first: &str, second: &str, score| Pair { first: first.into(), second: second.into(), score };
    let pairs = vec![
        pair("the old farmer sings", "the dog runs", 1.0),
        pair("a small dog", "the small dog runs", 4.0),
        pair("a song", "the sheep", 2.0),
    ];
    let task = Task { name: "Toy".into(), subsets: vec![Subset { name: "Toy".into(), pairs }] };
    Suite { name: "toy".into(), tasks: vec![task], dev: None, sick_dev: None }
}

#[test]
fn an_evaluation_records_its_truncation() {
    let suite = suite();
    let folder = ModelFolder::open(&root().join("tests/fixtures/architectures/bert")).expect("a model");
    let of = |entries: Option<usize>| {
        let model = SentenceModel::load(&folder, Some(Pooling::Mean), &Compute::cpu()).expect("a model");
        let model = match entries {
            Some(entries) => model.truncated_to(entries).expect("fewer entries"),
            None => model,
        };
        evaluate(&model, &suite, &mut |_, _| {}).expect("scores")
    };
    let (whole, short) = (of(None), of(Some(3)));
    assert_eq!((whole.dimension, whole.truncate_dim), (Some(24), None));
    assert_eq!((short.dimension, short.truncate_dim), (Some(3), Some(3)));
    assert_ne!(whole.average.to_bits(), short.average.to_bits());
    assert!(!whole.to_table().contains("first") && short.to_table().contains("first 3 entries"));
    assert!(short.to_csv().expect("CSV").contains(",,truncate_dim,,3,"));
    assert!(!whole.to_json().expect("JSON").contains("truncate_dim"));
}

/// A finished result of one truncation is never taken for the result of another.
#[test]
fn a_row_of_another_truncation_is_another_run() {
    let (suite, run) = (suite(), tempfile::tempdir().expect("a folder"));
    let row = |name: &str| {
        let folder = Cases::named(name).folder();
        let base = ModelFolder::open(folder.path()).expect("a model");
        let compute = Compute::cpu();
        micse_train::untrained(run.path(), "row", &base, Pooling::Mean, &suite, &compute, &mut |_| {})
    };
    let first = row("truncate_dim").expect("a row");
    assert_eq!((first.scores.dimension, first.scores.truncate_dim), (Some(5), Some(5)));
    assert_eq!(
        row("truncate_dim").expect("the same row").scores.average.to_bits(),
        first.scores.average.to_bits()
    );
    // The same model without truncation.
    let error = row("normalize").expect_err("another run").to_string();
    assert!(error.contains("another run") && error.contains("modules_sha256"), "{error}");
}

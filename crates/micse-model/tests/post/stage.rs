//! Stages in folders: saving, loading, and rejected files.

use std::fs;
use std::path::Path;

use crate::common::{correlated_rows, tensor};
use candle_core::DType;
use micse_model::post::{Error, FlowOptions, FlowTrainer, Stage, Whitening};
use micse_random::Stream;

const TEXT: &str = "100 sentences of the corpus, seed 48 (no test sentences)";

fn whitening() -> Stage {
    let whitening = Whitening::fit(&correlated_rows(1, 30, 8), Some(5)).unwrap();
    Stage::Whitening { whitening, fitted_on: TEXT.into() }
}

fn flow() -> Stage {
    let options = FlowOptions { levels: 2, depth: 1, width: 4, ..FlowOptions::default() };
    let mut trainer = FlowTrainer::new(options, 8, Stream::new(3)).unwrap();
    for seed in 0..3 {
        trainer.step(&tensor(&correlated_rows(seed, 16, 8), DType::F32)).unwrap();
    }
    Stage::Flow { flow: trainer.finish().unwrap(), fitted_on: TEXT.into() }
}

fn damaged(folder: &Path, file: &str, reason: &str) {
    let error = Stage::load(folder).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Damaged { .. }), "{text}");
    assert!(text.contains(file) && text.contains(reason), "{text}");
}

#[test]
fn what_is_saved_comes_back() {
    let rows = correlated_rows(9, 40, 8);
    for (stage, kind, output) in [(whitening(), "whitening", 5), (flow(), "flow", 8)] {
        let folder = tempfile::tempdir().unwrap();
        stage.save(folder.path()).unwrap();
        let back = Stage::load(folder.path()).unwrap().expect("a stage");
        assert_eq!((back.kind(), back.fitted_on()), (kind, TEXT));
        assert_eq!((back.input_dimension(), back.output_dimension()), (8, output));
        let transformed = back.transform(&rows).unwrap();
        assert_eq!(transformed[0].len(), output);
        assert_eq!(transformed, stage.transform(&rows).unwrap());
        match (&stage, &back) {
            (Stage::Whitening { whitening: a, .. }, Stage::Whitening { whitening: b, .. }) => {
                assert_eq!(a, b);
            }
            (Stage::Flow { flow: a, .. }, Stage::Flow { flow: b, .. }) => {
                assert_eq!((a.options(), a.steps()), (b.options(), b.steps()));
            }
            _ => panic!("a different kind was loaded"),
        }

        // The same stage produces identical files.
        let again = tempfile::tempdir().unwrap();
        back.save(again.path()).unwrap();
        for file in ["post.json", "post.safetensors"] {
            let read = |folder: &Path| fs::read(folder.join(file)).unwrap();
            assert!(read(folder.path()) == read(again.path()), "{kind}: {file}");
        }
    }
}

#[test]
fn a_new_stage_takes_the_place_of_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    whitening().save(folder.path()).unwrap();
    flow().save(folder.path()).unwrap();
    assert_eq!(Stage::load(folder.path()).unwrap().expect("a stage").kind(), "flow");
}

#[test]
fn a_folder_without_a_stage_has_none_and_half_of_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Stage::load(folder.path()).unwrap().is_none());
    let missing = Stage::load(&folder.path().join("nowhere")).unwrap_err();
    assert!(missing.to_string().contains("nowhere"), "{missing}");

    for (lost, kept) in [("post.json", "post.safetensors"), ("post.safetensors", "post.json")] {
        whitening().save(folder.path()).unwrap();
        fs::remove_file(folder.path().join(lost)).unwrap();
        let error = Stage::load(folder.path()).unwrap_err();
        assert!(matches!(error, Error::Half { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("{kept} exists")) && text.contains(&format!("{lost} is missing")));
    }
}

#[test]
fn the_text_of_the_fit_has_to_be_named() {
    let Stage::Whitening { whitening, .. } = whitening() else { panic!("a whitening") };
    let blank = Stage::Whitening { whitening, fitted_on: " ".into() };
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(blank.save(folder.path()), Err(Error::Undeclared)));
    assert!(Stage::load(folder.path()).unwrap().is_none());
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (json, weights) = (folder.path().join("post.json"), folder.path().join("post.safetensors"));
    for stage in [whitening(), flow()] {
        stage.save(folder.path()).unwrap();
        let text = fs::read_to_string(&json).unwrap();
        let with = |from: &str, to: &str| {
            assert!(text.contains(from), "{from} is not in {text}");
            fs::write(&json, text.replace(from, to)).unwrap();
        };
        with("\"kind\"", "\"sort\"");
        damaged(folder.path(), "post.json", "kind");
        with(TEXT, "");
        damaged(folder.path(), "post.json", "fitted_on is blank");
        with("\"dimension\": 8", "\"dimension\": 8, \"extra\": 1");
        damaged(folder.path(), "post.json", "extra");
        with("\"dimension\": 8", "\"dimension\": 16");
        damaged(folder.path(), "post.safetensors", "expected [16]");
        fs::write(&json, &text[..text.len() / 2]).unwrap();
        damaged(folder.path(), "post.json", "");

        fs::write(&json, &text).unwrap();
        let bytes = fs::read(&weights).unwrap();
        fs::write(&weights, &bytes[..bytes.len() - 8]).unwrap();
        let error = Stage::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("post.safetensors"), "{error}");
    }

    // A record of one kind with the values of the other.
    let flow_record = fs::read_to_string(&json).unwrap();
    whitening().save(folder.path()).unwrap();
    fs::write(&json, &flow_record).unwrap();
    damaged(folder.path(), "post.safetensors", "is missing");
    // An impossible flow.
    fs::write(&json, flow_record.replace("\"levels\": 2", "\"levels\": 4")).unwrap();
    damaged(folder.path(), "post.json", "fewer levels");
}

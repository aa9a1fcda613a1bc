//! Pre-training as a library: events, stops, resumption.

use std::path::Path;

use micse_data::Corpus;
use micse_model::Compute;
use micse_train::pretrain::{PretrainEvent, PretrainInputs, PretrainRecipe, PretrainResult, pretrain};
use micse_train::{Error, Stop};

/// Twelve steps of one layer on 400 generated sentences.
fn inputs(stop: &Stop) -> PretrainInputs {
    let settings = [
        "steps=12",
        "eval_every=6",
        "lr=5e-3",
        "max_length=16",
        "batch_tokens=300",
        "dropout=0.1",
        "encoder={ vocab_size = 400, layers = 1, hidden = 16, heads = 2, positions = 16 }",
    ];
    let settings: Vec<String> = settings.into_iter().map(str::to_owned).collect();
    let recipe = PretrainRecipe::load(None, &settings).expect("a recipe");
    let corpus = Corpus::demo();
    let corpus = Corpus::from_sentences("part", corpus.iter().take(400));
    PretrainInputs { stop: stop.clone(), ..PretrainInputs::new(recipe, 48, corpus, Compute::cpu()) }
}

/// Runs one start that stops after `last` steps; also returns the step that it resumed after.
fn start(folder: &Path, last: usize) -> (Result<PretrainResult, Error>, Option<usize>) {
    let stop = Stop::new();
    let mut from = None;
    let result = pretrain(folder, inputs(&stop), &mut |event| match event {
        PretrainEvent::Started { step, .. } => from = Some(step),
        PretrainEvent::Step { step, .. } if step >= last => stop.request(),
        _ => {}
    });
    (result, from)
}

#[test]
fn a_stopped_pre_training_resumes_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let (want, from) = start(&whole, usize::MAX);
    let want = want.expect("a result");
    assert_eq!((from, want.scores.step), (Some(0), 12));

    let (stopped, _) = start(&parts, 5);
    let error = stopped.expect_err("a stop");
    assert!(matches!(error, Error::Stopped { step: 5 }), "{error}");
    assert!(parts.join("checkpoint/state.safetensors").is_file() && !parts.join("model").exists());
    let (got, from) = start(&parts, usize::MAX);
    let got = got.expect("a result");
    assert_eq!((from, got.tokens, &got.scores), (Some(5), want.tokens, &want.scores));
    let weights = |folder: &Path| std::fs::read(folder.join("model/model.safetensors")).expect("the model");
    assert!(weights(&parts) == weights(&whole), "the weights differ");
    assert!(!parts.join("checkpoint").exists());

    // A finished run is read, not repeated; a different run is rejected.
    let (again, from) = start(&parts, usize::MAX);
    assert_eq!((from, again.expect("the result").scores), (None, want.scores));
    let other = PretrainInputs { seed: 49, ..inputs(&Stop::new()) };
    let error = pretrain(&parts, other, &mut |_| {}).expect_err("another run").to_string();
    assert!(error.contains("another run") && error.contains("seed"), "{error}");
}

#[test]
fn the_held_out_loss_falls() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut losses = Vec::new();
    let stop = Stop::new();
    let more = inputs(&stop);
    let recipe = PretrainRecipe { steps: Some(60), eval_every: Some(20), ..more.recipe.clone() };
    pretrain(folder.path(), PretrainInputs { recipe, ..more }, &mut |event| {
        if let PretrainEvent::Scores(scores) = event {
            losses.push(scores.held_out_loss);
        }
    })
    .expect("a result");
    assert_eq!(losses.len(), 3);
    assert!(losses[2] < losses[0] - 0.1, "{losses:?}");
}

#[test]
fn without_steps_or_minutes_nothing_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = inputs(&Stop::new());
    let recipe = PretrainRecipe { steps: None, ..more.recipe.clone() };
    let error =
        pretrain(folder.path(), PretrainInputs { recipe, ..more }, &mut |_| {}).expect_err("no steps");
    assert!(error.to_string().contains("set steps"), "{error}");
}

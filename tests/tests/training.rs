//! Complete training runs: the run folder, resuming a killed run, and invalid input.

use std::num::NonZeroUsize;

use candle_core::{Device, Tensor};
use micse_model::{Compute, MaskedLmHead, ModelFolder, Trainable};
use micse_random::Stream;
use micse_tests::setting::{recipe, setting, step, trainer};
use micse_train::{Event, RunInputs, Trainer};

/// The output layer gives every row of the word table a gradient; contrastive terms reach only the words of the batch.
#[test]
fn masked_lm_trains_the_whole_word_table_with_its_weight() {
    let setting = setting(40);
    let word_rows = |weight: &str| {
        let weight = format!("objectives.masked-lm.weight={weight}");
        let mut trainer = trainer(&setting, recipe("simcse-mlm", &[&weight]));
        let forward = trainer.forward(&|number| setting.text.sentence(number), false).expect("a loss");
        let terms = forward.report().terms.clone();
        let loss = forward.report().loss;
        trainer.backward(forward).expect("a backward pass");
        let table = trainer.encoder().gradients().expect("gradients")[0].clone().expect("the table's");
        let sums = table.abs().and_then(|t| t.sum(1)?.to_vec1::<f32>()).expect("rows");
        (terms, loss, sums)
    };
    let (terms, loss, sums) = word_rows("0.5");
    assert_eq!((terms[0].0, terms[1].0), ("infonce", "masked-lm"));
    assert!((loss - terms[0].1 - 0.5 * terms[1].1).abs() < 1e-9, "{loss} of {terms:?}");
    assert!(sums.iter().all(|&sum| sum > 0.0), "{sums:?}");
    // Half the weight gives half the gradient where no other term contributes: no sentence has [PAD] or [UNK].
    let (_, _, half) = word_rows("0.25");
    for row in 0..2 {
        assert!((sums[row] / half[row] - 2.0).abs() < 1e-4, "row {row}: {} and {}", sums[row], half[row]);
    }
    let (_, _, none) = word_rows("0.0");
    assert_eq!(none[..2], [0.0, 0.0]);
}

/// A head in the base model folder is used, and makes it a different run.
#[test]
fn a_masked_lm_head_beside_the_encoder_is_trained_on() {
    let setting = setting(40);
    let inputs = RunInputs {
        compute: Compute::reference(),
        keep_model: false,
        ..setting.inputs(recipe("simcse-mlm", &["steps=2", "optimizer.lr=1e-9"]))
    };
    let first_loss = |name: &str| {
        let folder = setting.runs.join(name);
        micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
        let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics.jsonl");
        let line: serde_json::Value =
            serde_json::from_str(metrics.lines().next().expect("a line")).expect("JSON");
        line["terms"]["masked-lm"].as_f64().expect("the term")
    };
    let new = first_loss("new");
    let config = setting.base.config().expect("the configuration");
    let mut head = MaskedLmHead::new(&config, Stream::new(5), &Device::Cpu).expect("a head");
    let copies =
        head.values().and_then(|values| Ok(values.iter().map(Tensor::copy).collect::<Result<_, _>>()?));
    let mut values: Vec<Tensor> = copies.expect("values");
    let uniform: Vec<f32> = (0..config.vocab_size).map(|id| if id < 5 { -100.0 } else { 0.0 }).collect();
    values[4] = Tensor::new(uniform, &Device::Cpu).expect("the bias");
    head.set_values(&values).expect("values");
    head.save(setting.base.path(), candle_core::DType::F32).expect("the head's file");
    let own = first_loss("own");
    assert!((own - new).abs() > 1e-3, "{own} with the saved head, {new} with a new one");
    let error = micse_train::run(&setting.runs.join("new"), &inputs, &mut |_| {}).expect_err("another run");
    assert!(error.to_string().contains("masked_lm_head_sha256"), "{error}");
}

#[test]
fn training_lowers_the_loss_and_writes_a_whole_run() {
    let setting = setting(40);
    let settings = ["steps=60", "select=stsb-dev", "eval_every=20"];
    let inputs = setting.inputs(recipe("micse", &settings));
    let folder = setting.runs.join("one");
    let result = micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
    assert_eq!(result.selected_on, "demo dev");
    assert!(result.selected_step.is_some_and(|s| [20, 40, 60].contains(&s)));
    assert!(!folder.join("checkpoint").exists(), "a finished run needs no checkpoint");

    let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics.jsonl");
    let losses: Vec<f64> = metrics
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["terms"]["infonce"].as_f64()
        })
        .map(|loss| loss.expect("a loss"))
        .collect();
    assert_eq!(losses.len(), 7, "steps 1, 10, ..., 60");
    assert!(losses[6] < losses[0], "{losses:?}");

    // The kept model has the scores in the result.
    let model = ModelFolder::open(&folder.join("model")).expect("the model");
    assert_eq!(model.pooling().expect("its pooling"), Some(micse_model::Pooling::Cls));
    let (cls, scored) = (micse_model::Pooling::Cls, setting.runs.join("scored"));
    let again =
        micse_train::untrained(&scored, "kept", &model, cls, &setting.suite, &Compute::cpu(), &mut |_| {});
    let again = again.expect("scores").scores.average;
    assert!((again - result.scores.average).abs() < 1e-9, "{again} and {}", result.scores.average);

    // The same folder with a different recipe is rejected, and the error names the difference.
    let chunked = RunInputs { chunk: NonZeroUsize::new(5), ..setting.inputs(recipe("micse", &settings)) };
    let error = micse_train::run(&folder, &chunked, &mut |_| {}).expect_err("another run").to_string();
    assert!(error.contains("belongs to another run") && error.contains("chunk = 5"), "{error}");
    let other = RunInputs { recipe: recipe("micse", &[&settings[1..], &["steps=61"]].concat()), ..inputs };
    let error = micse_train::run(&folder, &other, &mut |_| {}).expect_err("another run").to_string();
    assert!(error.contains("belongs to another run") && error.contains("steps"), "{error}");
}

/// A run that dies after a checkpoint resumes to bit-for-bit the same weights, metrics and selection.
#[test]
fn a_killed_run_ends_as_an_undisturbed_one() {
    let setting = setting(40);
    let inputs = RunInputs {
        checkpoint_steps: 7,
        ..setting.inputs(recipe("micse", &["steps=30", "select=stsb-dev", "eval_every=5"]))
    };
    let (straight, killed) = (setting.runs.join("straight"), setting.runs.join("killed"));
    let want = micse_train::run(&straight, &inputs, &mut |_| {}).expect("a run");
    for last in [9, 26] {
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            micse_train::run(&killed, &inputs, &mut |event| {
                assert!(!matches!(event, Event::Step(report) if report.step == last), "killed");
            })
        }));
        assert!(died.is_err(), "the run should die at step {last}");
        assert!(killed.join("checkpoint/state.safetensors").is_file());
    }
    let mut from = None;
    let got = micse_train::run(&killed, &inputs, &mut |event| {
        if let Event::Started { step, .. } = event {
            from = Some(step);
        }
    });
    let got = got.expect("the rest of the run");
    assert_eq!(from, Some(21), "the last checkpoint before step 26 is at step 21");
    assert_eq!((got.selected_step, &got.scores), (want.selected_step, &want.scores));
    let model =
        |folder: &std::path::Path| std::fs::read(folder.join("model/model.safetensors")).expect("the model");
    assert!(model(&killed) == model(&straight), "the weights differ");
    let steps = |folder: &std::path::Path| {
        let text = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics.jsonl");
        let line = |line: &str| {
            let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["sentences_per_s"] = serde_json::Value::Null;
            line
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(steps(&killed), steps(&straight));
}

#[test]
fn two_processes_do_not_share_a_run() {
    let setting = setting(40);
    let folder = setting.runs.join("held");
    std::fs::create_dir_all(&folder).expect("the folder");
    let lock = std::fs::File::create(folder.join(".lock")).expect("the lock");
    lock.lock().expect("the lock");
    let scored = micse_train::untrained(
        &folder,
        "held",
        &setting.base,
        micse_model::Pooling::Cls,
        &setting.suite,
        &Compute::cpu(),
        &mut |_| {},
    );
    let error = scored.expect_err("the folder is held").to_string();
    assert!(error.contains("another process"), "{error}");
}

#[test]
fn a_split_smaller_than_a_batch_trains_and_one_sentence_does_not() {
    let setting = setting(5);
    let mut small = trainer(&setting, recipe("simcse", &[]));
    assert_eq!(small.batch_of(0).len(), 5);
    step(&mut small, &setting);

    let (encoder, tokenizer) = (setting.base.encoder(&Compute::cpu()), setting.base.tokenizer());
    let one = Trainer::new(
        recipe("simcse", &[]),
        48,
        encoder.expect("the encoder"),
        tokenizer.expect("the tokenizer"),
        1,
        &Device::Cpu,
    );
    let error = one.err().expect("one sentence has no negatives").to_string();
    assert!(error.contains("at least 2 sentences"), "{error}");
}

#[test]
fn a_loss_that_is_not_finite_names_step_and_objective() {
    let setting = setting(40);
    let mut trainer = trainer(&setting, recipe("simcse", &[]));
    step(&mut trainer, &setting);
    let broken: Vec<Tensor> = trainer
        .encoder()
        .values()
        .expect("values")
        .iter()
        .map(|t| (t * f64::NAN).expect("a tensor"))
        .collect();
    trainer.encoder_mut().set_values(&broken).expect("values");
    let error = trainer.step(&|number| setting.text.sentence(number), false).expect_err("NaN").to_string();
    assert!(error.contains("step 2") && error.contains("infonce"), "{error}");
}

//! Behaviour of released code that the papers do not mention.

use std::num::NonZeroUsize;

use candle_core::{Device, Tensor};
use micse_data::sts::Task;
use micse_model::Compute;
use micse_tests::setting::{Setting, bits, recipe, setting, step, trainer, trainer_on};
use micse_train::{RunInputs, Trainer};

const MOCOSE: &str = "mocose@released-code";

fn loss(trainer: &mut Trainer, setting: &Setting) -> f64 {
    let forward = trainer.forward(&|number| setting.text.sentence(number), false).expect("a loss");
    forward.report().loss
}

/// MoCoSE's target is not detached, so the shared embeddings get the gradient of the whole loss; checked by finite
/// differences.
#[test]
fn the_gradient_of_an_open_target_reaches_the_shared_embeddings() {
    let setting = setting(40);
    let checkpoint = setting.runs.join("state.safetensors");
    let table_gradient = |settings: &[&str]| {
        let mut trainer = trainer_on(&setting, recipe(MOCOSE, settings), &Compute::reference());
        if checkpoint.is_file() {
            trainer.restore(&checkpoint, "best.").expect("the checkpoint");
        } else {
            // After two steps the queue contains embeddings, and the momentum copy differs from the encoder.
            (0..2).for_each(|_| step(&mut trainer, &setting));
            trainer.save(&checkpoint, "a test", &[], serde_json::Value::Null).expect("a checkpoint");
        }
        let forward = trainer.forward(&|number| setting.text.sentence(number), false).expect("a loss");
        trainer.backward(forward).expect("a backward pass");
        let gradient = trainer.encoder().gradients().expect("gradients")[0].clone().expect("the table's");
        gradient.flatten_all().and_then(|g| g.to_vec1::<f32>()).expect("numbers")
    };
    let open = table_gradient(&[]);
    let closed = table_gradient(&["momentum.stop_gradient=true", "optimizer.groups=[]"]);

    let mut places: Vec<usize> = (0..open.len()).collect();
    places.sort_by(|&a, &b| open[b].abs().total_cmp(&open[a].abs()));
    let mut trainer = trainer_on(&setting, recipe(MOCOSE, &[]), &Compute::reference());
    let step = 2e-3_f32;
    let mut missed = 0.0_f64;
    for &place in &places[..6] {
        let mut at = |offset: f32| {
            trainer.restore(&checkpoint, "best.").expect("the checkpoint");
            let values = trainer.encoder().values().expect("values");
            let mut values: Vec<Tensor> = values.iter().map(|v| v.copy().expect("a copy")).collect();
            let shape = values[0].shape().clone();
            let mut table: Vec<f32> = values[0].flatten_all().and_then(|t| t.to_vec1()).expect("numbers");
            table[place] += offset;
            values[0] = Tensor::from_vec(table, shape, values[0].device()).expect("the table");
            trainer.encoder_mut().set_values(&values).expect("values");
            loss(&mut trainer, &setting)
        };
        let difference = (at(step) - at(-step)) / (2.0 * f64::from(step));
        let apart = |gradient: f32| (f64::from(gradient) - difference).abs() / difference.abs();
        assert!(
            apart(open[place]) < 0.02,
            "entry {place}: gradient {}, finite difference {difference}",
            open[place]
        );
        missed = missed.max(apart(closed[place]));
    }
    assert!(missed > 0.1, "a detached target should miss part of the gradient: {missed}");
}

/// The projection of the target learns and follows the online head; its pooler only follows.
#[test]
fn an_open_targets_head_learns() {
    let setting = setting(40);
    let mut trainer = trainer(&setting, recipe(MOCOSE, &["momentum.decay=1", "momentum.ramp_steps=0"]));
    let head = |trainer: &Trainer| -> Vec<(String, Vec<u32>)> {
        let networks = trainer.networks();
        let (_, head) = networks.iter().find(|(name, _)| *name == "momentum-head").expect("the head");
        let names = head.parameters().into_iter().map(|info| info.name);
        names.zip(bits(&head.values().expect("values"))).collect()
    };
    let before = head(&trainer);
    step(&mut trainer, &setting);
    for ((name, before), (_, after)) in before.iter().zip(head(&trainer)) {
        assert_eq!(*before == after, name.starts_with("0."), "{name}");
    }
    let constant = self::trainer(&setting, recipe("mocose", &[]));
    assert!(constant.networks().iter().all(|(name, _)| *name != "momentum-head"));
}

/// If the previous batch is the same, noise along its gradient raises the loss: twice as much for twice the step.
#[test]
fn noise_raises_the_loss_whose_gradient_it_follows() {
    let setting = setting(40);
    let risen = |epsilon: f64| {
        let first = format!("dropout = 0.1, perturbation = {epsilon}, perturbation_by = \"batch-before\"");
        let views = format!("views=[{{ {first} }}, {{ dropout = 0.1 }}]");
        let mut trainer = trainer(&setting, recipe("simcse", &[&views]));
        // Without an optimizer step, the next pass uses the same sentences and the same dropout.
        let forward = trainer.forward(&|number| setting.text.sentence(number), false).expect("a loss");
        let before = forward.report().loss;
        trainer.backward(forward).expect("a backward pass");
        loss(&mut trainer, &setting) - before
    };
    let (once, twice) = (risen(1e-3), risen(2e-3));
    assert!(once > 1e-4 && (twice / once - 2.0).abs() < 0.3, "{once} and {twice}");
}

#[test]
fn what_an_open_target_cannot_do_is_refused() {
    let setting = setting(40);
    let target = "{ dropout = 0.1, tower = \"momentum\", online_embeddings = true }";
    let views = format!("views=[{{ dropout = 0.1 }}, {target}]");
    let trainer = |settings: &[&str]| {
        let (encoder, tokenizer) = (setting.base.encoder(&Compute::cpu()), setting.base.tokenizer());
        let (encoder, tokenizer) = (encoder.expect("the encoder"), tokenizer.expect("the tokenizer"));
        Trainer::new(recipe(MOCOSE, settings), 48, encoder, tokenizer, 40, &Device::Cpu)
    };
    let whole = trainer(&[&views]).expect("a trainer");
    let error = whole.in_chunks(NonZeroUsize::MIN).err().expect("no chunks").to_string();
    assert!(error.contains("momentum.stop_gradient") && error.contains("--chunk"), "{error}");
    // A parameter group of a network that does not learn would silently have no effect.
    let error = trainer(&["momentum.stop_gradient=true"]).err().expect("an empty group").to_string();
    assert!(error.contains("momentum-head.0") && error.contains("predictor"), "{error}");
}

/// FGSM noise follows the gradient of the previous batch: none at the first step, and the same after resuming.
#[test]
fn noise_follows_the_batch_before() {
    let setting = setting(40);
    let views = |epsilon: &str| {
        let noise = format!("dropout = 0.1, perturbation = {epsilon}, perturbation_by = \"batch-before\"");
        format!("views=[{{ {noise} }}, {{ {noise}, tower = \"momentum\", online_embeddings = true }}]")
    };
    let losses = |epsilon: &str, resumed: bool| -> Vec<f64> {
        // The learning rate is too small to matter, so only the noise makes the losses differ.
        let recipe = || recipe(MOCOSE, &[&views(epsilon), "optimizer.lr=1e-12", "steps=4"]);
        let mut trainer = trainer(&setting, recipe());
        let mut losses = Vec::new();
        for number in 0..4 {
            if resumed && number == 2 {
                let checkpoint = setting.runs.join("noise.safetensors");
                trainer.save(&checkpoint, "a test", &[], serde_json::Value::Null).expect("a checkpoint");
                trainer = self::trainer(&setting, recipe());
                trainer.restore(&checkpoint, "best.").expect("the checkpoint");
            }
            let report = trainer.step(&|number| setting.text.sentence(number), false).expect("a step");
            losses.push(report.loss);
        }
        losses
    };
    let (none, some) = (losses("1e-30", false), losses("0.05", false));
    assert_eq!(none[0], some[0], "the first step has no previous gradient");
    assert!((1..4).all(|step| (none[step] - some[step]).abs() > 1e-5), "{none:?} and {some:?}");
    assert_eq!(losses("0.05", true), some);
}

/// SCD's released code selects by SICK's trial pairs, which the STS folder must contain.
#[test]
fn sicks_trial_pairs_select_where_a_recipe_asks_for_them() {
    let setting = setting(40);
    let chosen = recipe("scd@released-code", &["steps=6", "eval_every=2"]);
    let error = micse_train::run(&setting.runs.join("none"), &setting.inputs(chosen.clone()), &mut |_| {});
    let error = error.expect_err("the demo has no such pairs").to_string();
    assert!(error.contains("SICK_trial.txt") && error.contains("select=stsb-dev"), "{error}");

    // The same pairs with their scores reversed.
    let mut suite = setting.suite.clone();
    let mut turned: Task = suite.dev.clone().expect("development pairs");
    turned.subsets.iter_mut().flat_map(|s| &mut s.pairs).for_each(|pair| pair.score = 5.0 - pair.score);
    suite.sick_dev = Some(turned);
    let folder = setting.runs.join("scd");
    let inputs = RunInputs { suite: &suite, keep_model: false, ..setting.inputs(chosen.clone()) };
    let result = micse_train::run(&folder, &inputs, &mut |_| {}).expect("a run");
    assert_eq!(result.selected_on, "SICK-R dev");
    let metrics = std::fs::read_to_string(folder.join("metrics.jsonl")).expect("metrics.jsonl");
    let scores: Vec<f64> = metrics
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["development_spearman"].as_f64()
        })
        .collect();
    assert_eq!(scores.len(), 3);
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = 2 * (1 + scores.iter().position(|&score| score == best).expect("the best"));
    assert_eq!(result.selected_step, Some(step));
    let dev = result.scores.dev_spearman.expect("a development score");
    assert!((dev + best).abs() < 1e-9, "{dev} on the pairs, {best} on the reversed pairs");

    // Different trial pairs make it a different run.
    suite.sick_dev.as_mut().expect("pairs").subsets[0].pairs[0].score = 0.5;
    let inputs = RunInputs { suite: &suite, keep_model: false, ..setting.inputs(chosen) };
    let error = micse_train::run(&folder, &inputs, &mut |_| {}).expect_err("another run").to_string();
    assert!(error.contains("selection_sha256"), "{error}");
}

/// Without masks, only the generator of the released code replaces tokens.
#[test]
fn the_released_generator_replaces_tokens_that_are_not_masked() {
    let setting = setting(40);
    let loss = |name: &str, rate: &str| {
        let mut trainer =
            trainer(&setting, recipe(name, &[&format!("objectives.replaced-tokens.rate={rate}")]));
        let report = trainer.step(&|number| setting.text.sentence(number), false).expect("a step");
        let (_, value) = report.terms.iter().find(|(term, _)| *term == "replaced-tokens").expect("the term");
        *value
    };
    let [none, released] = ["diffcse", "diffcse@released-code"].map(|name| loss(name, "0.0"));
    assert_ne!(none, released);
    assert_ne!(loss("diffcse", "0.3"), none);
}

//! Every built-in recipe that trains: engines agree, every parameter learns, and neither chunks nor resuming change the
//! result.

use std::num::NonZeroUsize;

use candle_core::Tensor;
use micse_model::Compute;
use micse_tests::setting::{Setting, bits, modern_setting, recipe, setting, step, trainer, trainer_on};
use micse_train::recipe::names;
use micse_train::{Recipe, Trainer};

/// The built-in recipes that train.
fn trained() -> impl Iterator<Item = &'static str> {
    names().into_iter().filter(|name| Recipe::load(name, &[]).expect(name).steps > 0)
}

/// The loss and the gradients of all networks at a trainer's next step.
fn gradients(trainer: &mut Trainer, setting: &Setting) -> (f64, Vec<(String, Vec<f32>)>) {
    let forward = trainer.forward(&|number| setting.text.sentence(number), false).expect("a loss");
    let loss = trainer.backward(forward).expect("a backward pass").loss;
    (loss, collected(trainer))
}

/// The collected gradients of all networks.
fn collected(trainer: &Trainer) -> Vec<(String, Vec<f32>)> {
    let mut named = Vec::new();
    for (network, part) in trainer.networks() {
        for (info, gradient) in part.parameters().into_iter().zip(part.gradients().expect("gradients")) {
            let numbers = gradient.map(|g| g.flatten_all().and_then(|g| g.to_vec1()).expect("numbers"));
            named.push((format!("{network}.{}", info.name), numbers.unwrap_or_default()));
        }
    }
    named
}

/// Both engines use the same dropout masks, so loss and gradients agree.
#[test]
fn both_engines_agree_in_every_recipe() {
    both_engines_agree(&setting(40));
}

#[test]
fn both_engines_agree_in_every_recipe_of_a_modernbert() {
    both_engines_agree(&modern_setting(40));
}

fn both_engines_agree(setting: &Setting) {
    for name in trained() {
        let mut reference = trainer_on(setting, recipe(name, &[]), &Compute::reference());
        step(&mut reference, setting);
        let state = setting.runs.join(format!("{name}.safetensors"));
        reference.save(&state, "a test", &[], serde_json::Value::Null).expect("a checkpoint");
        let mut packed = trainer(setting, recipe(name, &[]));
        packed.restore(&state, "best.").expect("the checkpoint");
        let (want_loss, want) = gradients(&mut reference, setting);
        let (got_loss, got) = gradients(&mut packed, setting);
        assert!((got_loss - want_loss).abs() < 1e-5 * want_loss.abs(), "{name}: {got_loss} {want_loss}");
        let floor = 1e-3 * want.iter().flat_map(|(_, g)| g).fold(0.0_f32, |m, g| m.max(g.abs()));
        for ((tensor, want), (_, got)) in want.iter().zip(&got) {
            assert_eq!(want.len(), got.len(), "{name}: {tensor}");
            let scale = want.iter().fold(floor, |m, g| m.max(g.abs()));
            let worst = want.iter().zip(got).fold(0.0_f32, |m, (w, g)| m.max((w - g).abs())) / scale;
            assert!(worst < 1e-4, "{name}: gradient of {tensor}: {worst:e}");
        }
    }
}

/// Candle operations without a backward pass silently cut the gradient; this test finds them.
#[test]
fn every_trainable_tensor_gets_a_gradient_in_every_recipe() {
    for setting in [setting(40), modern_setting(40)] {
        every_trainable_tensor_gets_a_gradient(&setting);
    }
}

fn every_trainable_tensor_gets_a_gradient(setting: &Setting) {
    for name in trained() {
        let mut trainer = trainer(setting, recipe(name, &[]));
        // The queue is empty at the first step; only the second step has negatives from it.
        step(&mut trainer, setting);
        let (_, gradients) = gradients(&mut trainer, setting);
        for (tensor, gradient) in gradients {
            if tensor.ends_with("key.bias") {
                assert!(gradient.is_empty(), "{name}: {tensor} must have no gradient, softmax cancels it");
                continue;
            }
            assert!(!gradient.is_empty(), "{name}: {tensor} got no gradient");
            let largest = gradient.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
            assert!(largest > 0.0 && largest.is_finite(), "{name}: {tensor} has gradient {largest}");
        }
    }
}

/// Chunks differ from the whole batch only by rounding, even if they do not divide the batch, with a queue, with
/// attention values, and with padding.
#[test]
fn chunks_give_the_gradients_of_the_whole_batch() {
    for setting in [setting(40), modern_setting(40)] {
        chunks_give_the_gradients(&setting);
    }
}

fn chunks_give_the_gradients(setting: &Setting) {
    let (mut chunked, mut refused) = (0, 0);
    for name in trained() {
        if recipe(name, &[]).check_chunks().is_err() {
            let error = trainer(setting, recipe(name, &[])).in_chunks(NonZeroUsize::MIN);
            let error = error.err().expect("recipes that need the whole batch are rejected").to_string();
            let why = error.contains("reads token states") || error.contains("views.perturbation");
            assert!(why && error.contains("--chunk"), "{name}: {error}");
            refused += 1;
            continue;
        }
        let of = |chunk: Option<usize>| {
            // Fill the queue in two steps, then compare the gradients of the third.
            let mut trainer = trainer(setting, recipe(name, &[]));
            (0..2).for_each(|_| step(&mut trainer, setting));
            if let Some(chunk) = chunk.and_then(NonZeroUsize::new) {
                trainer = trainer.in_chunks(chunk).expect("a recipe that can be chunked");
            }
            let forward = trainer.forward(&|number| setting.text.sentence(number), true).expect("a loss");
            let alignment = forward.report().alignment;
            assert_eq!(forward.report().sentences, 12);
            let loss = trainer.backward(forward).expect("a backward pass").loss;
            (loss, alignment, collected(&trainer))
        };
        let (loss, alignment, whole) = of(None);
        let largest = whole.iter().flat_map(|(_, g)| g).fold(0.0_f32, |m, g| m.max(g.abs()));
        assert!(largest > 0.0);
        for chunk in [1, 5, 6, 12, 100] {
            let (again, aligned, parts) = of(Some(chunk));
            assert!(
                (again - loss).abs() < 1e-5 * loss.abs(),
                "{name}: loss {again} in chunks of {chunk}, {loss} without"
            );
            assert_eq!(aligned.is_some(), alignment.is_some(), "{name}");
            let apart = aligned.zip(alignment).map_or(0.0, |(a, b)| (a - b).abs());
            assert!(apart < 1e-5, "{name}: alignment {aligned:?} in chunks, {alignment:?} without");
            for ((tensor, a), (_, b)) in parts.iter().zip(&whole) {
                assert_eq!(a.len(), b.len(), "{name}: {tensor} must have a gradient in both");
                let error = a.iter().zip(b).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
                assert!(
                    error < 1e-5 * largest,
                    "{name}, {tensor} in chunks of {chunk}: {error} of {largest}"
                );
            }
        }
        chunked += 1;
    }
    assert!(chunked > 10 && refused > 5, "{chunked} recipes in chunks, {refused} rejected");
}

#[test]
fn a_resumed_run_has_the_bits_of_an_undisturbed_one() {
    let setting = setting(40);
    let checkpoint = setting.runs.join("state.safetensors");
    for name in trained() {
        let mut straight = trainer(&setting, recipe(name, &["steps=6"]));
        (0..6).for_each(|_| step(&mut straight, &setting));

        let mut first = trainer(&setting, recipe(name, &["steps=6"]));
        (0..3).for_each(|_| step(&mut first, &setting));
        first.save(&checkpoint, "a test", &[], serde_json::Value::Null).expect("a checkpoint");
        let mut second = trainer(&setting, recipe(name, &["steps=6"]));
        second.restore(&checkpoint, "best.").expect("the checkpoint");
        assert_eq!(second.steps_done(), 3);
        (0..3).for_each(|_| step(&mut second, &setting));

        let values = |t: &Trainer| {
            let all: Vec<Tensor> =
                t.networks().iter().flat_map(|(_, network)| network.values().expect("values")).collect();
            bits(&all)
        };
        assert_eq!(values(&second), values(&straight), "{name}");
        assert_ne!(values(&first), values(&straight), "{name} did not move");
    }
}

fn values(encoder: &dyn micse_model::Encoder) -> Vec<Vec<u32>> {
    bits(&encoder.values().expect("values"))
}

/// Both towers of CT learn, and differ.
#[test]
fn the_two_towers_differ_after_a_step() {
    let setting = setting(40);
    for name in ["ct", "ami-ct", "pcl"] {
        let mut trainer = trainer(&setting, recipe(name, &[]));
        let start = values(trainer.encoder());
        assert_eq!(values(trainer.second().expect("a second tower")), start, "{name}");
        step(&mut trainer, &setting);
        let (online, second) = (values(trainer.encoder()), values(trainer.second().expect("a second tower")));
        assert!(online != start && second != start && online != second, "{name}");
    }
}

#[test]
fn a_frozen_guide_and_frozen_embeddings_stay() {
    let setting = setting(40);
    let mut trainer = trainer(&setting, recipe("sg-opt", &[]));
    let start = values(trainer.encoder());
    (0..3).for_each(|_| step(&mut trainer, &setting));
    let guide = trainer.second().expect("a guide");
    assert_eq!(values(guide), start);
    assert!(
        guide.gradients().expect("gradients").iter().all(Option::is_none),
        "a guide must have no gradient"
    );
    let now = values(trainer.encoder());
    for (info, (before, after)) in trainer.encoder().parameters().iter().zip(start.iter().zip(&now)) {
        let stays = info.name.starts_with("embeddings.") || info.name.ends_with("key.bias");
        assert_eq!(before == after, stays, "{}", info.name);
    }
}

/// `--with ami` on every recipe: it trains, or the error explains why it cannot.
#[test]
fn terms_attach_to_methods_that_have_two_passes() {
    let with = ["ami".to_owned()];
    let setting = setting(40);
    for name in trained() {
        let plain = Recipe::load(name, &[]).expect(name);
        let added = Recipe::load_with(name, &with, &[]);
        if plain.ami().next().is_some() {
            assert!(added.expect_err(name).to_string().contains("already"), "{name}");
            continue;
        }
        if plain.passes() < 2 {
            assert!(added.expect_err(name).to_string().contains("1 view(s), but ami reads 2"), "{name}");
            continue;
        }
        // Words that change places: whose attention would AMI compare?
        let moving = [("crop-simcse", "text = crop"), ("esimcse", "tokens = repeat-subwords")];
        if let Some((_, change)) = moving.iter().find(|(moving, _)| name.split('@').next() == Some(moving)) {
            let error = added.expect_err(name).to_string();
            assert!(
                error.contains(change) && error.contains("--recipe simcse --with ami"),
                "{name}: {error}"
            );
            continue;
        }
        let added = added.expect(name);
        assert_eq!(added.name, format!("ami-{name}"));
        let mut small = added.clone();
        small.optimizer.as_mut().expect("an optimizer").batch_size = 12;
        small.max_length = Some(32);
        if let micse_train::recipe::Head::Layers(_) = &small.head {
            small.head = recipe(name, &[]).head;
        }
        let mut trainer = trainer(&setting, small);
        let report = trainer.step(&|number| setting.text.sentence(number), false).expect(name);
        assert!(
            report.terms.iter().any(|(term, value)| *term == "ami" && *value < 0.0),
            "{name}: {report:?}"
        );
    }
}

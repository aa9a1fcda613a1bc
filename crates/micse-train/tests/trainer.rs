//! The trainer on a tiny encoder with random weights: loss, gradients, bits, checkpoints, learning rates.

use candle_core::{Device, Tensor};
use micse_model::{BertConfig, Compute, Encoder, RandomWeights, Tokenizer, build_encoder};
use micse_random::Stream;
use micse_train::recipe::{Optimizer, Schedule};
use micse_train::{Needs, NetworkKind, Recipe, StepView, Term, TermResult, Terms, Trainer, learning_rate};

const WORDS: [&str; 16] = [
    "a", "bird", "cat", "dog", "eats", "fish", "green", "house", "in", "jumps", "large", "near", "old",
    "river", "sees", "tree",
];
const SENTENCES: usize = 24;

/// Sentence `number`: five to seven words, no two sentences alike.
fn sentence(number: u32) -> String {
    let mut draws = Stream::new(7).with(u64::from(number)).draws();
    let count = 5 + draws.below(3);
    let words: Vec<&str> = (0..count).map(|_| WORDS[draws.below(WORDS.len() as u64) as usize]).collect();
    words.join(" ")
}

/// All sentences; a trainer reads them by number.
fn sentences() -> Vec<String> {
    (0..SENTENCES as u32).map(sentence).collect()
}

fn tokenizer() -> Tokenizer {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vocab.txt");
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let tokens: Vec<&str> = special.into_iter().chain(WORDS).collect();
    std::fs::write(&path, tokens.join("\n") + "\n").expect("a vocabulary");
    Tokenizer::from_vocab(&path).expect("a tokenizer")
}

fn encoder(compute: &Compute) -> Box<dyn Encoder> {
    let config = BertConfig::with_sizes(5 + WORDS.len(), 2, 16, 2, 16);
    let mut weights = RandomWeights { deviation: 0.2, stream: Stream::new(3) };
    build_encoder(config, &mut weights, compute).expect("an encoder")
}

/// A built-in recipe for an encoder this small, with further settings.
fn recipe(name: &str, settings: &[&str]) -> Recipe {
    let small = [
        "optimizer.batch_size=8",
        "optimizer.lr=2e-3",
        "optimizer.warmup_steps=0",
        "steps=40",
        "max_length=16",
    ];
    let all: Vec<String> = small.iter().chain(settings).map(|&s| s.to_owned()).collect();
    Recipe::load(name, &all).expect(name)
}

fn trainer(recipe: Recipe, seed: u64) -> Trainer {
    let compute = Compute::cpu();
    Trainer::new(recipe, seed, encoder(&compute), tokenizer(), SENTENCES, &Device::Cpu).expect("a trainer")
}

fn step(trainer: &mut Trainer, texts: &[String]) -> f64 {
    trainer.step(&|number| &texts[number as usize], false).expect("a step").loss
}

/// The bits of every parameter that learns.
fn bits(trainer: &Trainer) -> Vec<u32> {
    let mut bits = Vec::new();
    for (_, network) in trainer.networks() {
        for value in network.values().expect("values") {
            let numbers = value.flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("numbers");
            bits.extend(numbers.into_iter().map(f32::to_bits));
        }
    }
    bits
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_loss_falls() {
    let texts = sentences();
    let views = "views=[{ dropout = 0.05 }, { dropout = 0.05 }]";
    let mut trainer = trainer(recipe("simcse", &["steps=100", "optimizer.lr=5e-3", views]), 48);
    let losses: Vec<f64> = (0..100).map(|_| step(&mut trainer, &texts)).collect();
    let (first, last) = (mean(&losses[..10]), mean(&losses[90..]));
    assert!(last < 0.8 * first, "{first} to {last}");
}

#[test]
fn one_seed_has_the_same_bits_on_one_and_two_threads() {
    let texts = sentences();
    let train = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut trainer = trainer(recipe("micse", &["objectives.ami.samples=8"]), seed);
            (0..4).for_each(|_| {
                step(&mut trainer, &texts);
            });
            bits(&trainer)
        })
    };
    let one = train(1, 48);
    assert_eq!(train(2, 48), one);
    assert_ne!(train(1, 49), one, "the seed has no effect");
}

#[test]
fn a_restored_trainer_continues_as_one_that_was_not_interrupted() {
    let texts = sentences();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.safetensors");
    // Momentum encoder, queue, attention positions, and a head.
    let new = || trainer(recipe("micse", &["objectives.ami.samples=8"]), 48);
    let mut straight = new();
    let mut losses: Vec<f64> = (0..6).map(|_| step(&mut straight, &texts)).collect();
    let mut first = new();
    (0..3).for_each(|_| {
        step(&mut first, &texts);
    });
    first.save(&path, "a test", &[], serde_json::json!({"note": 5})).expect("a checkpoint");
    let mut second = new();
    let (_, facts) = second.restore(&path, "best.").expect("the checkpoint");
    assert_eq!((second.steps_done(), &facts["note"]), (3, &serde_json::json!(5)));
    let rest: Vec<f64> = (0..3).map(|_| step(&mut second, &texts)).collect();
    assert_eq!(rest, losses.split_off(3));
    assert_eq!(bits(&second), bits(&straight));
    assert_ne!(bits(&first), bits(&straight), "three more steps had no effect");
}

fn optimizer(settings: &[&str]) -> Optimizer {
    recipe("simcse", settings).optimizer.expect("an optimizer")
}

#[test]
fn the_learning_rate_at_the_corners_of_its_schedule() {
    let rate = |settings: &[&str], k: usize, steps: usize| learning_rate(&optimizer(settings), k, steps);
    let warm = ["optimizer.lr=1.0", "optimizer.warmup_steps=4"];
    // From 0, to the peak at the end of the warm-up, to one step above 0.
    assert_eq!([0, 2, 4, 7, 9, 10].map(|k| rate(&warm, k, 10)), [0.0, 0.5, 1.0, 0.5, 1.0 / 6.0, 0.0]);
    let plain = ["optimizer.lr=1.0"];
    assert_eq!([0, 5, 9].map(|k| rate(&plain, k, 10)), [1.0, 0.5, 0.1]);
    // A warm-up as long as the training, and steps beyond the end.
    assert_eq!([0, 3, 4, 5].map(|k| rate(&warm, k, 4)), [0.0, 0.75, 0.0, 0.0]);
    assert_eq!(rate(&plain, 20, 10), 0.0);
    let constant = ["optimizer.lr=1.0", "optimizer.warmup_steps=2", "optimizer.schedule=constant"];
    assert_eq!([0, 1, 2, 9].map(|k| rate(&constant, k, 10)), [0.0, 0.5, 1.0, 1.0]);
    let milestones = Optimizer {
        schedule: Schedule::Milestones,
        milestones: vec![(3, 0.5), (6, 0.1)],
        ..optimizer(&plain)
    };
    assert_eq!([0, 2, 3, 5, 6, 9].map(|k| learning_rate(&milestones, k, 10)), [1.0, 1.0, 0.5, 0.5, 0.1, 0.1]);
}

/// The gradients of a trainer's next step, by parameter.
fn gradients(trainer: &mut Trainer, texts: &[String]) -> Vec<(String, Vec<f32>)> {
    let forward = trainer.forward(&|number| &texts[number as usize], false).expect("a loss");
    trainer.backward(forward).expect("a backward pass");
    let mut all = Vec::new();
    for (network, part) in trainer.networks() {
        for (info, gradient) in part.parameters().into_iter().zip(part.gradients().expect("gradients")) {
            let numbers = gradient.map(|g| g.flatten_all().and_then(|g| g.to_vec1()).expect("numbers"));
            all.push((format!("{network}.{}", info.name), numbers.unwrap_or_default()));
        }
    }
    all
}

fn largest(gradient: &[f32]) -> f32 {
    gradient.iter().fold(0.0, |m, g| m.max(g.abs()))
}

#[test]
fn every_parameter_gets_a_gradient() {
    let texts = sentences();
    for (name, networks) in [("simcse", 2), ("ct", 2), ("simcse-mlm", 3)] {
        let mut trainer = trainer(recipe(name, &[]), 48);
        assert_eq!(trainer.networks().len(), networks, "{name}");
        step(&mut trainer, &texts);
        for (parameter, gradient) in gradients(&mut trainer, &texts) {
            // The softmax cancels a key bias.
            let learns = !parameter.ends_with("key.bias");
            assert_eq!(largest(&gradient) > 0.0, learns, "{name}: {parameter}");
        }
    }
}

/// A custom term: the mean square of the first view's rows.
struct MeanSquare;

impl Term for MeanSquare {
    fn name(&self) -> &'static str {
        "mean-square"
    }

    fn needs(&self) -> Needs {
        Needs::views(1)
    }

    fn loss(&self, step: &StepView<'_>) -> TermResult<Tensor> {
        let factor =
            step.values().get("factor").and_then(toml::Value::as_float).ok_or("give values.factor")?;
        assert_eq!(step.rows_of(NetworkKind::Encoder).len(), step.rows().len());
        Ok((step.rows()[0].sqr()?.mean_all()? * factor)?)
    }
}

/// A term of the same name that reads two views.
struct TwoViews;

impl Term for TwoViews {
    fn name(&self) -> &'static str {
        "mean-square"
    }
}

#[test]
fn a_term_from_outside_gets_its_gradient() {
    let texts = sentences();
    let custom =
        "objectives=[{ kind = \"custom\", term = \"mean-square\", weight = 0.5, values = { factor = 3.0 } }]";
    let new = || {
        let trainer = trainer(recipe("simcse", &[custom]), 48);
        trainer.with_terms(Terms::none().with(MeanSquare)).expect("the term")
    };
    let all = gradients(&mut new(), &texts);
    let encoder: Vec<_> = all.iter().filter(|(name, _)| name.starts_with("encoder.")).collect();
    // The entry with the largest gradient, against a central difference.
    let ranked = encoder.iter().enumerate().max_by(|a, b| largest(&a.1.1).total_cmp(&largest(&b.1.1)));
    let (parameter, (name, gradient)) = ranked.expect("parameters");
    let entry = (0..gradient.len()).max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()));
    let entry = entry.expect("entries");
    let loss = |by: f32| {
        let mut trainer = new();
        let values = trainer.encoder().values().expect("values");
        let mut values: Vec<Tensor> = values.iter().map(|value| value.copy().expect("a copy")).collect();
        let mut numbers = values[parameter].flatten_all().and_then(|v| v.to_vec1::<f32>()).expect("numbers");
        numbers[entry] += by;
        let shape = values[parameter].shape().clone();
        values[parameter] = Tensor::from_vec(numbers, shape, &Device::Cpu).expect("a parameter");
        trainer.encoder_mut().set_values(&values).expect("values");
        let forward = trainer.forward(&|number| &texts[number as usize], false).expect("a loss");
        assert_eq!(forward.report().terms.len(), 1);
        forward.report().loss
    };
    let (got, want) = (f64::from(gradient[entry]), (loss(5e-3) - loss(-5e-3)) / 1e-2);
    assert!(
        want.abs() > 1e-3 && (got - want).abs() < 0.02 * want.abs(),
        "{name}: {got}, by differences {want}"
    );

    // A recipe without its custom term is rejected, and so is a term that needs a second view.
    let error = trainer(recipe("simcse", &[custom]), 48).with_terms(Terms::none());
    assert!(error.err().expect("an unknown term").to_string().contains("`mean-square`"));
    let one_view = recipe("simcse", &["views=[{ dropout = 0.1 }]", custom]);
    let error = trainer(one_view, 48).with_terms(Terms::none().with(TwoViews)).err().expect("two views");
    assert!(error.to_string().contains("mean-square reads 2"), "{error}");
}

/// A length that the encoder cannot have is refused before the first step, not at the first long sentence.
#[test]
fn a_length_beyond_the_positions_is_refused() {
    let new = |length: &str| {
        let (compute, recipe) = (Compute::cpu(), recipe("simcse", &[length]));
        Trainer::new(recipe, 48, encoder(&compute), tokenizer(), SENTENCES, &Device::Cpu).map(|_| ())
    };
    new("max_length=16").expect("as many tokens as positions");
    let error = new("max_length=17").expect_err("a token more").to_string();
    assert!(error.contains("max_length is 17, more than the encoder's 16 positions"), "{error}");
    assert!(error.contains("--set max_length=16"), "{error}");
}

/// 24 sentences in batches of 23 leave one, on which these methods are undefined.
#[test]
fn a_single_last_sentence_joins_the_batch_before_it() {
    let texts = sentences();
    let head = "head=[\"linear 16\", \"batch norm\", \"relu\"]";
    let normed = format!("predictor={}", &head["head=".len()..]);
    for (name, own) in [
        ("is-bert", "max_length=16"),
        ("pcl", "max_length=16"),
        ("vascl", "max_length=16"),
        ("scd", head),
        ("simcse", head),
        ("mocose", normed.as_str()),
    ] {
        let all = [own, "optimizer.batch_size=23", "steps=2", "optimizer.schedule=constant"];
        let mut joined = trainer(recipe(name, &all), 48);
        assert_eq!([joined.batch_of(0).len(), joined.batch_of(1).len()], [24, 24], "{name}");
        for _ in 0..2 {
            assert!(step(&mut joined, &texts).is_finite(), "{name}");
        }
    }
    // Losses that are defined on one sentence keep their batches.
    let mut plain = trainer(recipe("simcse", &["optimizer.batch_size=23"]), 48);
    assert_eq!([plain.batch_of(0).len(), plain.batch_of(1).len()], [23, 1]);
    let compute = Compute::cpu();
    let alone = recipe("mocose", &[normed.as_str()]);
    let alone = Trainer::new(alone, 48, encoder(&compute), tokenizer(), 1, &Device::Cpu).map(|_| ());
    let error = alone.expect_err("one sentence").to_string();
    assert!(error.contains("at least 2 sentences in every batch"), "{error}");
}

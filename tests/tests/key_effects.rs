//! No key of a recipe is without effect: each change of each key of each built-in recipe gives another run identity and
//! another result, or it is refused.

use std::collections::BTreeSet;

use candle_core::{DType, Device};
use micse_data::Corpus;
use micse_model::{Compute, MaskedLmHead};
use micse_random::Stream;
use micse_tests::sentences;
use micse_tests::setting::{Setting, recipe, setting};
use micse_train::recipe::{Objective, Post, Select, names};
use micse_train::{Error, Recipe, TrainText};
use toml::Value;

/// Settings that are tried on every recipe, in addition to a change of every key that it has.
const GENERAL: &[&str] = &[
    "steps=5",
    "max_length=6",
    "select=stsb-dev",
    "select=last",
    "eval_every=1",
    "padding=keep",
    "padding=attend",
    "pooling.train=mean",
    "pooling.train=cls",
    "pooling.test=mean",
    "pooling.test=cls",
    "head=none",
    "head=tanh-mlp",
    "head_rows=all-views",
    "predictor=[\"linear\"]",
    "second={ kind = \"trained\" }",
    "second={ kind = \"frozen\" }",
    "momentum={ decay = 0.9, dropout = 0.1, queue = 24 }",
    "convolution={ widths = [1, 3], channels = 8 }",
    "post={ kind = \"whitening\" }",
    "post={ kind = \"flow\", steps = 2, batch_size = 12, lr = 1e-3, dropout = 0.1 }",
    "optimizer={ kind = \"adamw\", lr = 2e-3, batch_size = 11 }",
];

/// For each view.
const OF_A_VIEW: &[&str] = &[
    "tower=second",
    "tower=both",
    "tower=momentum",
    "copies=2",
    "text={ kind = \"mask-span\" }",
    "tokens={ kind = \"shuffle\" }",
    "tokens={ kind = \"delete\", rate = 0.3 }",
    "drawn_once=true",
    "pairs={ negatives = 3 }",
    "positions=shuffled",
    "cut_off={ features = 0.2 }",
    "cut_off={ tokens = 0.3 }",
    "perturbation=0.05",
    "perturbation_by=batch-before",
    "online_embeddings=true",
    "padding=keep",
    "padding=drop",
    "padding=attend",
];

const OF_MOMENTUM: &[&str] = &[
    "ramp_steps=3",
    "dropout=0.2",
    "mode=eval",
    "mode=train",
    "queue_start=4",
    "share_head=false",
    "share_head=true",
    "stop_gradient=false",
    "stop_gradient=true",
    "mask_same_sentence=true",
];

const OF_THE_OPTIMIZER: &[&str] = &[
    "kind=rmsprop",
    "kind=adamw",
    "schedule=constant",
    "schedule=linear",
    "warmup_steps=2",
    "milestones=[[1, 0.5]]",
    "clip=0.01",
    "weight_decay=0.1",
    "decays=all",
    "betas=[0.5, 0.999]",
    "betas=[0.9, 0.99]",
    "smoothing=0.5",
    "eps=1e-3",
    "bias_correction=false",
    "groups=[{ matches = \"encoder\", lr_factor = 0.5 }]",
    "groups=[{ matches = \"encoder.embeddings\", frozen = true }]",
];

/// Descriptions, which no run reads.
const WORDS: [&str; 3] = ["name", "source", "published"];

/// Settings of one key of which one must act: a single one, or values of a number, of which some may change
/// nothing on a few short sentences.
type Trial = Vec<String>;

/// `key.path=value` with other values for every number, switch and list in a recipe.
fn changes(path: &str, value: &Value, found: &mut Vec<Trial>) {
    let one = |value: String| vec![format!("{path}={value}")];
    match value {
        Value::Table(table) => {
            for (key, value) in table.iter().filter(|(key, _)| !WORDS.contains(&key.as_str())) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                changes(&path, value, found);
            }
        }
        Value::Array(entries) if entries.iter().all(Value::is_table) => {
            for (index, entry) in entries.iter().enumerate() {
                changes(&format!("{path}.{index}"), entry, found);
            }
        }
        Value::Array(entries) => {
            let shorter = Value::Array(entries[..entries.len() - 1].to_vec());
            found.push(one(shorter.to_string()));
        }
        Value::Integer(number) => found.push(one((number * 2 + 1).to_string())),
        Value::Float(number) if *number == 0.0 => found.push(one("0.15".into())),
        Value::Float(number) => {
            found.push([0.7, 2.1, 0.01].map(|factor| format!("{path}={:e}", number * factor)).to_vec());
        }
        Value::Boolean(switch) => found.push(one((!switch).to_string())),
        Value::String(_) => found.extend(words(path).iter().map(|word| one((*word).into()))),
        Value::Datetime(_) => {}
    }
}

/// Values of the keys inside objectives and changes of text that take a word.
fn words(path: &str) -> &'static [&'static str] {
    match path.rsplit('.').next().unwrap_or_default() {
        "form" => &[
            "as-printed",
            "standard",
            "released-code",
            "paper",
            "algorithm1",
            "eq4",
            "cosine",
            "cross-entropy",
        ],
        "pool" => &["kept", "all"],
        "scaling" => &["mean", "valid-share-squared"],
        "layers" => &["last-1", "[1]", "before-last-third"],
        "slicing" => &["head-and-layer-parity", "{ heads = 1, layers = 1 }"],
        _ => &[],
    }
}

/// All settings to try on a recipe.
fn trials(recipe: &Recipe) -> BTreeSet<Trial> {
    let mut found = Vec::new();
    changes("", &Value::try_from(recipe).expect("a table"), &mut found);
    found.extend(GENERAL.iter().map(|&setting| vec![setting.to_owned()]));
    for view in 0..recipe.views.len() {
        found.extend(OF_A_VIEW.iter().map(|setting| vec![format!("views.{view}.{setting}")]));
    }
    if recipe.momentum.is_some() {
        found.extend(OF_MOMENTUM.iter().map(|setting| vec![format!("momentum.{setting}")]));
    }
    if recipe.optimizer.is_some() {
        found.extend(OF_THE_OPTIMIZER.iter().map(|setting| vec![format!("optimizer.{setting}")]));
    }
    found.into_iter().collect()
}

/// What a run gives: the cosines of the evaluation pairs, and the development scores on the way.
type Outcome = (Vec<u8>, Vec<String>);

fn outcome(setting: &Setting, recipe: Recipe) -> Result<Outcome, Error> {
    let folder = setting.runs.join("one");
    let _ = std::fs::remove_dir_all(&folder);
    let mut inputs = setting.inputs(recipe);
    inputs.keep_model = false;
    let mut scores = Vec::new();
    micse_train::run(&folder, &inputs, &mut |event| {
        if let micse_train::Event::Development { step, spearman } = event {
            scores.push(format!("{step} {spearman}"));
        }
    })?;
    Ok((std::fs::read(folder.join("cosines.safetensors")).expect("the cosines"), scores))
}

/// Settings with which a few steps on a few short sentences depend on every value.
fn small(plain: &Recipe) -> Vec<String> {
    let mut all = Vec::new();
    let mut set = |setting: &str, applies: bool| all.extend(applies.then(|| setting.to_owned()));
    set("max_length=7", plain.max_length.is_some());
    set("steps=4", plain.steps > 0);
    // The small pairs have no trial pairs of SICK.
    set("select=stsb-dev", plain.select == Select::SickrDev);
    set("eval_every=3", plain.select != Select::Last);
    set("momentum.queue=24", plain.momentum.is_some_and(|m| m.queue_start == 0));
    set("momentum.queue=20", plain.momentum.is_some_and(|m| m.queue_start > 0));
    set("momentum.queue_start=8", plain.momentum.is_some_and(|m| m.queue_start > 0));
    let staged = plain.optimizer.as_ref().is_some_and(|o| !o.milestones.is_empty());
    set("optimizer.milestones=[[1, 0.5], [2, 0.2]]", staged);
    set(
        "objectives.virtual.neighbours=3",
        plain.objectives.iter().any(|o| matches!(o, Objective::Virtual(_))),
    );
    set("post.steps=3", matches!(plain.post, Some(Post::Flow { .. })));
    set("post.batch_size=12", matches!(plain.post, Some(Post::Flow { .. })));
    all
}

/// The settings that change a recipe, but neither are refused nor change its result.
fn without_effect(setting: &Setting, name: &str) -> Vec<String> {
    let small = small(&Recipe::load(name, &[]).expect(name));
    let base = recipe(name, &small.iter().map(String::as_str).collect::<Vec<_>>());
    let expected = outcome(setting, base.clone()).expect(name);
    let identity = toml::to_string(&base).expect(name);
    let mut found = Vec::new();
    let mut acted = 0;
    for trial in trials(&base) {
        let (mut same, mut acts) = (false, false);
        for value in &trial {
            let settings: Vec<&str> = small.iter().map(String::as_str).chain([value.as_str()]).collect();
            let Some(changed) = micse_tests::setting::try_recipe(name, &settings) else { continue };
            if changed == base {
                continue;
            }
            assert_ne!(
                toml::to_string(&changed).expect(name),
                identity,
                "{name}: {value} is not in the identity"
            );
            match outcome(setting, changed) {
                Err(Error::Recipe { .. } | Error::Run { .. } | Error::Training { .. } | Error::Model(_)) => {}
                Err(other) => panic!("{name}: {value}: {other:?}"),
                Ok(result) if result == expected => same = true,
                Ok(_) => acts = true,
            }
            if acts {
                break;
            }
        }
        acted += usize::from(acts);
        if same && !acts {
            found.push(format!("{name}: {}", trial.join(", ")));
        }
    }
    assert!(acted > 0, "{name}: no setting changes the result");
    found
}

fn check(part: usize, parts: usize) {
    let mut setting = setting(20);
    // Sentences of different lengths need padding, and some operations treat repeated tokens in their own way.
    let sentences = sentences(20).into_iter().enumerate().map(|(number, sentence)| {
        let first = sentence.split(' ').next().unwrap_or_default().to_owned();
        if number % 2 == 0 {
            format!("{first} the {first} {sentence}")
        } else {
            format!("{first} the {first}")
        }
    });
    setting.text = TrainText::whole(Corpus::from_sentences("small", sentences.collect::<Vec<_>>()), "100%");
    let config = setting.base.encoder(&Compute::cpu()).expect("the encoder").config().clone();
    let head = MaskedLmHead::new(&config, Stream::new(5), &Device::Cpu).expect("a head");
    head.save(setting.base.path(), DType::F32).expect("the head");
    let mine = names().into_iter().enumerate().filter(|(index, _)| index % parts == part);
    let found: Vec<String> = mine.flat_map(|(_, name)| without_effect(&setting, name)).collect();
    assert!(found.is_empty(), "no effect:\n{}", found.join("\n"));
}

// Two tests, so that two threads share the recipes.
#[test]
fn every_key_acts_or_is_refused_in_the_even_recipes() {
    check(0, 2);
}

#[test]
fn every_key_acts_or_is_refused_in_the_odd_recipes() {
    check(1, 2);
}

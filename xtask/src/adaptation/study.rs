//! `cargo xtask adaptation study`: trains models with random settings, and measures each by the judge and by labels.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use micse_cli::note;
use micse_cli::options::ComputeOptions;
use micse_eval::Halves;
use micse_eval::judge::{Change, Judge, Measures};
use micse_model::{Compute, Pipeline};
use micse_random::{Draws, Stream};
use micse_train::{Recipe, Trainer};
use serde::{Deserialize, Serialize};

use super::domains::{DOMAINS, Domain, Texts, data_folder};
use super::encoders::Start;
use super::lines::{self, Conditions};
use super::truth::{Tests, Truth};

/// Train models with random settings; judge them, and score them on labels
///
/// Each line of the output is one model: its settings, the judge's measures before and after, and the true scores
/// before and after. Run the command again to resume.
#[derive(Args)]
pub(super) struct Study {
    /// Encoder: a name for the output, and a folder or `demo` (repeatable)
    #[arg(long = "encoder", value_name = "NAME=FOLDER", required = true)]
    encoders: Vec<String>,
    /// Models to train
    #[arg(long, value_name = "N", default_value_t = 100)]
    models: u64,
    /// Settings as JSON lines, instead of random ones
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Keep one of N pairs and examples of the labelled sets
    #[arg(long, value_name = "N", default_value_t = 8)]
    every: usize,
    /// Seed of the settings and of the choice of sentences
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Output, one line for each model
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    #[command(flatten)]
    compute: ComputeOptions,
}

/// How a model of the study is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) encoder: String,
    pub(super) domain: String,
    pub(super) sentences: usize,
    pub(super) method: String,
    #[serde(default)]
    pub(super) set: Vec<String>,
    pub(super) steps: usize,
    pub(super) rate: f64,
    pub(super) seed: u64,
    /// The shares of the trained weights that are measured; the rest is the start's.
    pub(super) shares: Vec<f64>,
}

/// One measured model.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    /// The number of the trained model; its shares have the same.
    pub(super) number: u64,
    pub(super) settings: Settings,
    /// The share of the trained weights.
    pub(super) share: f64,
    pub(super) change: Change,
    pub(super) before: Truth,
    pub(super) after: Truth,
    /// The options that it was measured with; earlier versions did not write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) conditions: Option<Conditions>,
}

/// A domain, with its judge.
struct Place {
    texts: Texts,
    judge: Judge,
    halves: Halves,
}

impl Place {
    fn of(domain: &str, data: &Path, seed: u64) -> Result<Self> {
        let domain = Domain::named(domain)?;
        let texts = domain.read(data, seed)?;
        let judge = Judge::new(&texts.judged).context("too few sentences")?;
        let judge = if domain.in_order() { judge } else { judge.unordered() };
        let halves = Halves::of(&texts.unseen, texts.unseen.len());
        Ok(Self { texts, judge, halves })
    }
}

/// An encoder on a domain, before training.
struct Untrained {
    measures: Measures,
    truth: Truth,
}

impl Study {
    pub(super) fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let data = data_folder()?;
        let starts = Start::open(&self.encoders)?;
        let settings: Vec<Settings> = match &self.settings {
            Some(path) => lines::read(path)?,
            None => (0..self.models)
                .map(|number| random(&mut Stream::new(self.seed).with(number).draws(), &starts, number))
                .collect(),
        };
        let earlier = lines::read::<Line>(&self.out)?;
        let precision = self.compute.engine.precision;
        let conditions = Conditions { every: self.every, precision, seed: Some(self.seed), more: Vec::new() };
        conditions.check(&self.out, earlier.iter().map(|line| &line.conditions))?;
        check_settings(&self.out, &earlier, &settings)?;
        let tests = Tests::read(&data, self.every)?;
        let done: BTreeSet<u64> = earlier.iter().map(|line| line.number).collect();
        let mut places: HashMap<&str, Place> = HashMap::new();
        let mut untrained: HashMap<(&str, &str), Untrained> = HashMap::new();
        let mut labels: HashMap<&str, Truth> = HashMap::new();
        for (number, settings) in (0..).zip(&settings).filter(|(number, _)| !done.contains(number)) {
            let start = Start::named(&starts, &settings.encoder)?;
            let domain = settings.domain.as_str();
            let place = match places.entry(domain) {
                Entry::Occupied(place) => place.into_mut(),
                Entry::Vacant(none) => none.insert(Place::of(domain, &data, self.seed)?),
            };
            let pipeline = Pipeline::load(&start.folder, Some(start.pooling()?))?;
            let before = match untrained.entry((start.name.as_str(), domain)) {
                Entry::Occupied(before) => before.into_mut(),
                Entry::Vacant(none) => {
                    let model = pipeline.clone().into_model(&start.folder, &compute)?;
                    let measures = place.judge.measure(&model, &mut |_, _| {})?;
                    let labels = match labels.entry(start.name.as_str()) {
                        Entry::Occupied(labels) => *labels.get(),
                        Entry::Vacant(none) => *none.insert(tests.score_labels(&model)?),
                    };
                    let search = place.halves.reciprocal_rank(&model)?.context("too few sentences")?;
                    none.insert(Untrained { measures, truth: Truth { search, ..labels } })
                }
            };
            let trainer = settings.train(start, &place.texts.train, &compute)?;
            let mut models = Vec::new();
            for &share in &settings.shares {
                let mut mixed = start.folder.encoder(&compute)?;
                mixed.follow(trainer.encoder(), 1.0 - share)?;
                let model = pipeline.with(mixed.as_ref(), None);
                let change = before.measures.change_to(&place.judge.measure(&model, &mut |_, _| {})?)?;
                let after = tests.score(&model, &place.halves)?;
                let (before, conditions) = (before.truth, Some(conditions.clone()));
                let settings = settings.clone();
                let line = Line { number, settings, share, change, before, after, conditions };
                note(&line);
                models.push(line);
            }
            lines::append(&self.out, &models)?;
        }
        Ok(())
    }
}

/// Rejects a file whose models have other settings than those that this command gives to their numbers.
fn check_settings(out: &Path, earlier: &[Line], settings: &[Settings]) -> Result<()> {
    for (place, line) in (1..).zip(earlier) {
        let planned = usize::try_from(line.number).ok().and_then(|number| settings.get(number));
        ensure!(
            planned.is_none_or(|planned| *planned == line.settings),
            "{}:{place}: model {} has other settings than with this command; use the same --encoder, --seed and \
             --settings, or a different --out",
            out.display(),
            line.number
        );
    }
    Ok(())
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Settings { encoder, domain, sentences, method, steps, rate, .. } = &self.settings;
        let Truth { similarity, search, paraphrases, grouping } = self.after.minus(&self.before);
        write!(
            f,
            "{}: {encoder}, {sentences} of {domain}, {method}, {steps} steps at {rate:.1e}, share {}: similarity \
             {similarity:+.2}, search {search:+.3}, paraphrases {paraphrases:+.3}, grouping {grouping:+.2}",
            self.number, self.share
        )
    }
}

/// Draws the settings of one model.
fn random(draws: &mut Draws, starts: &[Start], number: u64) -> Settings {
    const METHODS: [(&str, &[&str]); 9] = [
        ("simcse-baseline", &[]),
        ("simcse-baseline", &["objectives.infonce.temperature=0.1"]),
        ("crop-simcse", &[]),
        ("crop-simcse", &["objectives.infonce.temperature=0.03"]),
        ("crop-simcse", &["objectives.infonce.temperature=0.1"]),
        ("ami-simcse", &["objectives.ami.weight=0.1"]),
        ("ami-simcse", &["objectives.ami.weight=3.0", "objectives.ami.pool=kept"]),
        ("moco-simcse", &["momentum.mask_same_sentence=true"]),
        ("mirror-bert", &["optimizer.batch_size=50"]),
    ];
    fn one<'a, T>(draws: &mut Draws, of: &'a [T]) -> &'a T {
        &of[draws.below(of.len() as u64) as usize]
    }
    let encoder = one(draws, starts).name.clone();
    let domain = one(draws, &DOMAINS).name.to_owned();
    let (method, set) = *one(draws, &METHODS);
    let steps = *one(draws, &[30, 100]);
    let sentences = *one(draws, &[300, 1000, 10_000]);
    // From 3e-6 to 3e-4, evenly in the logarithm.
    let rate = 3e-6 * 100_f64.powf(draws.unit());
    let share = *one(draws, &[0.5, 1.0, 1.0]);
    let set = set.iter().map(|&s| s.to_owned()).collect();
    let method = method.to_owned();
    Settings { encoder, domain, sentences, method, set, steps, rate, seed: number, shares: vec![share] }
}

impl Settings {
    /// Trains a model; its weights are those of the last step.
    fn train(&self, start: &Start, text: &[String], compute: &Compute) -> Result<Trainer> {
        let pooling = start.pooling()?;
        let mut set = vec![
            "select=last".to_owned(),
            format!("pooling.train={pooling}"),
            format!("pooling.test={pooling}"),
            format!("optimizer.lr={:e}", self.rate),
            format!("optimizer.warmup_steps={}", self.steps / 10),
        ];
        if !Recipe::load(&self.method, &[])?.head.layers().is_empty() {
            set.push("head=none".to_owned());
        }
        set.extend(self.set.iter().cloned());
        let recipe = Recipe::load_for(&self.method, &[], &set, Some(self.steps))?;
        let sentences = self.sentences.min(text.len());
        ensure!(sentences > 0, "no sentences");
        let (encoder, tokenizer) = (start.folder.encoder(compute)?, start.folder.tokenizer()?);
        // Other seeds train on other sentences.
        let from = Stream::new(self.seed).draws().below((text.len() - sentences + 1) as u64) as usize;
        let mut trainer = Trainer::new(recipe, self.seed, encoder, tokenizer, sentences, &compute.device)?;
        for _ in 0..self.steps {
            trainer.step(&|number| text[from + number as usize].as_str(), false)?;
        }
        Ok(trainer)
    }
}

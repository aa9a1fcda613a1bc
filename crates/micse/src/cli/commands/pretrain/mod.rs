//! `micse pretrain`: options and progress of [`micse_train::pretrain`].

mod corpus;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use micse_cli::model::locate_model;
use micse_cli::options::EngineOptions;
use micse_cli::progress::{Bar, duration};
use micse_cli::{Stopped, note, print, print_json};

use crate::data::{Locator, Suite};
use crate::model::ModelFolder;
use crate::train::pretrain::{self, PretrainEvent, PretrainInputs, PretrainRecipe};
use crate::train::run::{CHECKPOINT_MINUTES, CHECKPOINT_STEPS, RunFolder};
use crate::train::{Error, Stop};

/// Default steps between two checkpoints.
const STEPS: NonZeroUsize = match NonZeroUsize::new(CHECKPOINT_STEPS) {
    Some(steps) => steps,
    None => panic!("checkpoints are at least one step apart"),
};

/// Train a small BERT by masked language modelling, from random weights or from a model
///
/// Ctrl-C finishes the current step and saves a checkpoint; rerun the command to resume.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  micse pretrain --corpus notes.txt --license CC0 --layers 2 --hidden 128 --vocab-size \
                        4000 --minutes 30 --out runs/mine"
)]
pub(crate) struct Pretrain {
    /// Text files, one sentence per line, plain, zstd or gzip; `demo` for generated sentences [default: open corpora in
    /// `MICSE_DATA`]
    #[arg(long, alias = "text", num_args = 1.., value_name = "FILE")]
    corpus: Vec<String>,
    /// Licence of each --corpus file for the model card, in order (repeatable)
    #[arg(long, alias = "licence")]
    license: Vec<String>,
    /// Model to continue training from, with its sizes, vocabulary and head: model folder, run folder, Hub model ID, or
    /// `demo` [default: random weights]
    #[arg(long, alias = "from", conflicts_with_all = ["vocab_size", "layers", "hidden", "heads", "positions"])]
    model: Option<String>,
    /// Recipe file instead of the built-in one; other options override its values
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Tokens of the new vocabulary [default: 8192]
    #[arg(long)]
    vocab_size: Option<usize>,
    /// Layers [default: 4]
    #[arg(long)]
    layers: Option<usize>,
    /// Hidden size; the feed-forward layers are four times as wide [default: 256]
    #[arg(long)]
    hidden: Option<usize>,
    /// Attention heads [default: 4]
    #[arg(long)]
    heads: Option<usize>,
    /// Positions: the longest input of the model [default: 128]
    #[arg(long)]
    positions: Option<usize>,
    /// Optimizer steps; they determine the schedule
    #[arg(long)]
    steps: Option<usize>,
    /// Time budget in minutes; the step count is estimated from a short trial
    #[arg(long, value_name = "M", conflicts_with = "steps", value_parser = micse_cli::options::minutes)]
    minutes: Option<f64>,
    /// Truncate sentences to N tokens [default: 64]
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Tokens per batch [default: 4096]
    #[arg(long)]
    batch_tokens: Option<usize>,
    /// Peak learning rate [default: 1e-3]
    #[arg(long)]
    lr: Option<f64>,
    /// Warm-up steps [default: 4 % of the steps, at most 1,000]
    #[arg(long)]
    warmup: Option<usize>,
    /// How the learning rate falls to 0 after the warm-up [default: linear]
    #[arg(long, value_enum)]
    decay: Option<Decay>,
    /// What is masked [default: plain]
    #[arg(long, value_enum)]
    masking: Option<MaskingKind>,
    /// Share of tokens to mask [default: 0.15]
    #[arg(long)]
    mask_rate: Option<f64>,
    /// Dropout rate [default: 0]
    #[arg(long)]
    dropout: Option<f64>,
    /// Decoupled weight decay, not on biases and LayerNorm [default: 0.01]
    #[arg(long)]
    weight_decay: Option<f64>,
    /// Seed of weights, order, masks, dropout and held-out sentences
    #[arg(long, default_value_t = 48, value_parser = micse_cli::options::seed())]
    seed: u64,
    /// Run folder
    #[arg(long, value_name = "FOLDER", default_value = "runs/pretrain")]
    out: PathBuf,
    /// Steps between two evaluations [default: a tenth of the steps]
    #[arg(long)]
    eval_every: Option<usize>,
    /// STS sets to score on: a folder in SentEval's layout, or `demo` [default: `MICSE_DATA`/senteval, else none]
    #[arg(long, value_name = "FOLDER")]
    sts: Option<String>,
    /// Steps between two checkpoints
    #[arg(long, value_name = "N", default_value_t = STEPS)]
    checkpoint_steps: NonZeroUsize,
    /// Minutes after which a checkpoint is saved in any case
    #[arg(long, value_name = "M", default_value_t = CHECKPOINT_MINUTES, value_parser = micse_cli::options::minutes)]
    checkpoint_minutes: f64,
    /// Save a checkpoint and stop after N steps in all; rerun the command without it to resume
    #[arg(long, value_name = "N")]
    stop_after: Option<NonZeroUsize>,
    /// Resume from a checkpoint that a different kind of CPU wrote
    #[arg(long)]
    allow_other_cpu: bool,
    #[command(flatten, next_help_heading = "Computation")]
    engine: EngineOptions,
}

/// [`pretrain::Decay`] as an option.
#[derive(Clone, Copy, Debug)]
struct Decay(pretrain::Decay);

impl ValueEnum for Decay {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(pretrain::Decay::Linear), Self(pretrain::Decay::Cosine)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self.0 {
            pretrain::Decay::Linear => Some(PossibleValue::new("linear").help("In a straight line")),
            pretrain::Decay::Cosine => Some(PossibleValue::new("cosine").help("Along half a cosine")),
            _ => None,
        }
    }
}

/// [`pretrain::MaskingKind`] as an option.
#[derive(Clone, Copy, Debug)]
struct MaskingKind(pretrain::MaskingKind);

impl ValueEnum for MaskingKind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(pretrain::MaskingKind::Plain), Self(pretrain::MaskingKind::WholeWord)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self.0 {
            pretrain::MaskingKind::Plain => Some(PossibleValue::new("plain").help("Tokens, one by one")),
            pretrain::MaskingKind::WholeWord => Some(PossibleValue::new("whole-word").help("Whole words")),
            _ => None,
        }
    }
}

impl Pretrain {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let recipe = self.recipe()?;
        self.check(&recipe)?;
        let stop = Stop::on_signals()?;
        let compute = self.engine.start("cpu")?;
        let locator = Locator::from_env()?;
        let (corpus, sources, note) = corpus::open(&self.corpus, &self.license, &locator)?;
        micse_cli::note(note);
        let inputs = PretrainInputs {
            minutes: self.minutes,
            sources,
            model: self.model(&locator)?,
            suite: self.suite(&locator)?,
            checkpoint_steps: self.checkpoint_steps.get(),
            checkpoint_time: Duration::from_secs_f64(60.0 * self.checkpoint_minutes),
            allow_other_cpu: self.allow_other_cpu,
            stop: stop.clone(),
            ..PretrainInputs::new(recipe, self.seed, corpus, compute)
        };
        let mut shown = Shown { bar: None, steps: 0 };
        let result = pretrain::pretrain(&self.out, inputs, &mut |event| {
            let step = match event {
                PretrainEvent::Started { step, .. } | PretrainEvent::Step { step, .. } => Some(step),
                _ => None,
            };
            if step.zip(self.stop_after).is_some_and(|(step, last)| step >= last.get()) {
                stop.request();
            }
            shown.show(&event);
        });
        let trained = shown.bar.take().is_some();
        let result = result.map_err(|error| match error {
            stopped @ Error::Stopped { .. } => anyhow::Error::from(Stopped(stopped.to_string())),
            other => other.into(),
        })?;
        if as_json {
            return print_json(&result);
        }
        print(&format!("{}{}", if trained { "" } else { "already done: " }, result.scores))?;
        print(&RunFolder::new(&self.out).model().display().to_string())
    }

    /// The recipe with the values of options.
    fn recipe(&self) -> Result<PretrainRecipe> {
        let mut recipe = PretrainRecipe::load(self.recipe.as_deref(), &[])?;
        let sizes = &mut recipe.encoder;
        set(&mut sizes.vocab_size, self.vocab_size);
        set(&mut sizes.layers, self.layers);
        set(&mut sizes.hidden, self.hidden);
        set(&mut sizes.heads, self.heads);
        set(&mut sizes.positions, self.positions);
        set(&mut recipe.max_length, self.max_length);
        set(&mut recipe.batch_tokens, self.batch_tokens);
        set(&mut recipe.lr, self.lr);
        set(&mut recipe.decay, self.decay.map(|decay| decay.0));
        set(&mut recipe.masking, self.masking.map(|masking| masking.0));
        set(&mut recipe.mask_rate, self.mask_rate);
        set(&mut recipe.dropout, self.dropout);
        set(&mut recipe.weight_decay, self.weight_decay);
        if self.minutes.is_some() {
            recipe.steps = None;
        }
        recipe.steps = self.steps.or(recipe.steps);
        recipe.warmup_steps = self.warmup.or(recipe.warmup_steps);
        recipe.eval_every = self.eval_every.or(recipe.eval_every);
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self, recipe: &PretrainRecipe) -> Result<()> {
        if recipe.steps.is_none() && self.minutes.is_none() {
            bail!("pass --steps N, or --minutes M to estimate the step count");
        }
        Ok(())
    }

    /// The model that training continues from.
    fn model(&self, locator: &Locator) -> Result<Option<ModelFolder>> {
        let Some(model) = &self.model else { return Ok(None) };
        let located = locate_model(locator, Some(model))?;
        note(&located.note);
        Ok(Some(ModelFolder::open(&located.place)?))
    }

    fn suite(&self, locator: &Locator) -> Result<Option<Suite>> {
        if self.sts.is_none() && locator.micse_data.is_none() {
            note("no STS scores during training: neither --sts nor MICSE_DATA is set");
            return Ok(None);
        }
        let located = locator.sts(self.sts.as_deref())?;
        note(&located.note);
        Ok(Some(Suite::load(&located.place, None)?))
    }
}

fn set<T>(value: &mut T, option: Option<T>) {
    if let Some(option) = option {
        *value = option;
    }
}

/// The progress of a pre-training on standard error.
struct Shown {
    bar: Option<Bar>,
    steps: usize,
}

impl Shown {
    fn show(&mut self, event: &PretrainEvent) {
        match event {
            PretrainEvent::Vocabulary { size, sentences } => {
                note(format_args!("training a vocabulary of {size} on {sentences} sentences"));
            }
            PretrainEvent::Corpus { sentences, tokens, unknown, held_out } => note(format_args!(
                "{sentences} sentences, {:.1} million tokens, {:.3} % unknown words; {held_out} sentences held out",
                *tokens as f64 / 1e6,
                100.0 * unknown
            )),
            PretrainEvent::Steps { steps, per_second: None } => {
                note(format_args!("{steps} steps, as chosen when this run began"));
            }
            PretrainEvent::Steps { steps, per_second: Some(per_second) } => note(format_args!(
                "{per_second:.2} steps per second in a trial: {steps} steps take about {:.1} minutes",
                *steps as f64 / per_second / 60.0
            )),
            PretrainEvent::Started { step, steps } => {
                if *step > 0 {
                    note(format_args!("resuming after step {step}"));
                }
                self.steps = *steps;
                self.bar = Some(Bar::new(Some(*steps as u64)));
            }
            PretrainEvent::Step { step, loss, tokens_per_second, left } => {
                let steps = self.steps;
                let line = || {
                    let left = duration(*left);
                    format!(
                        "step {step}/{steps}, loss {loss:.3}, {tokens_per_second:.0} tokens/s, {left} left"
                    )
                };
                if let Some(bar) = &mut self.bar {
                    bar.show(*step as u64, line);
                }
            }
            PretrainEvent::Scores(scores) => self.say(&scores.to_string()),
            PretrainEvent::Notice(text) => self.say(&format!("notice: {text}")),
            _ => {}
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.say(text),
            None => note(text),
        }
    }
}

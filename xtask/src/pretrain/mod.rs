//! `cargo xtask pretrain`: options and progress of [`micse_train::pretrain`].

mod corpus;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use micse_data::{Locator, Suite};
use micse_model::ModelFolder;
use micse_model::options::EngineOptions;
use micse_train::pretrain::{self, PretrainEvent, PretrainInputs, PretrainRecipe};
use micse_train::run::CHECKPOINT_STEPS;
use micse_train::{Error, Stop};

use progress::Progress;

/// Train a small BERT by masked language modelling, from random weights or from a model
#[derive(Args)]
pub(crate) struct Pretrain {
    /// Corpus files, one sentence per line, plain, zstd or gzip; `demo` for generated sentences [default: open corpora in
    /// `MICSE_DATA`]
    #[arg(long, alias = "text", num_args = 1.., value_name = "FILE")]
    corpus: Vec<String>,
    /// Licence of each --corpus file for the model card, in order
    #[arg(long, alias = "licence")]
    license: Vec<String>,
    /// Continue training from this model, with its sizes, vocabulary and head: a model folder, a run folder, a Hub model
    /// ID, or `demo`
    #[arg(long, alias = "from", conflicts_with_all = ["vocab_size", "layers", "hidden", "heads", "positions"])]
    model: Option<String>,
    /// A recipe file in place of the built-in crates/micse-train/recipes/pretrain.toml; other options override its values
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
    /// Optimizer steps; they decide the schedule
    #[arg(long)]
    steps: Option<usize>,
    /// Time budget in minutes; the step count is estimated from a short trial
    #[arg(long, conflicts_with = "steps")]
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
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// Run folder
    #[arg(long, default_value = "runs/pretrain")]
    out: PathBuf,
    /// Steps between two evaluations [default: a tenth of the steps]
    #[arg(long)]
    eval_every: Option<usize>,
    /// STS sets to score on: a folder in SentEval's layout, or `demo` [default: the sets in `MICSE_DATA`, if it is set]
    #[arg(long)]
    sts: Option<String>,
    /// Steps between two checkpoints
    #[arg(long, default_value_t = CHECKPOINT_STEPS)]
    checkpoint_steps: usize,
    /// Minutes after which a checkpoint is due in any case
    #[arg(long, default_value_t = 5.0)]
    checkpoint_minutes: f64,
    #[command(flatten)]
    engine: EngineOptions,
    /// Save a checkpoint and stop after N steps in all; rerun the command without it to resume
    #[arg(long, value_name = "N")]
    stop_after: Option<usize>,
    /// Resume from a checkpoint of a different kind of CPU
    #[arg(long)]
    allow_other_cpu: bool,
}

/// [`pretrain::Decay`] as an option.
#[derive(Clone, Copy)]
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
#[derive(Clone, Copy)]
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
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let recipe = self.recipe()?;
        self.check(&recipe)?;
        let stop = Stop::on_signals()?;
        let compute = self.engine.start("cpu")?;
        let locator = Locator::from_env()?;
        let (corpus, sources, note) = corpus::open(&self.corpus, &self.license, &locator)?;
        eprintln!("{note}");
        let inputs = PretrainInputs {
            minutes: self.minutes,
            sources,
            model: self.model(&locator)?,
            suite: self.suite(&locator)?,
            checkpoint_steps: self.checkpoint_steps,
            checkpoint_time: Duration::from_secs_f64(60.0 * self.checkpoint_minutes),
            allow_other_cpu: self.allow_other_cpu,
            stop: stop.clone(),
            ..PretrainInputs::new(recipe, self.seed, corpus, compute)
        };
        let mut shown = Shown { progress: None };
        let result = pretrain::pretrain(&self.out, inputs, &mut |event| {
            let step = match event {
                PretrainEvent::Started { step, .. } | PretrainEvent::Step { step, .. } => Some(step),
                _ => None,
            };
            if step.zip(self.stop_after).is_some_and(|(step, last)| step >= last) {
                stop.request();
            }
            shown.show(&event);
        });
        let trained = shown.progress.take().is_some();
        match result {
            Ok(result) => {
                println!("{}{}", if trained { "" } else { "done already: " }, result.scores);
                println!("{}", self.out.join("model").display());
                Ok(ExitCode::SUCCESS)
            }
            Err(error @ Error::Stopped { .. }) => {
                eprintln!("{error}");
                Ok(ExitCode::from(Stop::STATUS))
            }
            Err(error) => Err(error.into()),
        }
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
        if self.minutes.is_some_and(|minutes| !(0.0..1e6).contains(&minutes)) {
            bail!("--minutes must be a positive number");
        }
        if !(0.0..1e6).contains(&self.checkpoint_minutes) {
            bail!("--checkpoint-minutes must be a positive number");
        }
        for (name, value) in
            [("--stop-after", self.stop_after), ("--checkpoint-steps", Some(self.checkpoint_steps))]
        {
            if value == Some(0) {
                bail!("{name} must be at least 1");
            }
        }
        Ok(())
    }

    /// The model that training continues from.
    fn model(&self, locator: &Locator) -> Result<Option<ModelFolder>> {
        let Some(model) = &self.model else { return Ok(None) };
        let located = crate::encoder::model(locator, model)?;
        let folder = if located.place.join("run.toml").is_file() {
            finished_model(&located.place)?
        } else {
            located.place
        };
        Ok(Some(ModelFolder::open(&folder)?))
    }

    fn suite(&self, locator: &Locator) -> Result<Option<Suite>> {
        if self.sts.is_none() && locator.micse_data.is_none() {
            eprintln!("no STS scores during training: neither --sts nor MICSE_DATA is given");
            return Ok(None);
        }
        let located = locator.sts(self.sts.as_deref())?;
        eprintln!("{}", located.note);
        Ok(Some(Suite::load(&located.place, None)?))
    }
}

fn set<T>(value: &mut T, option: Option<T>) {
    if let Some(option) = option {
        *value = option;
    }
}

/// The model of a finished run.
fn finished_model(run: &Path) -> Result<PathBuf> {
    let model = run.join("model");
    if run.join("result.json").is_file() && model.join("config.json").is_file() {
        return Ok(model);
    }
    bail!("{}: this run is not finished, or did not keep its model; finish it first", run.display());
}

/// What a pre-training shows on standard error.
struct Shown {
    progress: Option<Progress>,
}

impl Shown {
    fn show(&mut self, event: &PretrainEvent) {
        match event {
            PretrainEvent::Vocabulary { size, sentences } => {
                eprintln!("training a vocabulary of {size} on {sentences} sentences");
            }
            PretrainEvent::Corpus { sentences, tokens, unknown, held_out } => eprintln!(
                "{sentences} sentences, {:.1} million tokens, {:.3} % unknown words; {held_out} sentences held out",
                *tokens as f64 / 1e6,
                100.0 * unknown
            ),
            PretrainEvent::Steps { steps, per_second: None } => {
                eprintln!("{steps} steps, as this run began");
            }
            PretrainEvent::Steps { steps, per_second: Some(per_second) } => eprintln!(
                "{per_second:.2} steps per second in a trial: {steps} steps take about {:.1} minutes",
                *steps as f64 / per_second / 60.0
            ),
            PretrainEvent::Started { step, steps } => {
                if *step > 0 {
                    eprintln!("resuming after step {step}");
                }
                self.progress = Some(Progress::new(*step, *steps));
            }
            PretrainEvent::Step { step, loss, tokens_per_second, left } => {
                if let Some(progress) = &mut self.progress {
                    progress.step(*step, *loss, *tokens_per_second, *left);
                }
            }
            PretrainEvent::Scores(scores) => self.say(&scores.to_string()),
            PretrainEvent::Notice(text) => self.say(&format!("notice: {text}")),
            _ => {}
        }
    }

    fn say(&self, text: &str) {
        match &self.progress {
            Some(progress) => progress.say(text),
            None => eprintln!("{text}"),
        }
    }
}

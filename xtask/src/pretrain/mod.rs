//! `cargo xtask pretrain`: masked-LM training of a small BERT from random weights, on text alone.
//!
//! A pre-training is a folder: `run.toml` (what decided it), `start/` (the new vocabulary), `metrics.jsonl`,
//! `checkpoint/`, in the end `model/` and `result.json`. Killing it at any time and starting the same command again
//! ends with the same weights, bit for bit.

mod batches;
mod card;
mod progress;
mod run;
mod scores;
mod text;
mod vocabulary;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use micse_cli::options::EngineOptions;
use micse_data::{CorpusInfo, Locator, Masking, Suite};
use micse_files::write_json;
use micse_model::{BertConfig, Compute, Engine, ModelFolder, Precision};
use micse_train::run::{Lock, OtherCpu, claim, cpu_features, identity};
use serde::{Deserialize, Serialize};

/// Train a small BERT by masked language modelling, from random weights or on from a model folder
#[derive(Args)]
pub(crate) struct Pretrain {
    /// Text files, one sentence a line, plain, zstd or gzip; `demo` for generated sentences [default: open text in `MICSE_DATA`]
    #[arg(long, num_args = 1..)]
    text: Vec<String>,
    /// What the model card says of each --text file's licence, in order
    #[arg(long)]
    licence: Vec<String>,
    /// Tokens of the new vocabulary
    #[arg(long, default_value_t = 8192)]
    vocab_size: usize,
    /// Layers
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Hidden size; the feed-forward layers are four times as wide
    #[arg(long, default_value_t = 256)]
    hidden: usize,
    /// Attention heads
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Positions: the longest input that the model will take
    #[arg(long, default_value_t = 128)]
    positions: usize,
    /// Go on from this model folder, with its sizes, vocabulary and head, and a fresh warm-up
    #[arg(long, conflicts_with_all = ["vocab_size", "layers", "hidden", "heads", "positions"])]
    from: Option<PathBuf>,
    /// Optimizer steps; decides the schedule
    #[arg(long, required_unless_present = "minutes")]
    steps: Option<usize>,
    /// Choose the steps by a trial, so that they take about so long on this machine
    #[arg(long, conflicts_with = "steps")]
    minutes: Option<f64>,
    /// Sentences are cut at so many tokens
    #[arg(long, default_value_t = 64)]
    max_length: usize,
    /// Tokens of a batch
    #[arg(long, default_value_t = 4096)]
    batch_tokens: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Warm-up steps [default: 4 % of the steps, at most 1,000]
    #[arg(long)]
    warmup: Option<usize>,
    /// How the learning rate falls to 0 after the warm-up
    #[arg(long, value_enum, default_value = "linear")]
    decay: Decay,
    /// What is masked
    #[arg(long, value_enum, default_value = "plain")]
    masking: MaskingKind,
    /// The share of tokens that is masked
    #[arg(long, default_value_t = 0.15)]
    mask_rate: f64,
    /// Dropout rate
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    /// Decoupled weight decay, not on biases and LayerNorm
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f64,
    /// Seed of weights, order, masks, dropout and held-out sentences
    #[arg(long, default_value_t = 48)]
    seed: u64,
    /// The folder of this pre-training
    #[arg(long, default_value = "runs/pretrain")]
    out: PathBuf,
    /// Steps between two evaluations [default: a tenth of the steps]
    #[arg(long)]
    eval_every: Option<usize>,
    /// STS sets to score on: a folder in SentEval's layout, or `demo` [default: those in `MICSE_DATA`, if it is set]
    #[arg(long)]
    sts: Option<String>,
    /// Minutes between two checkpoints
    #[arg(long, default_value_t = 5.0)]
    checkpoint_minutes: f64,
    #[command(flatten)]
    engine: EngineOptions,
    /// Stop with a checkpoint after so many steps in all; the same command without it goes on
    #[arg(long)]
    stop_after: Option<usize>,
    /// Go on with a checkpoint of another kind of processor
    #[arg(long)]
    allow_other_cpu: bool,
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Decay {
    /// In a straight line
    Linear,
    /// Along half a cosine
    Cosine,
}

/// What is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MaskingKind {
    /// Tokens, each for itself
    Plain,
    /// Whole words
    WholeWord,
}

/// `run.toml`: everything that decided a pre-training.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Manifest {
    version: String,
    engine: Engine,
    precision: Precision,
    cpu_features: Vec<String>,
    seed: u64,
    steps: usize,
    warmup_steps: usize,
    decay: Decay,
    lr: f64,
    betas: [f64; 2],
    eps: f64,
    weight_decay: f64,
    clip: f64,
    batch_tokens: usize,
    max_length: usize,
    masking: MaskingKind,
    mask_rate: f64,
    dropout: f64,
    eval_every: usize,
    /// The size that was asked for of a new vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new_vocabulary: Option<usize>,
    /// SHA-256 of the weights that training starts from; without, they are random.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_sha256: Option<String>,
    /// SHA-256 of what else of that model's folder changes its embeddings, if it has anything of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_modules_sha256: Option<String>,
    text: CorpusInfo,
    encoder: BertConfig,
}

impl Manifest {
    fn masking(&self) -> Masking {
        Masking { rate: self.mask_rate, whole_words: self.masking == MaskingKind::WholeWord }
    }

    /// The learning rate of optimizer step k, counted from 0: up in a straight line over the warm-up, then down.
    fn learning_rate(&self, k: usize) -> f64 {
        if k < self.warmup_steps {
            return self.lr * (k + 1) as f64 / self.warmup_steps as f64;
        }
        let left = (self.steps - k) as f64 / (self.steps - self.warmup_steps) as f64;
        match self.decay {
            Decay::Linear => self.lr * left,
            Decay::Cosine => self.lr * 0.5 * (1.0 - (std::f64::consts::PI * left).cos()),
        }
    }
}

impl Pretrain {
    pub(crate) fn run(&self) -> Result<()> {
        self.check()?;
        let compute = self.engine.start("cpu")?;
        let lock = Lock::take(&self.out, Duration::ZERO)?;
        let locator = Locator::from_env()?;
        let (corpus, sources, note) = text::open(&self.text, &self.licence, &locator)?;
        eprintln!("{note}");
        let (base, encoder) = self.base(&corpus)?;
        let tokenizer = base.tokenizer()?;
        let text = text::Text::new(&corpus, &tokenizer, self.max_length, self.seed)?;
        eprintln!(
            "{} sentences, {:.1} million tokens, {:.3} % unknown words; {} sentences held out",
            text.train.len(),
            text.train.tokens() as f64 / 1e6,
            100.0 * text.unknown,
            text.held_out.len()
        );
        let suite = self.suite(&locator)?;
        let mut manifest = self.manifest(corpus.info().clone(), encoder, &base, &compute)?;
        drop(corpus);
        if self.steps.is_none() {
            manifest.steps = self.steps_for_time(&manifest, &base, &text, &compute)?;
        }
        self.complete(&mut manifest)?;
        let other_cpu = if self.allow_other_cpu { OtherCpu::Record } else { OtherCpu::Refuse };
        claim(&self.out, &manifest, other_cpu)?;
        let job = run::Job {
            folder: &self.out,
            lock: &lock,
            identity: identity(&manifest)?,
            manifest: &manifest,
            compute: &compute,
            base: &base,
            from: self.from.is_some(),
            text: &text,
            sources: &sources,
            suite: suite.as_ref(),
            checkpoint_time: Duration::from_secs_f64(60.0 * self.checkpoint_minutes),
            stop_after: self.stop_after,
        };
        job.run()
    }

    fn check(&self) -> Result<()> {
        for (name, rate) in [("--mask-rate", self.mask_rate), ("--dropout", self.dropout)] {
            if !(0.0..1.0).contains(&rate) {
                bail!("{name} {rate} is not in [0, 1)");
            }
        }
        if self.mask_rate == 0.0 {
            bail!("--mask-rate 0 leaves nothing to predict; it must be above 0");
        }
        for (name, value) in [
            ("--steps", self.steps),
            ("--batch-tokens", Some(self.batch_tokens)),
            ("--eval-every", self.eval_every),
            ("--stop-after", self.stop_after),
        ] {
            if value == Some(0) {
                bail!("{name} 0: it must be at least 1");
            }
        }
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            bail!("--lr {} is not above 0", self.lr);
        }
        for (name, value) in
            [("--weight-decay", self.weight_decay), ("--checkpoint-minutes", self.checkpoint_minutes)]
        {
            if !(0.0..1e6).contains(&value) {
                bail!("{name} {value} is not a number from 0 on");
            }
        }
        if self.minutes.is_some_and(|minutes| !(0.0..1e6).contains(&minutes)) {
            bail!("--minutes is no length of time");
        }
        if self.vocab_size > 1 << 16 {
            bail!("--vocab-size {} is above 65,536", self.vocab_size);
        }
        if self.max_length < 3 {
            bail!("--max-length {}: [CLS], one token and [SEP] need 3", self.max_length);
        }
        Ok(())
    }

    /// The folder with configuration and tokenizer that training starts from, made if it is new.
    fn base(&self, corpus: &micse_data::Corpus) -> Result<(ModelFolder, BertConfig)> {
        if let Some(from) = &self.from {
            let base = ModelFolder::open(from)?;
            let config = base.config()?;
            self.check_positions(&config)?;
            return Ok((base, config));
        }
        let mut config =
            BertConfig::with_sizes(self.vocab_size, self.layers, self.hidden, self.heads, self.positions);
        config.check().map_err(anyhow::Error::msg)?;
        self.check_positions(&config)?;
        let start = self.out.join("start");
        // Before there is a run.toml, what lies here may be of another text.
        if !(start.join("config.json").is_file() && self.out.join("run.toml").is_file()) {
            eprintln!("training a vocabulary of {} on {} sentences", self.vocab_size, corpus.len());
            let tokens = vocabulary::train(corpus, self.vocab_size)?;
            config.vocab_size = tokens.len();
            vocabulary::write(&start, &tokens, self.positions)?;
            // Last: a start with a configuration is a whole one.
            write_json(&start.join("config.json"), &config)?;
        }
        let base = ModelFolder::open(&start)?;
        // A small text may not fill the vocabulary.
        config.vocab_size = base.config()?.vocab_size;
        Ok((base, config))
    }

    fn check_positions(&self, config: &BertConfig) -> Result<()> {
        if self.max_length > config.max_position_embeddings {
            bail!(
                "--max-length {} is beyond the encoder's {} positions",
                self.max_length,
                config.max_position_embeddings
            );
        }
        Ok(())
    }

    fn suite(&self, locator: &Locator) -> Result<Option<Suite>> {
        if self.sts.is_none() && locator.micse_data.is_none() {
            eprintln!("no STS scores on the way: neither --sts nor MICSE_DATA is given");
            return Ok(None);
        }
        let located = locator.sts(self.sts.as_deref())?;
        eprintln!("{}", located.note);
        Ok(Some(Suite::load(&located.place, None)?))
    }

    fn manifest(
        &self,
        text: CorpusInfo,
        encoder: BertConfig,
        base: &ModelFolder,
        compute: &Compute,
    ) -> Result<Manifest> {
        Ok(Manifest {
            version: env!("CARGO_PKG_VERSION").into(),
            engine: compute.engine,
            precision: compute.precision,
            cpu_features: cpu_features(),
            seed: self.seed,
            steps: self.steps.unwrap_or(0),
            warmup_steps: 0,
            decay: self.decay,
            lr: self.lr,
            betas: [0.9, 0.98],
            eps: 1e-8,
            weight_decay: self.weight_decay,
            clip: 1.0,
            batch_tokens: self.batch_tokens,
            max_length: self.max_length,
            masking: self.masking,
            mask_rate: self.mask_rate,
            dropout: self.dropout,
            eval_every: 0,
            new_vocabulary: self.from.is_none().then_some(self.vocab_size),
            from_sha256: self.from.as_ref().map(|_| micse_train::run::hash_of_encoder(base)).transpose()?,
            from_modules_sha256: match &self.from {
                Some(_) => micse_train::run::hash_of_modules(base)?,
                None => None,
            },
            text,
            encoder,
        })
    }

    /// What depends on the number of steps.
    fn complete(&self, manifest: &mut Manifest) -> Result<()> {
        let steps = manifest.steps;
        manifest.warmup_steps = self.warmup.unwrap_or((steps / 25).clamp(1, 1000).min(steps - 1));
        if manifest.warmup_steps >= steps {
            bail!("--warmup {} is not below the {steps} steps", manifest.warmup_steps);
        }
        manifest.eval_every = self.eval_every.unwrap_or(steps.div_ceil(10));
        Ok(())
    }

    /// The steps that an earlier start chose, or those that a trial says take `--minutes`.
    fn steps_for_time(
        &self,
        manifest: &Manifest,
        base: &ModelFolder,
        text: &text::Text,
        compute: &Compute,
    ) -> Result<usize> {
        let path = self.out.join("run.toml");
        if path.is_file() {
            let earlier = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let earlier: Manifest = toml::from_str(&earlier)
                .with_context(|| format!("{}: not a run's description", path.display()))?;
            eprintln!("{} steps, as this folder began", earlier.steps);
            return Ok(earlier.steps);
        }
        let minutes = self.minutes.unwrap_or_default();
        let rate = run::trial(manifest, base, self.from.is_some(), text, compute)?;
        let steps = ((minutes * 60.0 * rate) as usize).max(2);
        eprintln!("{rate:.2} steps a second in a trial: {steps} steps take about {minutes} minutes");
        Ok(steps)
    }
}

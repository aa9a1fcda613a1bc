//! Pre-training: masked language modelling of a small BERT, from random weights or from a model.
//!
//! A pre-training is a run folder: `run.toml` (everything that determines it), `start/` (a new vocabulary),
//! `metrics.jsonl`, `checkpoint/` and, at the end, `model/` and `result.json`. It can be killed at any time; restarted
//! with the same inputs, it ends with bit-for-bit identical weights.

mod batches;
mod card;
mod corpus;
mod manifest;
mod recipe;
mod scores;
mod steps;
mod vocabulary;

use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::DType;
use micse_data::{Corpus, Suite};
use micse_files::{Lock, RunFolder, remove_leftovers, remove_leftovers_below, write_json, write_whole};
use micse_model::{BertConfig, Compute, ModelFolder, Pipeline, Pooling};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::run::metrics::MetricsFile;
use crate::run::place::{Pace, Place, remove_checkpoint};
use crate::run::{
    CHECKPOINT_MINUTES, CHECKPOINT_STEPS, OtherCpu, check_trainable, claim, kept_parts, not_of_a_run,
};
use crate::{Error, Result, Stop};
use card::card;
pub use corpus::Source;
use corpus::Text;
use manifest::Manifest;
pub use recipe::{Decay, EncoderSizes, MaskingKind, PretrainRecipe};
use scores::HeldOut;
pub use scores::{PretrainScores, StsScores};
use steps::{Training, trial};

/// Steps between two lines of metrics.
const LOG_STEPS: usize = 50;

/// The inputs of a pre-training.
pub struct PretrainInputs {
    /// The recipe.
    pub recipe: PretrainRecipe,
    /// Time budget in minutes, if the recipe has no steps: a short trial estimates the number of steps.
    pub minutes: Option<f64>,
    /// Seed of weights, order, masks, dropout and held-out sentences.
    pub seed: u64,
    /// The sentences.
    pub corpus: Corpus,
    /// The corpus's sources and their licences, for the model card.
    pub sources: Vec<Source>,
    /// Continue from this model, with its sizes, vocabulary and head; `None`: a new vocabulary and random weights.
    pub model: Option<ModelFolder>,
    /// STS sets to score on during training.
    pub suite: Option<Suite>,
    /// Where and how the encoder is computed.
    pub compute: Compute,
    /// Steps between two checkpoints.
    pub checkpoint_steps: usize,
    /// Time after which a checkpoint is saved in any case.
    pub checkpoint_time: Duration,
    /// Resume from a checkpoint of a different kind of CPU.
    pub allow_other_cpu: bool,
    /// Requests a checkpoint and a stop.
    pub stop: Stop,
    /// How long to wait for another process that uses this folder.
    pub patience: Duration,
}

impl PretrainInputs {
    /// A pre-training from random weights, scored on held-out sentences only.
    pub fn new(recipe: PretrainRecipe, seed: u64, corpus: Corpus, compute: Compute) -> Self {
        Self {
            recipe,
            minutes: None,
            seed,
            sources: Source::of(&corpus, &[]),
            corpus,
            model: None,
            suite: None,
            compute,
            checkpoint_steps: CHECKPOINT_STEPS,
            checkpoint_time: Duration::from_secs_f64(60.0 * CHECKPOINT_MINUTES),
            allow_other_cpu: false,
            stop: Stop::new(),
            patience: Duration::ZERO,
        }
    }
}

/// The progress of a pre-training.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PretrainEvent {
    /// A new vocabulary is being trained.
    Vocabulary {
        /// Its requested size.
        size: usize,
        /// Sentences of the corpus.
        sentences: usize,
    },
    /// The corpus is tokenized.
    Corpus {
        /// Sentences to train on.
        sentences: usize,
        /// Tokens of these sentences.
        tokens: usize,
        /// The share of unknown words.
        unknown: f64,
        /// Held-out sentences.
        held_out: usize,
    },
    /// The number of steps is known.
    Steps {
        /// Steps.
        steps: usize,
        /// Steps per second in the trial; `None`: an earlier start chose the steps.
        per_second: Option<f64>,
    },
    /// Training starts, or resumes, after this many finished steps.
    Started {
        /// Finished steps.
        step: usize,
        /// Total steps.
        steps: usize,
    },
    /// A step is done.
    Step {
        /// Finished steps.
        step: usize,
        /// The mean loss of the batch.
        loss: f64,
        /// Tokens per second since this start, without evaluations.
        tokens_per_second: f64,
        /// Estimated time for the remaining steps.
        left: Duration,
    },
    /// Scores during training.
    Scores(PretrainScores),
    /// A notice for the user.
    Notice(String),
}

/// `result.json`: the result of a finished pre-training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PretrainResult {
    /// Parameters of the encoder.
    pub parameters: usize,
    /// Sentences trained on.
    pub sentences: usize,
    /// Held-out sentences.
    pub held_out_sentences: usize,
    /// Tokens of the sentences trained on.
    pub text_tokens: usize,
    /// Tokens seen in training, including repeats.
    pub tokens: usize,
    /// Seconds, over all starts.
    pub seconds: f64,
    /// The scores after the last step.
    pub scores: PretrainScores,
}

/// Pre-trains a model into `folder`, or resumes. If `result.json` exists, it is read and nothing runs.
///
/// # Errors
/// The recipe is invalid, the folder belongs to another run or cannot be written, training fails, or a stop was
/// requested.
pub fn pretrain(
    folder: &Path,
    inputs: PretrainInputs,
    tell: &mut dyn FnMut(PretrainEvent),
) -> Result<PretrainResult> {
    let PretrainInputs { recipe, minutes, seed, corpus, sources, model, suite, compute, stop, .. } = inputs;
    recipe.check()?;
    let continues = model.is_some();
    // Fails before the text is read.
    model.as_ref().map(ModelFolder::pooling).transpose()?;
    let lock = Lock::take(folder, inputs.patience)?;
    check_foreign(&RunFolder::new(folder), continues)?;
    let (base, encoder) = match model {
        Some(base) => {
            let config = base.config()?;
            recipe.check_positions(&config)?;
            (base, config)
        }
        None => new_base(folder, &recipe, &corpus, tell)?,
    };
    let text = Text::new(&corpus, &base.tokenizer()?, recipe.max_length, seed)?;
    tell(PretrainEvent::Corpus {
        sentences: text.train.len(),
        tokens: text.train.tokens(),
        unknown: text.unknown,
        held_out: text.held_out.len(),
    });
    let from = continues.then_some(&base);
    let mut manifest = Manifest::new(&recipe, seed, corpus.info().clone(), encoder, from, &compute)?;
    // Only the token IDs are needed from here on: free the text.
    drop(corpus);
    manifest.steps = match recipe.steps {
        Some(steps) => steps,
        None => steps_for_time(folder, &recipe, minutes, tell, || {
            trial(&manifest, &base, continues, &text, &compute)
        })?,
    };
    (manifest.warmup_steps, manifest.eval_every) = recipe.for_steps(manifest.steps)?;
    claim(folder, &manifest, if inputs.allow_other_cpu { OtherCpu::Record } else { OtherCpu::Refuse })?;
    let run = RunFolder::new(folder);
    remove_leftovers(folder)?;
    for own in [run.checkpoint_folder(), run.model()] {
        remove_leftovers_below(&own)?;
    }
    if run.is_finished() {
        let result = run.result();
        let known = std::fs::read_to_string(&result).map_err(Error::io(&result))?;
        return serde_json::from_str(&known)
            .map_err(|e| Error::run(&result, format!("not a result ({e}); delete it to train again")));
    }
    let pipeline = Pipeline::load(&base, Some(base.pooling()?.unwrap_or(Pooling::Mean)))?;
    check_trainable(&pipeline, &base)?;
    if let Some(kept) = kept_parts(&pipeline) {
        tell(PretrainEvent::Notice(kept));
    }
    let place = Place::new(run, lock, &manifest)?;
    let job = Job {
        place,
        manifest: &manifest,
        text: &text,
        suite: suite.as_ref(),
        pipeline: &pipeline,
        stop: &stop,
        checkpoints: (inputs.checkpoint_steps, inputs.checkpoint_time),
    };
    let mut training = Training::new(&manifest, &base, continues, &text, &compute)?;
    let outcome = job.run(&mut training, tell)?;
    let model = job.place.run.model();
    job.place.lock.check()?;
    training.head()?.save(&model, DType::F16)?;
    let card = card(&manifest, &sources, continues, &outcome);
    write_whole(&model.join("README.md"), card.as_bytes())?;
    pipeline.with(training.encoder(), None).save(&model, &base, DType::F16)?;
    write_json(&job.place.run.result(), &outcome)?;
    remove_checkpoint(&job.place.run)?;
    Ok(outcome)
}

/// Rejects a folder with files of somebody else, which a run would overwrite. A `start/` with nothing but what
/// [`new_base`] writes may be the rest of a run that was killed before it had a `run.toml`.
fn check_foreign(run: &RunFolder, continues: bool) -> Result<()> {
    if let Some(foreign) = run.foreign() {
        return Err(not_of_a_run(&foreign));
    }
    if continues {
        return Ok(());
    }
    let start = run.start();
    let Ok(entries) = std::fs::read_dir(&start) else {
        return if start.exists() { Err(not_of_a_run(&start)) } else { Ok(()) };
    };
    remove_leftovers(&start)?;
    let own =
        |name: &std::ffi::OsStr| name == "config.json" || vocabulary::FILES.iter().any(|file| name == *file);
    match entries.flatten().find(|entry| !own(&entry.file_name()) && entry.path().exists()) {
        Some(entry) if !run.is_begun() => Err(not_of_a_run(&entry.path())),
        _ => Ok(()),
    }
}

/// The folder with the configuration and tokenizer of a new encoder, created if it does not exist.
fn new_base(
    folder: &Path,
    recipe: &PretrainRecipe,
    corpus: &Corpus,
    tell: &mut dyn FnMut(PretrainEvent),
) -> Result<(ModelFolder, BertConfig)> {
    let mut config = recipe.new_encoder()?;
    recipe.check_positions(&config)?;
    let start = RunFolder::new(folder).start();
    // Without a run.toml, existing files may come from a different corpus.
    if !(start.join("config.json").is_file() && RunFolder::new(folder).is_begun()) {
        let size = recipe.encoder.vocab_size;
        tell(PretrainEvent::Vocabulary { size, sentences: corpus.len() });
        let tokens = vocabulary::train(corpus, size).map_err(|reason| recipe.invalid(reason))?;
        config.vocab_size = tokens.len();
        vocabulary::write(&start, &tokens, recipe.encoder.positions)?;
        // Written last: `start/` is complete once it has a configuration.
        write_json(&start.join("config.json"), &config)?;
    }
    let base = ModelFolder::open(&start)?;
    // A small corpus may not fill the vocabulary.
    config.vocab_size = base.config()?.vocab_size;
    Ok((base, config))
}

/// The number of steps that an earlier start chose, or an estimate for the given minutes from `trial`, which returns
/// steps per second.
fn steps_for_time(
    folder: &Path,
    recipe: &PretrainRecipe,
    minutes: Option<f64>,
    tell: &mut dyn FnMut(PretrainEvent),
    trial: impl FnOnce() -> Result<f64>,
) -> Result<usize> {
    let run = RunFolder::new(folder);
    let path = run.manifest();
    if run.is_begun() && !run.is_bare() {
        let earlier = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let earlier: Manifest = toml::from_str(&earlier)
            .map_err(|e| Error::run(&path, format!("not the run.toml of a pre-training: {e}")))?;
        tell(PretrainEvent::Steps { steps: earlier.steps, per_second: None });
        return Ok(earlier.steps);
    }
    let minutes = minutes.filter(|minutes| (0.0..1e6).contains(minutes));
    let minutes = minutes.ok_or_else(|| {
        recipe.invalid("the number of steps is missing: set steps, or minutes above 0".into())
    })?;
    let per_second = trial()?;
    let steps = ((minutes * 60.0 * per_second) as usize).max(2);
    tell(PretrainEvent::Steps { steps, per_second: Some(per_second) });
    Ok(steps)
}

/// The steps of a pre-training in its folder.
struct Job<'a> {
    place: Place,
    manifest: &'a Manifest,
    text: &'a Text,
    suite: Option<&'a Suite>,
    pipeline: &'a Pipeline,
    stop: &'a Stop,
    /// Steps and time between two checkpoints.
    checkpoints: (usize, Duration),
}

impl Job<'_> {
    fn run(
        &self,
        training: &mut Training<'_>,
        tell: &mut dyn FnMut(PretrainEvent),
    ) -> Result<PretrainResult> {
        let held_out = HeldOut::new(&self.text.held_out, self.manifest, training.vocabulary())?;
        if let Some(notice) = self.place.set_aside_foreign()? {
            tell(PretrainEvent::Notice(notice));
        }
        let checkpoint = self.place.run.checkpoint();
        if checkpoint.is_file() {
            training.restore(&checkpoint)?;
        }
        let mut clock = Clock::start(training.facts.seconds, training.facts.step);
        let scores = self.train(training, &held_out, &mut clock, tell)?;
        let parameters = training.encoder().parameters();
        Ok(PretrainResult {
            parameters: parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum(),
            sentences: self.text.train.len(),
            held_out_sentences: self.text.held_out.len(),
            text_tokens: self.text.train.tokens(),
            tokens: training.facts.tokens,
            seconds: clock.seconds(),
            scores,
        })
    }

    /// Writes a checkpoint, if this process still holds the folder's lock.
    fn save(&self, training: &Training<'_>, clock: &Clock, metrics: &MetricsFile) -> Result<()> {
        // Metrics must reach the disk before the checkpoint that covers them.
        metrics.sync()?;
        self.place.lock.check()?;
        training.save(&self.place.run.checkpoint(), &self.place.identity, clock.seconds())
    }

    fn score(&self, training: &Training<'_>, held_out: &HeldOut) -> Result<PretrainScores> {
        let (encoder, head) = (training.encoder(), training.head()?);
        PretrainScores::of(training.facts.step, held_out, self.suite, encoder, head, self.pipeline)
    }

    /// Runs the remaining steps; returns the last scores.
    fn train(
        &self,
        training: &mut Training<'_>,
        held_out: &HeldOut,
        clock: &mut Clock,
        tell: &mut dyn FnMut(PretrainEvent),
    ) -> Result<PretrainScores> {
        let steps = self.manifest.steps;
        let mut metrics = MetricsFile::open(&self.place.run, training.facts.step)?;
        let mut pace = Pace::new(self.checkpoints.0, self.checkpoints.1);
        let mut scores = None;
        tell(PretrainEvent::Started { step: training.facts.step, steps });
        while training.facts.step < steps {
            if self.stop.requested() {
                self.save(training, clock, &metrics)?;
                return Err(Error::Stopped { step: training.facts.step });
            }
            let report = training.step()?;
            let done = training.facts.step;
            clock.count(report.tokens);
            let (tokens_per_second, left) = (clock.tokens_per_second(), clock.left(done, steps));
            tell(PretrainEvent::Step { step: done, loss: report.loss, tokens_per_second, left });
            if done.is_multiple_of(LOG_STEPS) || done == 1 || done == steps {
                let sums = std::mem::take(&mut training.facts.sums);
                metrics.add(&json!({
                    "step": done,
                    "loss": sums.loss / sums.predicted as f64,
                    "accuracy": sums.right as f64 / sums.predicted as f64,
                    "lr": report.learning_rate,
                    "gradient_norm": report.gradient_norm,
                    "tokens": training.facts.tokens,
                    "epoch": training.facts.epoch,
                    "tokens_per_s": clock.tokens_per_second().round(),
                }))?;
            }
            if done.is_multiple_of(self.manifest.eval_every) || done == steps {
                let found = clock.aside(|| self.score(training, held_out))?;
                let line = serde_json::to_value(&found)
                    .map_err(|e| Error::run(self.place.run.path(), e.to_string()))?;
                metrics.add(&line)?;
                tell(PretrainEvent::Scores(found.clone()));
                scores = Some(found);
            }
            if done < steps && pace.is_due(done) {
                let began = Instant::now();
                self.save(training, clock, &metrics)?;
                clock.paused += began.elapsed();
                pace.saved();
            }
        }
        // A start that resumes after the last step still has to compute the scores.
        scores.map_or_else(|| self.score(training, held_out), Ok)
    }
}

/// The time of a pre-training, over all its starts, and the speed of this one.
struct Clock {
    /// Seconds of earlier starts, up to the checkpoint.
    before: f64,
    began: Instant,
    first: usize,
    tokens: usize,
    /// Time of evaluations and checkpoints.
    paused: Duration,
}

impl Clock {
    fn start(before: f64, first: usize) -> Self {
        Self { before, began: Instant::now(), first, tokens: 0, paused: Duration::ZERO }
    }

    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }

    fn count(&mut self, tokens: usize) {
        self.tokens += tokens;
    }

    fn stepping(&self) -> f64 {
        self.began.elapsed().saturating_sub(self.paused).as_secs_f64().max(1e-3)
    }

    fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.stepping()
    }

    /// Estimated time for the remaining steps.
    fn left(&self, done: usize, steps: usize) -> Duration {
        let step = self.stepping() / done.saturating_sub(self.first).max(1) as f64;
        Duration::try_from_secs_f64(step * steps.saturating_sub(done) as f64).unwrap_or(Duration::MAX)
    }

    /// Runs work that does not count as training time.
    fn aside<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.paused += began.elapsed();
        result
    }
}

//! The training loop of a pre-training: steps, evaluations, checkpoints, and the finished model folder.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use candle_core::DType;
use micse_data::{MaskVocabulary, Suite};
use micse_files::{write_json, write_whole};
use micse_model::{
    AdamStep, Compute, Dropout, Encoder, MaskedLmHead, Mode, ModelFolder, Padding, Pipeline, Pooling,
    RandomWeights, Trainable, build_encoder, clip_factor,
};
use micse_random::Stream;
use micse_train::checkpoint::{Checkpoint, CheckpointWriter, set_aside_foreign};
use micse_train::masked_lm::{MaskedBatch, add_table_gradient, mask_vocabulary};
use micse_train::run::{Lock, check_trainable, open_metrics};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Manifest;
use super::batches::Epoch;
use super::card::card;
use super::progress::Progress;
use super::scores::{HeldOut, Scores};
use super::text::{Source, Text};

/// What the coordinates of the seed's stream mean; a purpose never shares its draws with another.
mod purpose {
    pub(super) const WEIGHTS: u64 = 1;
    pub(super) const HEAD: u64 = 2;
    pub(super) const MASKS: u64 = 3;
    pub(super) const DROPOUT: u64 = 4;
}

/// Steps between two lines of metrics.
const LOG_STEPS: usize = 50;
/// A trial: steps to warm up, and how long to measure.
const TRIAL_WARM: usize = 3;
const TRIAL_TIME: Duration = Duration::from_secs(20);

/// What a pre-training needs.
pub(super) struct Job<'a> {
    pub(super) folder: &'a Path,
    pub(super) lock: &'a Lock,
    /// Of the manifest, for checkpoints.
    pub(super) identity: String,
    pub(super) manifest: &'a Manifest,
    pub(super) compute: &'a Compute,
    /// Configuration and tokenizer; with `from`, also weights and perhaps a head.
    pub(super) base: &'a ModelFolder,
    pub(super) from: bool,
    pub(super) text: &'a Text,
    pub(super) sources: &'a [Source],
    pub(super) suite: Option<&'a Suite>,
    pub(super) checkpoint_time: Duration,
    pub(super) stop_after: Option<usize>,
}

/// `result.json`: its presence means: done.
#[derive(Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) parameters: usize,
    pub(super) sentences: usize,
    pub(super) held_out_sentences: usize,
    pub(super) text_tokens: usize,
    /// Tokens that training saw, repeats counted.
    pub(super) tokens: usize,
    pub(super) seconds: f64,
    pub(super) scores: Scores,
}

/// Sums since the last line of metrics.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Sums {
    loss: f64,
    predicted: usize,
    right: usize,
}

/// Where a pre-training stands, beside weights and moments.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Facts {
    step: usize,
    epoch: usize,
    /// Batches of the epoch that are done.
    batch: usize,
    tokens: usize,
    seconds: f64,
    sums: Sums,
}

/// Encoder and head, and the data that they are trained on.
struct Training<'a> {
    manifest: &'a Manifest,
    text: &'a Text,
    vocabulary: MaskVocabulary,
    stream: Stream,
    encoder: Box<dyn Encoder>,
    head: MaskedLmHead,
    epoch: Epoch,
    facts: Facts,
}

/// The figures of one step.
struct Step {
    tokens: usize,
    loss: f64,
    learning_rate: f64,
    gradient_norm: f64,
}

impl<'a> Training<'a> {
    /// At step 0.
    fn new(
        manifest: &'a Manifest,
        base: &ModelFolder,
        from: bool,
        text: &'a Text,
        compute: &Compute,
    ) -> Result<Self> {
        let device = &compute.device;
        let stream = Stream::new(manifest.seed);
        let config = &manifest.encoder;
        let encoder: Box<dyn Encoder> = if from {
            base.encoder(compute)?
        } else {
            let deviation = config.initializer_range;
            let mut weights = RandomWeights { deviation, stream: stream.with(purpose::WEIGHTS) };
            build_encoder(config.clone(), &mut weights, compute)?
        };
        let known = if from { MaskedLmHead::in_folder(base.path(), config, device)? } else { None };
        let head = match known {
            Some(head) => head,
            None => MaskedLmHead::new(config, stream.with(purpose::HEAD), device)?,
        };
        let vocabulary = mask_vocabulary(&base.tokenizer()?)?;
        let epoch = Epoch::new(&text.train, manifest.batch_tokens, manifest.seed, 0);
        Ok(Self { manifest, text, vocabulary, stream, encoder, head, epoch, facts: Facts::default() })
    }

    /// The next batch's sentences; a new epoch begins where one ends.
    fn next_batch(&mut self) -> Vec<Vec<u32>> {
        if self.facts.batch == self.epoch.len() {
            (self.facts.epoch, self.facts.batch) = (self.facts.epoch + 1, 0);
        }
        if self.epoch.number() != self.facts.epoch {
            let m = self.manifest;
            self.epoch = Epoch::new(&self.text.train, m.batch_tokens, m.seed, self.facts.epoch);
        }
        let batch = self.epoch.batch(self.facts.batch);
        batch.iter().map(|&i| self.text.train.get(i as usize)).collect()
    }

    fn step(&mut self) -> Result<Step> {
        let (m, k) = (self.manifest, self.facts.step);
        let at = |purpose: u64| self.stream.with(purpose).with(k as u64);
        let (masks, dropout) = (at(purpose::MASKS), at(purpose::DROPOUT));
        let sentences = self.next_batch();
        let batch = MaskedBatch::new(&sentences, m.masking(), &self.vocabulary, (Padding::Drop, 0), masks)?;
        let mode = Mode::Training(Dropout { hidden: m.dropout, attention: m.dropout, stream: dropout });
        let masked = batch.loss(self.encoder.as_ref(), &self.head, mode, m.precision)?;
        let masked = masked.with_context(|| format!("step {}: the batch has no words", k + 1))?;
        let loss = f64::from(masked.loss.to_scalar::<f32>()?);
        if !loss.is_finite() {
            bail!("step {}: the loss is {loss}; lower --lr", k + 1);
        }
        let gradients = masked.loss.backward()?;
        self.encoder.collect_gradients(&gradients)?;
        self.head.collect_gradients(&gradients)?;
        add_table_gradient(self.encoder.as_mut(), &masked, &gradients)?;
        let right = masked.correct;
        drop((masked, gradients));
        let norm = (self.encoder.gradient_square_norm()? + self.head.gradient_square_norm()?).sqrt();
        if !norm.is_finite() {
            bail!("step {}: the gradient's norm is {norm}; lower --lr", k + 1);
        }
        let rule = AdamStep {
            step: k + 1,
            learning_rate: m.learning_rate(k),
            betas: (m.betas[0], m.betas[1]),
            epsilon: m.eps,
            weight_decay: m.weight_decay,
            gradient_scale: clip_factor(norm, m.clip),
            bias_correction: true,
        };
        self.encoder.step(&rule)?;
        self.head.step(&rule)?;
        let tokens = batch.batch.rows();
        let facts = &mut self.facts;
        (facts.step, facts.batch, facts.tokens) = (k + 1, facts.batch + 1, facts.tokens + tokens);
        let count = batch.targets.len();
        facts.sums.loss += loss * count as f64;
        facts.sums.predicted += count;
        facts.sums.right += right;
        Ok(Step { tokens, loss, learning_rate: rule.learning_rate, gradient_norm: norm })
    }

    fn save(&self, path: &Path, identity: &str, seconds: f64) -> Result<()> {
        let mut file = CheckpointWriter::new();
        file.part("encoder", self.encoder.as_ref())?;
        file.part("head", &self.head)?;
        Ok(file.write(path, identity, &Facts { seconds, ..self.facts.clone() })?)
    }

    fn restore(&mut self, path: &Path) -> Result<()> {
        let file = Checkpoint::read(path, &candle_core::Device::Cpu)?;
        self.facts = file.facts()?;
        // There are no moments before the first step.
        let moments = self.facts.step > 0;
        file.restore("encoder", self.encoder.as_mut(), moments)?;
        file.restore("head", &mut self.head, moments)?;
        Ok(())
    }
}

/// Steps a second of this work on this machine.
pub(super) fn trial(
    manifest: &Manifest,
    base: &ModelFolder,
    from: bool,
    text: &Text,
    compute: &Compute,
) -> Result<f64> {
    let manifest = Manifest { steps: usize::MAX, warmup_steps: 1, ..manifest.clone() };
    let mut training = Training::new(&manifest, base, from, text, compute)?;
    for _ in 0..TRIAL_WARM {
        training.step()?;
    }
    let (began, mut steps) = (Instant::now(), 0);
    while began.elapsed() < TRIAL_TIME {
        training.step()?;
        steps += 1;
    }
    Ok(f64::from(steps) / began.elapsed().as_secs_f64())
}

impl Job<'_> {
    pub(super) fn run(&self) -> Result<()> {
        let result = self.folder.join("result.json");
        if result.is_file() {
            let text = std::fs::read_to_string(&result).with_context(|| result.display().to_string())?;
            let outcome: Outcome = serde_json::from_str(&text)
                .with_context(|| format!("{}: not a result; delete it to make it anew", result.display()))?;
            println!("done already: {}", outcome.scores.line());
            return Ok(());
        }
        let pipeline = Pipeline::load(self.base, Some(self.base.pooling()?.unwrap_or(Pooling::Mean)))?;
        check_trainable(&pipeline, self.base).map_err(anyhow::Error::msg)?;
        let kept = pipeline.kept_parts();
        if !kept.is_empty() {
            eprintln!("notice: the model keeps {} as in its folder, untrained", kept.join(", "));
        }
        let mut training = Training::new(self.manifest, self.base, self.from, self.text, self.compute)?;
        let held_out = HeldOut::new(&self.text.held_out, self.manifest, &training.vocabulary)?;
        let checkpoint = self.folder.join("checkpoint").join("state.safetensors");
        if let Some(aside) = set_aside_foreign(&checkpoint, &self.identity)? {
            eprintln!(
                "notice: the checkpoint in this folder was written by another run; it is now {}, and this run starts from \
                 its beginning",
                aside.display()
            );
        }
        if checkpoint.is_file() {
            training.restore(&checkpoint)?;
            eprintln!("going on after step {}", training.facts.step);
        }
        let before = training.facts.seconds;
        let began = Instant::now();
        let seconds = || before + began.elapsed().as_secs_f64();
        let Some(scores) = self.train(&mut training, &pipeline, &held_out, &checkpoint, &seconds)? else {
            return Ok(());
        };
        let outcome = Outcome {
            parameters: training.encoder.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum(),
            sentences: self.text.train.len(),
            held_out_sentences: self.text.held_out.len(),
            text_tokens: self.text.train.tokens(),
            tokens: training.facts.tokens,
            seconds: seconds(),
            scores,
        };
        let model = self.folder.join("model");
        self.lock.check()?;
        training.head.save(&model, DType::F16)?;
        let card = card(self.manifest, self.sources, self.from, &outcome);
        write_whole(&model.join("README.md"), card.as_bytes())?;
        pipeline.with(training.encoder.as_ref(), None).save(&model, self.base, DType::F16)?;
        write_json(&result, &outcome)?;
        if let Some(folder) = checkpoint.parent().filter(|folder| folder.exists()) {
            std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        println!("{}\n{}", outcome.scores.line(), model.display());
        Ok(())
    }

    /// Writes a checkpoint, if the folder is still this run's.
    fn save(&self, training: &Training<'_>, checkpoint: &Path, seconds: f64) -> Result<()> {
        self.lock.check()?;
        training.save(checkpoint, &self.identity, seconds)
    }

    /// All steps that are left; the last scores, or none if the steps are not done.
    fn train(
        &self,
        training: &mut Training<'_>,
        pipeline: &Pipeline,
        held_out: &HeldOut,
        checkpoint: &Path,
        seconds: &dyn Fn() -> f64,
    ) -> Result<Option<Scores>> {
        let steps = self.manifest.steps;
        let path = self.folder.join("metrics.jsonl");
        let mut metrics = open_metrics(&path, training.facts.step)?;
        let mut line = |value: serde_json::Value| {
            writeln!(metrics, "{value}").with_context(|| path.display().to_string())
        };
        let score = |training: &Training<'_>| {
            let (encoder, head) = (training.encoder.as_ref(), &training.head);
            Scores::of(training.facts.step, held_out, self.suite, encoder, head, pipeline)
        };
        let mut progress = Progress::new(training.facts.step, steps);
        let mut saved = Instant::now();
        let mut scores = None;
        while training.facts.step < steps {
            if self.stop_after.is_some_and(|last| training.facts.step >= last) {
                self.save(training, checkpoint, seconds())?;
                progress.say(&format!("stopped after step {}", training.facts.step));
                return Ok(None);
            }
            let report = training.step()?;
            let done = training.facts.step;
            progress.step(done, report.tokens, report.loss);
            if done.is_multiple_of(LOG_STEPS) || done == 1 || done == steps {
                let sums = std::mem::take(&mut training.facts.sums);
                line(json!({
                    "step": done,
                    "loss": sums.loss / sums.predicted as f64,
                    "accuracy": sums.right as f64 / sums.predicted as f64,
                    "lr": report.learning_rate,
                    "gradient_norm": report.gradient_norm,
                    "tokens": training.facts.tokens,
                    "epoch": training.facts.epoch,
                    "tokens_per_s": progress.tokens_per_second().round(),
                }))?;
            }
            if done.is_multiple_of(self.manifest.eval_every) || done == steps {
                let found = progress.aside(|| score(training))?;
                progress.say(&found.line());
                line(serde_json::to_value(&found)?)?;
                scores = Some(found);
            }
            if done < steps && saved.elapsed() >= self.checkpoint_time {
                progress.aside(|| self.save(training, checkpoint, seconds()))?;
                saved = Instant::now();
            }
        }
        // A start after the last step's checkpoint has the scores still to take.
        scores.map_or_else(|| score(training), Ok).map(Some)
    }
}

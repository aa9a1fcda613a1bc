//! The steps of a pre-training: batches, masks, gradients, optimizer.

use std::path::Path;
use std::time::{Duration, Instant};

use micse_data::MaskVocabulary;
use micse_model::{
    AdamStep, Compute, Dropout, Encoder, MaskedLmHead, Mode, ModelFolder, Padding, RandomWeights,
    build_encoder, clip_factor,
};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::batches::Epoch;
use super::corpus::Text;
use super::manifest::Manifest;
use crate::checkpoint::{Checkpoint, CheckpointWriter};
use crate::masked_lm::{MaskedBatch, mask_vocabulary};
use crate::networks::{NetworkKind, Networks};
use crate::{Error, Result};

/// First coordinates of the seed's stream: one per purpose, so that no two purposes share draws.
mod purpose {
    pub(super) const WEIGHTS: u64 = 1;
    pub(super) const HEAD: u64 = 2;
    pub(super) const MASKS: u64 = 3;
    pub(super) const DROPOUT: u64 = 4;
}

/// A trial: steps to warm up, and how long to measure.
const TRIAL_WARM: usize = 3;
const TRIAL_TIME: Duration = Duration::from_secs(20);

/// Sums since the last line of metrics.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) loss: f64,
    pub(super) predicted: usize,
    pub(super) right: usize,
}

/// The progress of a pre-training, apart from weights and moments.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) step: usize,
    pub(super) epoch: usize,
    /// Finished batches of the epoch.
    batch: usize,
    pub(super) tokens: usize,
    pub(super) seconds: f64,
    pub(super) sums: Sums,
}

/// Encoder and head, and the data that they are trained on.
pub(super) struct Training<'a> {
    manifest: &'a Manifest,
    text: &'a Text,
    vocabulary: MaskVocabulary,
    stream: Stream,
    networks: Networks,
    epoch: Epoch,
    pub(super) facts: Facts,
}

/// The results of one step.
pub(super) struct Step {
    pub(super) tokens: usize,
    pub(super) loss: f64,
    pub(super) learning_rate: f64,
    pub(super) gradient_norm: f64,
}

impl<'a> Training<'a> {
    /// The training at step 0.
    pub(super) fn new(
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
        let networks = Networks::of_masked_lm(encoder, head);
        Ok(Self { manifest, text, vocabulary, stream, networks, epoch, facts: Facts::default() })
    }

    pub(super) fn encoder(&self) -> &dyn Encoder {
        self.networks.encoder()
    }

    /// The prediction head.
    pub(super) fn head(&self) -> Result<&MaskedLmHead> {
        let missing = || micse_model::Error::Input("the networks have no prediction head".into());
        Ok(self.networks.masked_lm_head(NetworkKind::MaskedLmHead).ok_or_else(missing)?)
    }

    pub(super) fn vocabulary(&self) -> &MaskVocabulary {
        &self.vocabulary
    }

    /// The next batch's sentences; starts a new epoch when one ends.
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

    pub(super) fn step(&mut self) -> Result<Step> {
        let (m, k) = (self.manifest, self.facts.step);
        let failed = |reason: String| Error::Training { step: k + 1, reason };
        let at = |purpose: u64| self.stream.with(purpose).with(k as u64);
        let (masks, dropout) = (at(purpose::MASKS), at(purpose::DROPOUT));
        let sentences = self.next_batch();
        let batch = MaskedBatch::new(&sentences, m.masking(), &self.vocabulary, (Padding::Drop, 0), masks)?;
        let mode = Mode::Training(Dropout { hidden: m.dropout, attention: m.dropout, stream: dropout });
        let masked = batch.loss(self.encoder(), self.head()?, mode, m.precision)?;
        let masked = masked.ok_or_else(|| failed("the batch has no words".into()))?;
        let loss = f64::from(masked.loss.to_scalar::<f32>()?);
        if !loss.is_finite() {
            return Err(failed(format!("the loss is {loss}; lower lr")));
        }
        let gradients = masked.loss.backward()?;
        self.networks.collect_masked_lm(&masked, &gradients)?;
        let right = masked.correct;
        drop((masked, gradients));
        let norm = self.networks.gradient_norm()?;
        if !norm.is_finite() {
            return Err(failed(format!("the gradient norm is {norm}; lower lr")));
        }
        let rule = AdamStep {
            step: k + 1,
            learning_rate: m.learning_rate(k),
            betas: (m.betas[0], m.betas[1]),
            epsilon: m.eps,
            weight_decay: m.weight_decay,
            decay_all: false,
            gradient_scale: clip_factor(norm, m.clip),
            bias_correction: true,
        };
        self.networks.step(&rule)?;
        let tokens = batch.batch.rows();
        let facts = &mut self.facts;
        (facts.step, facts.batch, facts.tokens) = (k + 1, facts.batch + 1, facts.tokens + tokens);
        let count = batch.targets.len();
        facts.sums.loss += loss * count as f64;
        facts.sums.predicted += count;
        facts.sums.right += right;
        Ok(Step { tokens, loss, learning_rate: rule.learning_rate, gradient_norm: norm })
    }

    pub(super) fn save(&self, path: &Path, identity: &str, seconds: f64) -> Result<()> {
        let mut file = CheckpointWriter::new();
        file.part("encoder", self.encoder())?;
        file.part("head", self.head()?)?;
        file.write(path, identity, &Facts { seconds, ..self.facts.clone() })
    }

    pub(super) fn restore(&mut self, path: &Path) -> Result<()> {
        let file = Checkpoint::read(path, &candle_core::Device::Cpu)?;
        self.facts = file.facts()?;
        // Before the first step, no moments exist.
        let moments = self.facts.step > 0;
        file.restore("encoder", self.networks.encoder_mut(), moments)?;
        if let Some(head) = self.networks.masked_lm_head_mut(NetworkKind::MaskedLmHead) {
            file.restore("head", head, moments)?;
        }
        Ok(())
    }
}

/// Measures the steps per second of this training on this machine.
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

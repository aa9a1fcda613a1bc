//! The scores of a pre-training: the loss on held-out sentences, and STS scores without further training.

use std::fmt;

use micse_data::{MaskVocabulary, Suite};
use micse_eval::{dev_spearman, evaluate};
use micse_model::{Encoder, MaskedLmHead, Padding, Pipeline, Pooling};
use micse_random::Stream;
use serde::{Deserialize, Serialize};

use super::corpus::Sentences;
use super::manifest::Manifest;
use crate::Result;
use crate::masked_lm::MaskedBatch;

/// Separates the masks of held-out sentences from the masks of training.
const HELD_OUT_MASKS: u64 = 0x6865_6c64_6d61;

/// Held-out sentences with masks that are the same at every evaluation.
pub(super) struct HeldOut(Vec<MaskedBatch>);

impl HeldOut {
    pub(super) fn new(
        sentences: &Sentences,
        manifest: &Manifest,
        vocabulary: &MaskVocabulary,
    ) -> Result<Self> {
        let stream = Stream::new(manifest.seed).with(HELD_OUT_MASKS);
        let mut order: Vec<usize> = (0..sentences.len()).collect();
        order.sort_by_key(|&i| sentences.length(i));
        let batches = order.chunks(64).enumerate().map(|(b, chunk)| {
            let ids: Vec<Vec<u32>> = chunk.iter().map(|&i| sentences.get(i)).collect();
            let stream = stream.with(b as u64);
            MaskedBatch::new(&ids, manifest.masking(), vocabulary, (Padding::Drop, 0), stream)
        });
        Ok(Self(batches.collect::<Result<_>>()?))
    }

    /// Mean loss and share of correct predictions over all masked tokens.
    fn score(&self, encoder: &dyn Encoder, head: &MaskedLmHead) -> Result<(f64, f64)> {
        let (mut sum, mut right, mut count) = (0.0, 0, 0);
        for batch in &self.0 {
            if let Some((loss, correct)) = batch.evaluate(encoder, head)? {
                sum += loss * batch.targets.len() as f64;
                right += correct;
                count += batch.targets.len();
            }
        }
        Ok((sum / count as f64, right as f64 / count as f64))
    }
}

/// The scores after some step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PretrainScores {
    /// Finished steps.
    pub step: usize,
    /// Mean cross-entropy of masked held-out tokens, in nats.
    pub held_out_loss: f64,
    /// Share of these tokens predicted correctly.
    pub held_out_accuracy: f64,
    /// STS scores by pooling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sts: Vec<StsScores>,
}

/// STS scores of one pooling: Spearman times 100 over all pairs of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StsScores {
    /// The pooling.
    pub pooling: Pooling,
    /// The development pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<f64>,
    /// The mean of the tasks.
    pub average: f64,
    /// Each task.
    pub tasks: Vec<(String, f64)>,
}

impl PretrainScores {
    pub(super) fn of(
        step: usize,
        held_out: &HeldOut,
        suite: Option<&Suite>,
        encoder: &dyn Encoder,
        head: &MaskedLmHead,
        pipeline: &Pipeline,
    ) -> Result<Self> {
        let (held_out_loss, held_out_accuracy) = held_out.score(encoder, head)?;
        let mut sts = Vec::new();
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let Some(suite) = suite else { continue };
            let pipeline = pipeline.clone().with_pooling(pooling)?;
            let model = pipeline.with(encoder, None);
            let dev = suite.dev.as_ref().map(|task| dev_spearman(&model, task)).transpose()?;
            let evaluation = evaluate(&model, suite, &mut |_, _| {})?;
            let tasks = evaluation.tasks.iter().map(|(name, task)| (name.to_owned(), task.spearman.all));
            sts.push(StsScores { pooling, dev, average: evaluation.average, tasks: tasks.collect() });
        }
        Ok(Self { step, held_out_loss, held_out_accuracy, sts })
    }
}

/// One line.
impl fmt::Display for PretrainScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "step {}: held-out loss {:.3}, {:.1} % correct",
            self.step,
            self.held_out_loss,
            100.0 * self.held_out_accuracy
        )?;
        for scores in &self.sts {
            let dev = scores.dev.map_or(String::new(), |dev| format!("dev {dev:.2}, "));
            write!(f, "; {}: {dev}STS average {:.2}", scores.pooling, scores.average)?;
        }
        Ok(())
    }
}

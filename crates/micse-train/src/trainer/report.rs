//! The report of a step.

use std::time::{Duration, Instant};

use candle_core::{D, Tensor};
use micse_losses::{cosine_matrix, normalize_rows};
use micse_model::Batch;
use serde::Serialize;

use crate::Result;

/// The results of one step.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// The step, from 1.
    pub step: usize,
    /// The weighted sum of all terms.
    pub loss: f64,
    /// Each objective's own value, before its weight.
    #[serde(serialize_with = "as_map")]
    pub terms: Vec<(&'static str, f64)>,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// The gradient's norm before clipping.
    pub gradient_norm: f64,
    /// Sentences of the batch.
    pub sentences: usize,
    /// Tokens of the batch, padding not counted.
    pub tokens: usize,
    /// Mean squared distance between the two views of a sentence of the batch, as unit vectors with dropout, behind
    /// the head: not the alignment of the finished encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// log mean exp(-2 d^2) over pairs of different sentences, on the same vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<f64>,
    /// Mean cosine of different sentences: near 1 if the encoder has collapsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_cosine: Option<f64>,
    /// The time of each part of the step.
    #[serde(skip)]
    pub times: StepTimes,
}

/// How long the parts of a step took.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepTimes {
    /// Tokenizing the batch's sentences.
    pub tokenize: Duration,
    /// Encoding the views, and the batch with the momentum encoder.
    pub encode: Duration,
    /// Drawing positions, heads, objectives and their backward pass down to the leaves.
    pub objectives: Duration,
    /// The encoder's backward pass; with chunks, including the second encoding.
    pub backward: Duration,
    /// Gradient norm, optimizer step and momentum update.
    pub update: Duration,
}

/// A stopwatch with laps.
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the last lap, or since the start.
    pub(super) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

fn as_map<S: serde::Serializer>(
    terms: &[(&'static str, f64)],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_map(terms.iter().copied())
}

impl StepReport {
    pub(super) fn new(step: usize, batch: &Batch) -> Self {
        Self {
            step,
            loss: f64::NAN,
            terms: Vec::new(),
            learning_rate: f64::NAN,
            gradient_norm: f64::NAN,
            sentences: batch.sentences(),
            tokens: batch.lengths().iter().sum(),
            alignment: None,
            uniformity: None,
            mean_cosine: None,
            times: StepTimes::default(),
        }
    }

    /// Alignment (with two views), uniformity (Wang & Isola 2020, t = 2) and mean cosine of the batch.
    pub(super) fn measure(&mut self, z1: &Tensor, z2: Option<&Tensor>) -> Result<()> {
        let z1 = z1.detach();
        if let Some(z2) = z2 {
            let (u1, u2) = (normalize_rows(&z1)?, normalize_rows(&z2.detach())?);
            let distances = (u1 - u2)?.sqr()?.sum(D::Minus1)?;
            self.alignment = Some(f64::from(distances.mean_all()?.to_scalar::<f32>()?));
        }
        let cosines = cosine_matrix(&z1, &z1)?.to_vec2::<f32>()?;
        let pairs: Vec<f64> =
            cosines.iter().enumerate().flat_map(|(i, row)| row[..i].iter().map(|&c| f64::from(c))).collect();
        if !pairs.is_empty() {
            let n = pairs.len() as f64;
            // |u - v|^2 = 2 - 2 cos for unit vectors.
            let kernel = pairs.iter().map(|c| (-2.0 * (2.0 - 2.0 * c)).exp()).sum::<f64>();
            self.uniformity = Some((kernel / n).ln());
            self.mean_cosine = Some(pairs.iter().sum::<f64>() / n);
        }
        Ok(())
    }

    /// A warning if these results look like collapse, with the fix.
    pub fn warning(&self) -> Option<String> {
        if let Some(cosine) = self.mean_cosine.filter(|&c| c > 0.99) {
            return Some(format!(
                "step {}: different sentences have a mean cosine of {cosine:.4}: the encoder is collapsing; lower \
                 optimizer.lr, or use more negatives",
                self.step
            ));
        }
        let infonce = self.terms.iter().find(|(name, _)| *name == "infonce")?.1;
        (infonce < 1e-3 && self.sentences > 1).then(|| {
            format!(
                "step {}: infonce is {infonce:.1e}: the contrast is too easy; use fewer steps, a higher dropout or \
                 larger batches",
                self.step
            )
        })
    }
}

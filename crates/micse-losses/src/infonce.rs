//! `InfoNCE`, the contrastive loss over in-batch and queued negatives.
//!
//! With `s(a, b) = cos(a, b) / tau`, for row `i` of two views `z1`, `z2` and queued rows `q_k`:
//!
//! * [`InfoNceForm::Standard`]: the mean over `i` of
//!   `ln( sum_j exp s(z1_i, z2_j) + sum_k exp s(z1_i, q_k) ) - s(z1_i, z2_i)`, the positive `j = i` included.
//! * [`InfoNceForm::AsPrinted`] (Eq. 2 of the miCSE paper): the *sum* over `i` of
//!   `ln( sum_{j != i} exp s(z1_i, z1_j) + sum_k exp s(z1_i, q_k) ) - s(z1_i, z2_i)`. The positive is
//!   not in the denominator, so the value can be negative; the in-batch negatives come from the same view.

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::checks::{matrix, pair, positive_temperature, same_shape, same_type};
use crate::cosine::normalize_rows;
use crate::logits::{exclude, log_sum_exp};
use crate::{Error, Result};

/// Which of the two contrastive losses of the [module](self) to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InfoNceForm {
    /// Cross-entropy with the positive in the denominator, mean over rows, as in released code.
    #[default]
    Standard,
    /// Eq. 2 of the miCSE paper, literally.
    AsPrinted,
}

/// The contrastive loss.
///
/// **Inputs**: two views `z1`, `z2` `[B, D]` of any norm; rows with the same index are a positive pair. Optionally
/// a queue `[Q, D]` of further negatives, which gets no gradient.
///
/// **Requirements**: f32 or f64. With one row and no queue there are no negatives: the standard form is 0, and the
/// printed form is an error. A zero row has cosine 0 with all rows (see [`normalize_rows`]).
///
/// **Relations**: `SimCSE` is the standard form without a queue. With [`NegativeQueue`](crate::NegativeQueue), it
/// is the contrastive part of miCSE.
///
/// **Recommended values**: temperature 0.05, a queue of 384 rows, batches of 50 to 512.
///
/// **Citation**: van den Oord, Li, Vinyals 2018 (`InfoNCE`); Gao, Yao, Chen 2021 (`SimCSE`); He et al. 2020
/// (queue); Klein, Nabi 2023 (miCSE).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoNce {
    /// The positive divisor `tau` of the cosines.
    pub temperature: f64,
    /// The form of the loss.
    pub form: InfoNceForm,
}

impl InfoNce {
    /// The loss of views `z1`, `z2` `[B, D]` and an optional queue `[Q, D]`: a scalar.
    pub fn loss(&self, z1: &Tensor, z2: &Tensor, queue: Option<&Tensor>) -> Result<Tensor> {
        self.value(z1, z2, queue.map(|rows| (rows, None)))
    }

    /// Like [`loss`](Self::loss), with a mask `ignored` `[B, Q]` of type u8: where it is 1, the queued row is not
    /// a negative for the batch row, for example because it is a queued copy of the same sentence; see
    /// [`NegativeQueue::same_sentence`](crate::NegativeQueue::same_sentence).
    pub fn loss_masked(&self, z1: &Tensor, z2: &Tensor, queue: &Tensor, ignored: &Tensor) -> Result<Tensor> {
        self.value(z1, z2, Some((queue, Some(ignored))))
    }

    fn value(&self, z1: &Tensor, z2: &Tensor, queue: Option<(&Tensor, Option<&Tensor>)>) -> Result<Tensor> {
        positive_temperature(self.temperature)?;
        let (batch, dim) = pair(z1, "z1", z2, "z2")?;
        let (z1, z2) = (normalize_rows(z1)?, normalize_rows(z2)?);
        let diagonal = Tensor::eye(batch, DType::U8, z1.device())?;

        let (positives, in_batch) = match self.form {
            InfoNceForm::Standard => {
                let scores = (z1.matmul(&z2.t()?)? / self.temperature)?;
                // Taken from the same product as the denominator, so that the loss is never below 0.
                let positives = diagonal.where_cond(&scores, &scores.zeros_like()?)?.sum(1)?;
                (positives, scores)
            }
            InfoNceForm::AsPrinted => {
                let scores = (z1.matmul(&z1.t()?)? / self.temperature)?;
                ((z1.mul(&z2)?.sum(1)? / self.temperature)?, exclude(&scores, &diagonal)?)
            }
        };
        let mut logits = vec![in_batch];
        let mut negatives = batch > 1;
        if let Some((queue, ignored)) = queue {
            let (rows, _) = matrix(queue, "queue")?;
            same_shape(queue, "queue", &[rows, dim])?;
            same_type(queue, "queue", &z1)?;
            let scores = (z1.matmul(&normalize_rows(&queue.detach())?.t()?)? / self.temperature)?;
            if let Some(ignored) = ignored {
                same_shape(ignored, "ignored", &[batch, rows])?;
                negatives |= ignored.flatten_all()?.to_vec1::<u8>()?.contains(&0);
                logits.push(exclude(&scores, ignored)?);
            } else {
                negatives = true;
                logits.push(scores);
            }
        }
        let losses = log_sum_exp(&Tensor::cat(&logits, 1)?)?.sub(&positives)?;
        match self.form {
            InfoNceForm::Standard => Ok(losses.mean_all()?),
            InfoNceForm::AsPrinted if negatives => Ok(losses.sum_all()?),
            InfoNceForm::AsPrinted => Err(Error::NoNegatives),
        }
    }
}

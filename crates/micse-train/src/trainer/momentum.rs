//! The momentum tower: a slow copy of the encoder, and the queue of its embeddings.

use candle_core::Tensor;
use micse_losses::NegativeQueue;
use micse_model::{Dropout, Encoder, Mode, TanhMlp, Trainable};

use super::chunks::Chunks;
use crate::Result;
use crate::recipe::{Momentum, MomentumMode};

/// The slow encoder, its head, and what it left in the queue.
pub(super) struct MomentumTower {
    pub(super) rule: Momentum,
    pub(super) encoder: Box<dyn Encoder>,
    /// Its own head; `None`: it uses the online head, or there is none.
    pub(super) head: Option<TanhMlp>,
    pub(super) queue: NegativeQueue,
}

impl MomentumTower {
    pub(super) fn new(rule: Momentum, online: &dyn Encoder, head: Option<&TanhMlp>) -> Result<Self> {
        let own_head = match head {
            Some(head) if !rule.share_head => Some(head.duplicate()?),
            _ => None,
        };
        let encoder = online.duplicate()?;
        let device = encoder.values()?.first().map_or(candle_core::Device::Cpu, |v| v.device().clone());
        let queue = NegativeQueue::new(rule.queue, encoder.config().hidden_size, &device)?;
        Ok(Self { rule, encoder, head: own_head, queue })
    }

    /// Embeddings `[B, D]` of the batch, as constants.
    pub(super) fn embed(
        &self,
        chunks: &Chunks,
        dropout: Dropout,
        online_head: Option<&TanhMlp>,
    ) -> Result<Tensor> {
        let mode = match self.rule.mode {
            MomentumMode::Train => Mode::Training(dropout),
            MomentumMode::Eval => Mode::Evaluation,
        };
        let rows = chunks.rows(self.encoder.as_ref(), mode)?;
        match self.head.as_ref().or(online_head) {
            Some(head) => Ok(head.forward(&rows, false)?),
            None => Ok(rows),
        }
    }

    /// One step of the moving average.
    pub(super) fn follow(&mut self, online: &dyn Encoder, head: Option<&TanhMlp>) -> Result<()> {
        self.encoder.follow(online, self.rule.decay)?;
        if let (Some(own), Some(online)) = (&mut self.head, head) {
            own.follow(online, self.rule.decay)?;
        }
        Ok(())
    }
}

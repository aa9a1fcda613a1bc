//! The momentum tower: a slow copy of the encoder, and the queue of its embeddings.

use candle_core::{Device, Tensor};
use micse_losses::{NegativeQueue, cosine_ramp, normalize_rows};
use micse_model::{Dropout, Encoder, Head, HeadPass, Mode, Trainable};
use micse_random::Stream;

use super::chunks::{Chunks, How, Towers};
use crate::Result;
use crate::recipe::{Momentum, MomentumMode};

/// The sentence number of rows that no sentence has: those that a queue starts with.
const NO_SENTENCE: u32 = u32::MAX;

/// The slow encoder, its head, and what it left in the queue.
pub(super) struct MomentumTower {
    pub(super) rule: Momentum,
    pub(super) encoder: Box<dyn Encoder>,
    /// Its own head; `None`: it uses the online head, or there is none.
    pub(super) head: Option<Head>,
    pub(super) queue: NegativeQueue,
}

impl MomentumTower {
    /// A copy of the encoder; its queue starts with what `stream` draws, where the recipe wants that.
    pub(super) fn new(
        rule: Momentum,
        online: &dyn Encoder,
        head: Option<&Head>,
        stream: Stream,
        device: &Device,
    ) -> Result<Self> {
        let own_head = match head {
            Some(head) if !rule.share_head => Some(head.duplicate()?),
            _ => None,
        };
        let columns = head.map_or(online.config().hidden_size, Head::columns);
        let mut queue = NegativeQueue::new(rule.queue.max(1), columns, device)?;
        if rule.queue_start > 0 {
            let mut draws = stream.draws();
            let rows: Vec<f32> = (0..rule.queue_start * columns).map(|_| draws.normal() as f32).collect();
            let rows = normalize_rows(&Tensor::from_vec(rows, (rule.queue_start, columns), device)?)?;
            queue.push(&rows, &vec![NO_SENTENCE; rule.queue_start])?;
        }
        Ok(Self { rule, encoder: online.duplicate()?, head: own_head, queue })
    }

    /// Whether its own head, if there is one, has gradients.
    pub(super) fn head_learns(&self) -> bool {
        !self.rule.stop_gradient
    }

    /// Its mode, where its dropout would be this.
    pub(super) fn mode(&self, dropout: Dropout) -> Mode {
        match self.rule.mode {
            MomentumMode::Train => Mode::Training(dropout),
            MomentumMode::Eval => Mode::Evaluation,
        }
    }

    /// Rows behind its head; constants, unless they are `attached` or its rule lets the gradient through.
    pub(super) fn head_rows(
        &self,
        rows: &Tensor,
        online_head: Option<&Head>,
        dropout: Stream,
        attached: bool,
    ) -> Result<Tensor> {
        let dropout = (self.rule.mode == MomentumMode::Train).then_some(dropout);
        let gradients = attached || !self.rule.stop_gradient;
        let rows = match self.head.as_ref().or(online_head) {
            Some(head) => head.forward(rows, HeadPass { gradients, dropout })?,
            None => rows.clone(),
        };
        Ok(if gradients { rows } else { rows.detach() })
    }

    /// Pooled rows `[B, D]` of a batch for the queue alone, as constants.
    pub(super) fn rows(&self, chunks: &Chunks, dropout: Dropout) -> Result<Tensor> {
        let encoder = self.encoder.as_ref();
        let how = How { mode: self.mode(dropout), ..How::default() };
        let view = chunks.encode(Towers { embeds: encoder, encodes: encoder }, how)?;
        let missing = || micse_model::Error::Input("the momentum encoder gave no pooled rows".into());
        Ok(view.rows.ok_or_else(missing)?)
    }

    /// The moving average after `step` finished steps.
    pub(super) fn follow(&mut self, online: &dyn Encoder, head: Option<&Head>, step: usize) -> Result<()> {
        let rule = self.rule;
        let decay =
            if rule.ramp_steps > 0 { cosine_ramp(rule.decay, step, rule.ramp_steps) } else { rule.decay };
        self.encoder.follow(online, decay)?;
        if let (Some(own), Some(online)) = (&mut self.head, head) {
            own.follow(online, decay)?;
        }
        Ok(())
    }
}

//! The momentum encoder: a slow copy of the encoder, and the queue of its embeddings.

use candle_core::{Device, Tensor};
use micse_losses::{NegativeQueue, cosine_ramp, normalize_rows};
use micse_model::{Dropout, Encoder, Head, HeadPass, Mode};
use micse_random::Stream;

use super::chunks::{Chunks, How, Towers};
use crate::Result;
use crate::networks::{NetworkKind, Networks};
use crate::recipe::{Momentum, MomentumMode};

/// The sentence number of rows that belong to no sentence: the random rows in a new queue.
const NO_SENTENCE: u32 = u32::MAX;

/// The momentum encoder's state apart from its parameters: its rule, and the queue of its embeddings.
pub(crate) struct MomentumState {
    pub(crate) rule: Momentum,
    pub(crate) queue: NegativeQueue,
}

impl MomentumState {
    /// The queue starts with rows drawn from the run's stream, if the recipe requests that.
    pub(super) fn new(rule: Momentum, networks: &Networks, stream: Stream, device: &Device) -> Result<Self> {
        let hidden = networks.encoder().config().hidden_size;
        let columns = networks.head(NetworkKind::Head).map_or(hidden, Head::columns);
        let mut queue = NegativeQueue::new(rule.queue.max(1), columns, device)?;
        if rule.queue_start > 0 {
            let mut draws = stream.with(super::purpose::QUEUE).draws();
            let rows: Vec<f32> = (0..rule.queue_start * columns).map(|_| draws.normal() as f32).collect();
            let rows = normalize_rows(&Tensor::from_vec(rows, (rule.queue_start, columns), device)?)?;
            queue.push(&rows, &vec![NO_SENTENCE; rule.queue_start])?;
        }
        Ok(Self { rule, queue })
    }

    /// The encoder's mode; `dropout` acts in training mode only.
    pub(super) fn mode(&self, dropout: Dropout) -> Mode {
        match self.rule.mode {
            MomentumMode::Train => Mode::Training(dropout),
            MomentumMode::Eval => Mode::Evaluation,
        }
    }

    /// Rows after the momentum encoder's own head, or else the online head; constants, unless they are `attached` or
    /// the rule lets the gradient through.
    pub(super) fn head_rows(
        &self,
        networks: &Networks,
        rows: &Tensor,
        dropout: Stream,
        attached: bool,
    ) -> Result<Tensor> {
        let dropout = (self.rule.mode == MomentumMode::Train).then_some(dropout);
        let gradients = attached || !self.rule.stop_gradient;
        let head = networks.head(NetworkKind::MomentumHead).or_else(|| networks.head(NetworkKind::Head));
        let rows = match head {
            Some(head) => head.forward(rows, HeadPass { gradients, dropout })?,
            None => rows.clone(),
        };
        Ok(if gradients { rows } else { rows.detach() })
    }

    /// The momentum encoder's pooled rows `[B, D]` of a batch, for the queue only: constants.
    pub(super) fn rows(&self, encoder: &dyn Encoder, chunks: &Chunks, dropout: Dropout) -> Result<Tensor> {
        let how = How { mode: self.mode(dropout), ..How::default() };
        let view = chunks.encode(Towers { embeds: encoder, encodes: encoder }, how)?;
        let missing = || micse_model::Error::Input("the momentum encoder returned no pooled rows".into());
        Ok(view.rows.ok_or_else(missing)?)
    }

    /// Updates the moving average after `step` finished steps.
    pub(super) fn follow(&self, networks: &mut Networks, step: usize) -> Result<()> {
        let rule = self.rule;
        let decay =
            if rule.ramp_steps > 0 { cosine_ramp(rule.decay, step, rule.ramp_steps) } else { rule.decay };
        networks.follow(NetworkKind::Momentum, NetworkKind::Encoder, decay)?;
        networks.follow(NetworkKind::MomentumHead, NetworkKind::Head, decay)
    }
}

//! The trainer's checkpoint. Tensors: `online.NAME`, `head.NAME`, their moments (`first.`, `second.`),
//! `masked-lm-head.NAME` with moments, `momentum.NAME`, `momentum-head.NAME`, `queue.rows`. Facts: the step, the queue's sentence numbers, and what
//! the run adds.

use std::path::Path;

use candle_core::Tensor;
use micse_losses::QueueState;
use serde::{Deserialize, Serialize};

use super::Trainer;
use crate::Result;
use crate::checkpoint::{Checkpoint, CheckpointWriter};

/// The checkpoint's own facts, beside the tensors.
#[derive(Serialize, Deserialize)]
struct Facts {
    step: usize,
    queue_sentences: Vec<u32>,
    /// What the run keeps beside the trainer: best score so far, notes.
    run: serde_json::Value,
}

impl Trainer {
    /// Writes the state after the last finished step, with `extra` tensors and facts of the run.
    ///
    /// # Errors
    /// The folder cannot be written; an earlier checkpoint is untouched then.
    pub fn save(&self, path: &Path, extra: &[(String, Tensor)], run: serde_json::Value) -> Result<()> {
        let mut file = CheckpointWriter::new();
        for (name, tensor) in extra {
            file.tensor(name, tensor.clone());
        }
        file.part("online", self.encoder.as_ref())?;
        if let Some(head) = &self.head {
            file.part("head", head)?;
        }
        if let Some(term) = &self.masked_lm {
            file.part("masked-lm-head", &term.head)?;
        }
        let mut queue_sentences = Vec::new();
        if let Some(tower) = &self.momentum {
            file.values("momentum", tower.encoder.as_ref())?;
            if let Some(head) = &tower.head {
                file.values("momentum-head", head)?;
            }
            let state = tower.queue.state();
            queue_sentences = state.sentences;
            if let Some(rows) = state.rows {
                file.tensor("queue.rows", rows);
            }
        }
        file.write(path, &Facts { step: self.step, queue_sentences, run })
    }

    /// Puts a checkpoint's state back, and returns the tensors that start with `extra` and the run's facts.
    ///
    /// # Errors
    /// The file is not a whole checkpoint of this run.
    pub fn restore(
        &mut self,
        path: &Path,
        extra: &str,
    ) -> Result<(Vec<(String, Tensor)>, serde_json::Value)> {
        let file = Checkpoint::read(path, &self.device)?;
        let facts: Facts = file.facts()?;
        let moved = facts.step > 0;
        file.restore("online", self.encoder.as_mut(), moved)?;
        if let Some(head) = &mut self.head {
            file.restore("head", head, moved)?;
        }
        if let Some(term) = &mut self.masked_lm {
            file.restore("masked-lm-head", &mut term.head, moved)?;
        }
        if let Some(tower) = &mut self.momentum {
            file.restore("momentum", tower.encoder.as_mut(), false)?;
            if let Some(head) = &mut tower.head {
                file.restore("momentum-head", head, false)?;
            }
            let rows = file.tensor("queue.rows").cloned();
            tower.queue.restore(&QueueState { rows, sentences: facts.queue_sentences })?;
        }
        self.step = facts.step;
        Ok((file.tensors(extra), facts.run))
    }
}

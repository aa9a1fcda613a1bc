//! The trainer's checkpoint. Tensors: `NETWORK.NAME` for every network that learns (`encoder`, `head`, `second`, ...)
//! and its moments (with the prefix `first.` or `second.`), `momentum.NAME`, `momentum-head.NAME`, `queue.rows`, and
//! `batch-before.rows`, the gradient that the next step's FGSM follows. Facts: the step, the queue's sentence numbers,
//! and the run's own.

use std::path::Path;

use candle_core::Tensor;
use micse_losses::QueueState;
use serde::{Deserialize, Serialize};

use super::Trainer;
use super::perturbation::EmbeddingGradient;
use crate::Result;
use crate::checkpoint::{Checkpoint, CheckpointWriter};

const BATCH_BEFORE: &str = "batch-before.rows";

/// The checkpoint's own facts, next to the tensors.
#[derive(Serialize, Deserialize)]
struct Facts {
    step: usize,
    queue_sentences: Vec<u32>,
    /// Rows of each sentence in `batch-before.rows`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    batch_before: Vec<usize>,
    /// The run's own facts: best score so far, notes.
    run: serde_json::Value,
}

impl Trainer {
    /// Writes the state after the last finished step, `extra` tensors and facts of the run, under the run's identity.
    ///
    /// # Errors
    /// The folder cannot be written; an earlier checkpoint then stays intact.
    pub fn save(
        &self,
        path: &Path,
        identity: &str,
        extra: &[(String, Tensor)],
        run: serde_json::Value,
    ) -> Result<()> {
        let mut file = CheckpointWriter::new();
        for (name, tensor) in extra {
            file.tensor(name, tensor.clone());
        }
        self.networks.save(&mut file)?;
        let mut queue_sentences = Vec::new();
        if let Some(momentum) = &self.momentum {
            let state = momentum.queue.state();
            queue_sentences = state.sentences;
            if let Some(rows) = state.rows {
                file.tensor("queue.rows", rows);
            }
        }
        let mut batch_before = Vec::new();
        if let Some(before) = &self.batch_before {
            file.tensor(BATCH_BEFORE, before.rows.clone());
            batch_before.clone_from(&before.lengths);
        }
        file.write(path, identity, &Facts { step: self.step, queue_sentences, batch_before, run })
    }

    /// Restores a checkpoint's state; returns the tensors whose names start with `extra`, and the run's facts.
    ///
    /// # Errors
    /// The file is not a complete checkpoint of this run.
    pub fn restore(
        &mut self,
        path: &Path,
        extra: &str,
    ) -> Result<(Vec<(String, Tensor)>, serde_json::Value)> {
        let file = Checkpoint::read(path, &self.device)?;
        let facts: Facts = file.facts()?;
        self.networks.restore(&file, facts.step > 0)?;
        if let Some(momentum) = &mut self.momentum {
            let rows = file.tensor("queue.rows").cloned();
            momentum.queue.restore(&QueueState { rows, sentences: facts.queue_sentences })?;
        }
        let rows = file.tensor(BATCH_BEFORE).cloned();
        self.batch_before = rows.map(|rows| EmbeddingGradient { rows, lengths: facts.batch_before });
        self.step = facts.step;
        Ok((file.tensors(extra), facts.run))
    }
}

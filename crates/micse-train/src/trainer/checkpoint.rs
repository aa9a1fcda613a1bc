//! Everything that a run needs to go on bit for bit, in one safetensors file.
//!
//! Tensors: `online.NAME`, `head.NAME`, their moments (`first.`, `second.`), `momentum.NAME`,
//! `momentum-head.NAME`, `queue.rows`. Metadata: the step, the queue's sentence numbers, and what the run
//! adds. One file, because a file is replaced whole.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use micse_losses::QueueState;
use micse_model::{Trainable, files::write_whole};
use serde::{Deserialize, Serialize};

use super::Trainer;
use crate::{Error, Result};

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
        let mut tensors: Vec<(String, Tensor)> = extra.to_vec();
        let mut add = |prefix: &str, part: &dyn Trainable, with_moments: bool| -> Result<()> {
            let moments = if with_moments { part.moments()? } else { Vec::new() };
            for (i, (info, value)) in part.parameters().into_iter().zip(part.values()?).enumerate() {
                tensors.push((format!("{prefix}.{}", info.name), value));
                if let Some((first, second)) = moments.get(i) {
                    tensors.push((format!("first.{prefix}.{}", info.name), first.clone()));
                    tensors.push((format!("second.{prefix}.{}", info.name), second.clone()));
                }
            }
            Ok(())
        };
        add("online", self.encoder.as_ref(), true)?;
        if let Some(head) = &self.head {
            add("head", head, true)?;
        }
        let mut queue_sentences = Vec::new();
        if let Some(tower) = &self.momentum {
            add("momentum", tower.encoder.as_ref(), false)?;
            if let Some(head) = &tower.head {
                add("momentum-head", head, false)?;
            }
            let state = tower.queue.state();
            queue_sentences = state.sentences;
            tensors.extend(state.rows.map(|rows| ("queue.rows".to_owned(), rows)));
        }
        let facts = Facts { step: self.step, queue_sentences, run };
        let text = serde_json::to_string(&facts).map_err(|e| Error::run(path, e.to_string()))?;
        let tensors: Vec<(String, Tensor)> = tensors
            .into_iter()
            .map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?.contiguous()?)))
            .collect::<Result<_>>()?;
        let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        let bytes = safetensors::serialize(views, Some(HashMap::from([("facts".to_owned(), text)])))
            .map_err(|e| Error::run(path, e.to_string()))?;
        Ok(write_whole(path, &bytes)?)
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
        let damaged = |reason: String| {
            Error::run(path, format!("{reason}; delete the file to start this run from its beginning"))
        };
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .map_err(|e| damaged(format!("no whole checkpoint: {e}")))?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get("facts").cloned());
        let text = text.ok_or_else(|| damaged("no checkpoint: it has no facts".into()))?;
        let facts: Facts = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &self.device)
            .map_err(|e| damaged(format!("no whole checkpoint: {e}")))?;
        let take =
            |name: String| tensors.get(&name).cloned().ok_or_else(|| damaged(format!("`{name}` is missing")));
        let load = |prefix: &str, part: &mut dyn Trainable, with_moments: bool| -> Result<()> {
            let names: Vec<String> = part.parameters().into_iter().map(|info| info.name).collect();
            let values: Vec<Tensor> =
                names.iter().map(|name| take(format!("{prefix}.{name}"))).collect::<Result<_>>()?;
            part.set_values(&values)?;
            if with_moments && facts.step > 0 {
                let moments: Vec<(Tensor, Tensor)> = names
                    .iter()
                    .map(|name| {
                        Ok((
                            take(format!("first.{prefix}.{name}"))?,
                            take(format!("second.{prefix}.{name}"))?,
                        ))
                    })
                    .collect::<Result<_>>()?;
                part.set_moments(&moments)?;
            }
            Ok(())
        };
        load("online", self.encoder.as_mut(), true)?;
        if let Some(head) = &mut self.head {
            load("head", head, true)?;
        }
        if let Some(tower) = &mut self.momentum {
            load("momentum", tower.encoder.as_mut(), false)?;
            if let Some(head) = &mut tower.head {
                load("momentum-head", head, false)?;
            }
            let rows = tensors.get("queue.rows").cloned();
            tower.queue.restore(&QueueState { rows, sentences: facts.queue_sentences.clone() })?;
        }
        self.step = facts.step;
        let mut extras: Vec<(String, Tensor)> = tensors
            .iter()
            .filter(|(name, _)| name.starts_with(extra))
            .map(|(n, t)| (n.clone(), t.clone()))
            .collect();
        extras.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((extras, facts.run))
    }
}

//! Checkpoints: everything that a run needs to go on bit for bit, in one safetensors file, because a file is
//! replaced whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use micse_model::{Trainable, files::write_whole};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A checkpoint that is being put together.
#[derive(Default)]
pub struct CheckpointWriter {
    tensors: Vec<(String, Tensor)>,
}

impl CheckpointWriter {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor.
    pub fn tensor(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.push((name.into(), tensor));
    }

    /// Adds all parameters of a part as `PREFIX.NAME`, and the optimizer's moments, if there are any yet, as
    /// `first.PREFIX.NAME` and `second.PREFIX.NAME`.
    ///
    /// # Errors
    /// The engine cannot give them.
    pub fn part(&mut self, prefix: &str, part: &dyn Trainable) -> Result<()> {
        self.values(prefix, part)?;
        for (info, (first, second)) in part.parameters().into_iter().zip(part.moments()?) {
            self.tensor(format!("first.{prefix}.{}", info.name), first);
            self.tensor(format!("second.{prefix}.{}", info.name), second);
        }
        Ok(())
    }

    /// Adds the parameters of a part that no optimizer moves.
    ///
    /// # Errors
    /// The engine cannot give them.
    pub fn values(&mut self, prefix: &str, part: &dyn Trainable) -> Result<()> {
        for (info, value) in part.parameters().into_iter().zip(part.values()?) {
            self.tensor(format!("{prefix}.{}", info.name), value);
        }
        Ok(())
    }

    /// Writes the file, with the run's own facts.
    ///
    /// # Errors
    /// The folder cannot be written; an earlier checkpoint is untouched then.
    pub fn write(self, path: &Path, facts: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(facts).map_err(|e| Error::run(path, e.to_string()))?;
        let tensors: Vec<(String, Tensor)> = self
            .tensors
            .into_iter()
            .map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?.contiguous()?)))
            .collect::<Result<_>>()?;
        let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
        let bytes = safetensors::serialize(views, Some(HashMap::from([("facts".to_owned(), text)])))
            .map_err(|e| Error::run(path, e.to_string()))?;
        Ok(write_whole(path, &bytes)?)
    }
}

/// A checkpoint that was read.
pub struct Checkpoint {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    facts: String,
}

impl Checkpoint {
    /// Reads a file that [`CheckpointWriter::write`] wrote.
    ///
    /// # Errors
    /// It is not there, or not whole.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .map_err(|e| damaged(path, &format!("no whole checkpoint: {e}")))?;
        let facts = metadata.metadata().as_ref().and_then(|m| m.get("facts").cloned());
        let facts = facts.ok_or_else(|| damaged(path, "no checkpoint: it has no facts"))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, device)
            .map_err(|e| damaged(path, &format!("no whole checkpoint: {e}")))?;
        Ok(Self { path: path.into(), tensors, facts })
    }

    /// The run's own facts.
    ///
    /// # Errors
    /// They are not of this form.
    pub fn facts<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.facts).map_err(|e| damaged(&self.path, &e.to_string()))
    }

    /// A tensor, if it is there.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensors whose names start with `prefix`, by name.
    pub fn tensors(&self, prefix: &str) -> Vec<(String, Tensor)> {
        let named = self.tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        let mut found: Vec<_> = named.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// Puts back what [`CheckpointWriter::part`] added after at least one optimizer step (a part that no gradient ever
    /// reached has no moments), or, with `moments` false, what [`CheckpointWriter::values`] did.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub fn restore(&self, prefix: &str, part: &mut dyn Trainable, moments: bool) -> Result<()> {
        let names: Vec<String> = part.parameters().into_iter().map(|info| info.name).collect();
        let all = |kind: &str| -> Result<Vec<Tensor>> {
            let take = |name: &String| {
                let name = format!("{kind}{prefix}.{name}");
                let tensor = self.tensors.get(&name).cloned();
                tensor.ok_or_else(|| damaged(&self.path, &format!("`{name}` is missing")))
            };
            names.iter().map(take).collect()
        };
        part.set_values(&all("")?)?;
        let first = format!("first.{prefix}.");
        if moments && self.tensors.keys().any(|name| name.starts_with(&first)) {
            let pairs: Vec<(Tensor, Tensor)> = all("first.")?.into_iter().zip(all("second.")?).collect();
            part.set_moments(&pairs)?;
        }
        Ok(())
    }
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::run(path, format!("{reason}; delete the file to start this run from its beginning"))
}

//! Checkpoints: everything that a run needs to resume bit for bit, in one safetensors file, because a file is replaced
//! as a unit. A checkpoint records the run that wrote it, and no other run resumes from it.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use micse_model::{Trainable, write_safetensors};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The key of the run's own facts in the file's metadata.
const FACTS: &str = "facts";
/// The key of the identity of the run that wrote the file.
const RUN: &str = "run";
/// The longest accepted header: far longer than any network needs.
const LONGEST_HEADER: u64 = 1 << 27;

/// Moves a checkpoint of another run into a file next to its folder, and returns that file. A run folder that was
/// deleted and recreated can contain one if a process of the earlier run was still running.
///
/// # Errors
/// The file is not a complete checkpoint, or cannot be moved.
pub fn set_aside_foreign(path: &Path, run: &str) -> Result<Option<PathBuf>> {
    if !path.is_file() || written_by(path)?.as_deref() == Some(run) {
        return Ok(None);
    }
    // Not into the checkpoint's own folder, which is removed when the run finishes.
    let folder = path.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let aside = |number: usize| folder.join(format!("checkpoint-of-another-run-{number}.safetensors"));
    let mut number = 1;
    while aside(number).exists() {
        number += 1;
    }
    let aside = aside(number);
    micse_files::rename(path, &aside)?;
    Ok(Some(aside))
}

/// The identity of the run that wrote a checkpoint; `None` if it records none. Reads only the header.
fn written_by(path: &Path) -> Result<Option<String>> {
    let mut file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut length = [0; 8];
    let mut header = Vec::new();
    file.read_exact(&mut length).map_err(|e| damaged(path, &format!("not a complete checkpoint: {e}")))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(damaged(path, "not a complete checkpoint: its header is too long"));
    }
    file.take(length).read_to_end(&mut header).map_err(Error::io(path))?;
    let header: serde_json::Value = serde_json::from_slice(&header)
        .map_err(|e| damaged(path, &format!("not a complete checkpoint: {e}")))?;
    Ok(header["__metadata__"][RUN].as_str().map(str::to_owned))
}

/// A checkpoint under construction.
#[derive(Default)]
pub struct CheckpointWriter {
    tensors: Vec<(String, Tensor)>,
}

impl CheckpointWriter {
    /// An empty checkpoint.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor.
    pub fn tensor(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.push((name.into(), tensor));
    }

    /// Adds all parameters of a part as `PREFIX.NAME`, and the optimizer's moments, if they exist yet, as
    /// `first.PREFIX.NAME` and `second.PREFIX.NAME`.
    ///
    /// # Errors
    /// The engine cannot return them.
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
    /// The engine cannot return them.
    pub fn values(&mut self, prefix: &str, part: &dyn Trainable) -> Result<()> {
        for (info, value) in part.parameters().into_iter().zip(part.values()?) {
            self.tensor(format!("{prefix}.{}", info.name), value);
        }
        Ok(())
    }

    /// Writes the file, with the run's own facts and its identity (see [`crate::run::identity`]).
    ///
    /// # Errors
    /// The folder cannot be written; an earlier checkpoint then stays intact.
    pub fn write(self, path: &Path, run: &str, facts: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(facts).map_err(|e| Error::run(path, e.to_string()))?;
        Ok(write_safetensors(path, &self.tensors, &[(FACTS, &text), (RUN, run)])?)
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
    /// It does not exist, or is not complete.
    pub fn read(path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .map_err(|e| damaged(path, &format!("not a complete checkpoint: {e}")))?;
        let facts = metadata.metadata().as_ref().and_then(|m| m.get(FACTS).cloned());
        let facts = facts.ok_or_else(|| damaged(path, "not a checkpoint: it has no facts"))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, device)
            .map_err(|e| damaged(path, &format!("not a complete checkpoint: {e}")))?;
        Ok(Self { path: path.into(), tensors, facts })
    }

    /// The run's own facts.
    ///
    /// # Errors
    /// They do not have this form.
    pub fn facts<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.facts).map_err(|e| damaged(&self.path, &e.to_string()))
    }

    /// A tensor, if the file contains it.
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

    /// Restores a part that [`CheckpointWriter::part`] added after at least one optimizer step (without moments if no
    /// gradient ever reached the part), or, with `moments` false, one that [`CheckpointWriter::values`] added.
    ///
    /// # Errors
    /// A tensor is missing or has a different shape.
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
    Error::run(path, format!("{reason}; delete the file to restart this run from the beginning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_s_checkpoint_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint").join("state.safetensors");
        assert_eq!(set_aside_foreign(&path, "mine").unwrap(), None);
        for (other, number) in [("yours", 1), ("hers", 2)] {
            CheckpointWriter::new().write(&path, other, &5).unwrap();
            assert_eq!(set_aside_foreign(&path, other).unwrap(), None);
            let aside = folder.path().join(format!("checkpoint-of-another-run-{number}.safetensors"));
            assert_eq!(set_aside_foreign(&path, "mine").unwrap().as_ref(), Some(&aside));
            assert!(aside.is_file() && !path.exists());
        }
        CheckpointWriter::new().write(&path, "mine", &5).unwrap();
        assert_eq!(set_aside_foreign(&path, "mine").unwrap(), None);
        assert_eq!(Checkpoint::read(&path, &Device::Cpu).unwrap().facts::<usize>().unwrap(), 5);
        for damage in [&b"x"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff{}", b"\x04\0\0\0\0\0\0\0{{{{"] {
            std::fs::write(&path, damage).unwrap();
            let error = set_aside_foreign(&path, "mine").unwrap_err().to_string();
            assert!(error.contains("state.safetensors") && error.contains("delete the file"), "{error}");
        }
    }
}

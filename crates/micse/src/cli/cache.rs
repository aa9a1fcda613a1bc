//! Saved embeddings, with a note of what they were made from.

use std::path::{Path, PathBuf};

use crate::SentenceModel;
use crate::files::{Hash, write_json};
use anyhow::{Context, Result};
use micse_cli::options::ComputeOptions;
use serde::{Deserialize, Serialize};

/// Everything that decides a text's embeddings.
#[derive(PartialEq, Serialize, Deserialize)]
struct Note {
    /// SHA-256 over the model folder's files.
    model_sha256: String,
    /// SHA-256 of the text's file.
    text_sha256: String,
    pooling: String,
    /// What the matrix products were computed in, and where.
    precision: String,
    device: String,
    version: String,
}

/// Where embeddings are saved, and what the requested ones would be made from.
pub(crate) struct Cache {
    rows: PathBuf,
    note_path: PathBuf,
    note: Note,
}

impl Cache {
    /// Embeddings in `rows`, with the note in a file of the same name plus `.json`.
    pub(crate) fn new(
        rows: &Path,
        text: &Path,
        model: &Path,
        encoder: &SentenceModel<'_>,
        compute: &ComputeOptions,
    ) -> Result<Self> {
        let mut note_path = rows.as_os_str().to_owned();
        note_path.push(".json");
        let note = Note {
            model_sha256: hash_of_folder(model)?,
            text_sha256: crate::files::sha256(text)?,
            pooling: encoder.pooling().to_string(),
            precision: compute.engine.precision.to_string(),
            device: compute.device.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(Self { rows: rows.into(), note_path: note_path.into(), note })
    }

    /// Whether the embeddings exist and are of this text and model.
    pub(crate) fn stands(&self) -> Result<bool> {
        if !self.rows.is_file() || !self.note_path.is_file() {
            return Ok(false);
        }
        let text = std::fs::read_to_string(&self.note_path)
            .with_context(|| format!("cannot read {}", self.note_path.display()))?;
        // An unreadable note is not a note of these embeddings.
        Ok(serde_json::from_str::<Note>(&text).is_ok_and(|note| note == self.note))
    }

    /// Removes the note of other embeddings, so that it never accompanies these.
    pub(crate) fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.note_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", self.note_path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the note, once the embeddings are complete.
    pub(crate) fn keep(&self) -> Result<()> {
        Ok(write_json(&self.note_path, &self.note)?)
    }
}

/// SHA-256 over the files of a folder with their names, in the order of their paths; hidden files and the model card are
/// omitted.
fn hash_of_folder(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(inner) = open.pop() {
        let failed = || format!("cannot read {}", inner.display());
        for entry in std::fs::read_dir(&inner).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name == "README.md" {
                continue;
            }
            // Follows links, of which a Hub cache consists.
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut hash = Hash::new();
    for file in files {
        hash.update(file.strip_prefix(folder).unwrap_or(&file).as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.file(&file)?;
        hash.update([0]);
    }
    Ok(hash.digits())
}

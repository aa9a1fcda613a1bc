//! Saved embeddings, with a note that records their inputs.

use std::path::{Path, PathBuf};

use crate::Model;
use crate::files::{sha256_of_folder, write_json};
use anyhow::{Context, Result, bail};
use micse_cli::options::ComputeOptions;
use serde::{Deserialize, Serialize};

/// Everything that determines the embeddings of a corpus.
#[derive(PartialEq, Serialize, Deserialize)]
struct Note {
    /// SHA-256 over the model folder's files.
    model_sha256: String,
    /// SHA-256 of the corpus file.
    text_sha256: String,
    pooling: String,
    /// Entries that are kept of an embedding, if it is truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    truncate_dim: Option<usize>,
    /// Precision of the matrix products.
    precision: String,
    device: String,
    version: String,
}

/// A note, with what identifies the embeddings that it describes.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// SHA-256 of the file of embeddings: another one may have replaced it since.
    rows_sha256: String,
    #[serde(flatten)]
    note: Note,
}

/// The file of saved embeddings, and the inputs of the requested ones.
pub(crate) struct Cache {
    rows: PathBuf,
    note_path: PathBuf,
    note: Note,
}

impl Cache {
    /// Embeddings in `rows`; the note is in a file of the same name plus `.json`.
    pub(crate) fn new(
        rows: &Path,
        text: &Path,
        model: &Path,
        encoder: &Model,
        compute: &ComputeOptions,
    ) -> Result<Self> {
        let note = Note {
            model_sha256: sha256_of_folder(model)?,
            text_sha256: crate::files::sha256(text)?,
            pooling: encoder.pooling().to_string(),
            truncate_dim: encoder.truncate_dim(),
            precision: compute.engine.precision.to_string(),
            device: compute.device.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(Self { rows: rows.into(), note_path: note_path(rows), note })
    }

    /// Whether the saved embeddings exist and match the requested inputs.
    pub(crate) fn stands(&self) -> Result<bool> {
        if !self.rows.is_file() || !self.note_path.is_file() {
            return Ok(false);
        }
        let text = std::fs::read_to_string(&self.note_path)
            .with_context(|| format!("cannot read {}", self.note_path.display()))?;
        // An unreadable note counts as a mismatch.
        match serde_json::from_str::<Saved>(&text) {
            Ok(saved) if saved.note == self.note => {
                Ok(saved.rows_sha256 == crate::files::sha256(&self.rows)?)
            }
            _ => Ok(false),
        }
    }

    /// Removes an old note, so that it never accompanies new embeddings.
    pub(crate) fn remove(&self) -> Result<()> {
        let note =
            std::fs::read_to_string(&self.note_path).map(|text| serde_json::from_str::<Note>(&text).is_ok());
        if note.is_ok_and(|is_note| !is_note) {
            bail!(
                "{}: is not a note on saved embeddings, and would be overwritten; pass another --save, or move it away",
                self.note_path.display()
            );
        }
        match std::fs::remove_file(&self.note_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", self.note_path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes the note, once the embeddings are complete.
    pub(crate) fn keep(self) -> Result<()> {
        let saved = Saved { rows_sha256: crate::files::sha256(&self.rows)?, note: self.note };
        Ok(write_json(&self.note_path, &saved)?)
    }
}

/// The path of the note on embeddings in `rows`.
pub(crate) fn note_path(rows: &Path) -> PathBuf {
    let mut path = rows.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

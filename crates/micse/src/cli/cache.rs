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
    /// Text before every sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    prompt: String,
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
            prompt: encoder.prompt().to_owned(),
            precision: compute.engine.precision.to_string(),
            device: compute.device.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(Self { rows: rows.into(), note_path: note_path(rows), note })
    }

    /// Whether the saved embeddings exist and match the requested inputs.
    ///
    /// # Errors
    /// Something else than saved embeddings and their note has one of the names, and would be overwritten.
    pub(crate) fn stands(&self) -> Result<bool> {
        let saved = saved(&self.rows)?;
        if let Some(saved) = saved {
            return Ok(saved.note == self.note);
        }
        for path in [&self.rows, &self.note_path] {
            if path.exists() {
                bail!(
                    "{}: was not written by `search --save`, and would be overwritten; pass another --save, or move \
                     it away",
                    path.display()
                );
            }
        }
        Ok(false)
    }

    /// Removes an old note, so that it never accompanies new embeddings. Call [`Self::stands`] before.
    pub(crate) fn remove(&self) -> Result<()> {
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

/// The note on the embeddings in `rows`, if there is one that describes them.
fn saved(rows: &Path) -> Result<Option<Saved>> {
    let note = note_path(rows);
    if !rows.is_file() || !note.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&note).with_context(|| format!("cannot read {}", note.display()))?;
    let Ok(saved) = serde_json::from_str::<Saved>(&text) else { return Ok(None) };
    Ok((saved.rows_sha256 == crate::files::sha256(rows)?).then_some(saved))
}

/// Rejects saved embeddings by another model, or with another pooling or truncation, than those of the queries.
pub(crate) fn check_of_same_model(rows: &Path, folder: &Path, encoder: &Model) -> Result<()> {
    let Some(Saved { note, .. }) = saved(rows)? else { return Ok(()) };
    let differs = if note.pooling != encoder.pooling().to_string() {
        format!("with {} pooling, the queries with {}", note.pooling, encoder.pooling())
    } else if note.truncate_dim != encoder.truncate_dim() {
        let shown =
            |entries: Option<usize>| entries.map_or_else(|| "all".to_owned(), |entries| entries.to_string());
        format!(
            "with {} entries, the queries with {}",
            shown(note.truncate_dim),
            shown(encoder.truncate_dim())
        )
    } else if note.model_sha256 != sha256_of_folder(folder)? {
        "by another model than the queries".to_owned()
    } else {
        return Ok(());
    };
    bail!("{}: the rows were encoded {differs}; pass the same --model and its options", rows.display())
}

/// The path of the note on embeddings in `rows`.
pub(crate) fn note_path(rows: &Path) -> PathBuf {
    let mut path = rows.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

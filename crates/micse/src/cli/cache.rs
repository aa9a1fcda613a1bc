//! Saved embeddings, with a note that records their inputs.

use std::path::{Path, PathBuf};

use crate::Model;
use crate::files::{sha256_of_folder, write_json};
use anyhow::{Context, Result, bail};
use micse_cli::notice;
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

    /// Whether the saved embeddings exist and match the requested inputs. If not, they and their note can be overwritten:
    /// the old note, which has the checksum of its rows, does not fit new ones.
    ///
    /// # Errors
    /// Something else than saved embeddings and their note has one of the names, and would be overwritten.
    pub(crate) fn stands(&self) -> Result<bool> {
        let foreign = |path: &Path| {
            bail!(
                "{}: was not written by `search --save`, and would be overwritten; pass another --save, or move it away",
                path.display()
            )
        };
        match read_note(&self.rows)? {
            Some(saved) if self.rows.is_file() => {
                if !saved.describes(&self.rows)? {
                    return foreign(&self.rows);
                }
                Ok(saved.note == self.note)
            }
            None if self.note_path.exists() => foreign(&self.note_path),
            None if self.rows.exists() => foreign(&self.rows),
            // Nothing is there, or somebody removed the rows to have them written again.
            _ => Ok(false),
        }
    }

    /// Writes the note, once the embeddings are complete.
    pub(crate) fn keep(self) -> Result<()> {
        let saved = Saved { rows_sha256: crate::files::sha256(&self.rows)?, note: self.note };
        Ok(write_json(&self.note_path, &saved)?)
    }
}

impl Saved {
    /// Whether the note is on these rows.
    fn describes(&self, rows: &Path) -> Result<bool> {
        Ok(self.rows_sha256 == crate::files::sha256(rows)?)
    }
}

/// The note next to `rows`, if there is one.
fn read_note(rows: &Path) -> Result<Option<Saved>> {
    let note = note_path(rows);
    if !note.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&note).with_context(|| format!("cannot read {}", note.display()))?;
    Ok(serde_json::from_str(&text).ok())
}

/// Rejects saved embeddings with another pooling or truncation than those of the queries, and tells of another model.
pub(crate) fn check_of_same_model(rows: &Path, folder: &Path, encoder: &Model) -> Result<()> {
    let Some(saved) = read_note(rows)? else { return Ok(()) };
    let note = &saved.note;
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
    } else {
        // Files that change no embedding count too, and a model and its int8 form search each other's rows.
        if note.model_sha256 != sha256_of_folder(folder)? && saved.describes(rows)? {
            notice(format_args!(
                "{}: encoded with another model folder, or with other files in it; cosines mean something only if its \
                 embeddings are the same",
                rows.display()
            ));
        }
        return Ok(());
    };
    if !saved.describes(rows)? {
        return Ok(());
    }
    bail!("{}: the rows were encoded {differs}; pass the same --model and its options", rows.display())
}

/// The path of the note on embeddings in `rows`.
pub(crate) fn note_path(rows: &Path) -> PathBuf {
    let mut path = rows.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

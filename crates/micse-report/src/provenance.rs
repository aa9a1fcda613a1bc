//! Checks that all cells of a sweep are comparable; averaging incomparable cells would be meaningless.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use micse_files::RunFolder;

use crate::{Error, GridCell, Result};

/// Keys that must be equal in all cells: scores on different STS sets or with different rounding are not comparable.
const SHARED: [&str; 5] = ["version", "engine", "precision", "device", "evaluation_sha256"];
/// A key that must be equal in all cells with a training set; others have no batches to divide.
const CHUNK: &str = "chunk";

/// The values seen so far, with the first cell that had each.
#[derive(Default)]
pub(crate) struct Provenance {
    seen: BTreeMap<String, (String, String)>,
    /// Distinct CPU kinds used for training.
    processors: BTreeSet<String>,
}

/// A run's `run.toml`; `None` if it has none.
///
/// # Errors
/// The file cannot be read or parsed.
pub(crate) fn description(run: &RunFolder) -> Result<Option<toml::Table>> {
    let path = run.manifest();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::file(&path, e)),
    };
    let table = text.parse().map_err(|e| {
        Error::file(
            &path,
            format!("not a valid run description ({e}); delete the folder and rerun the sweep"),
        )
    })?;
    Ok(Some(table))
}

impl Provenance {
    /// Compares a cell's `run.toml` with the cells added before.
    ///
    /// # Errors
    /// The cell has a different evaluation set, engine, precision, device, version or chunk, or, though the sweep plans the
    /// same for both, a different encoder, or a different corpus than the other cells of its size and seed.
    pub(crate) fn add(&mut self, cell: &GridCell, run: &RunFolder) -> Result<()> {
        let path = run.manifest();
        // A result without run.toml can be tabulated, but not checked.
        let Some(table) = description(run)? else { return Ok(()) };
        let show = |value: Option<&toml::Value>| value.map_or_else(|| "nothing".into(), ToString::to_string);
        for key in SHARED {
            self.same(key, key, &show(table.get(key)), cell, &path)?;
        }
        // Rows of averaged word vectors have no encoder.
        if !cell.vectors {
            let group = format!("encoder {}", cell.encoder.as_deref().unwrap_or_default());
            self.same("encoder_sha256", &group, &show(table.get("encoder_sha256")), cell, &path)?;
        }
        if let (Some(size), Some(seed)) = (&cell.size, cell.seed) {
            self.same(CHUNK, CHUNK, &show(table.get(CHUNK)), cell, &path)?;
            let text = table.get("text").and_then(|text| text.get("sha256"));
            let corpus = cell.corpus.as_deref().unwrap_or_default();
            let group = format!("text {corpus} of {size}, seed {seed}");
            self.same("text.sha256", &group, &show(text), cell, &path)?;
            self.processors.extend(table.get("cpu_features").map(ToString::to_string));
            let others = table.get("other_cpu_features").and_then(toml::Value::as_array);
            self.processors.extend(others.into_iter().flatten().map(ToString::to_string));
        }
        Ok(())
    }

    fn same(&mut self, key: &str, group: &str, value: &str, cell: &GridCell, path: &Path) -> Result<()> {
        let (first, of) =
            self.seen.entry(group.to_owned()).or_insert_with(|| (value.to_owned(), cell.to_string()));
        if first == value {
            return Ok(());
        }
        let reason = format!(
            "{key} is {value} here but {first} in {of}, so the two cells are not comparable; delete the wrong cell's \
             folder and rerun the sweep"
        );
        Err(Error::file(path, reason))
    }

    /// Distinct CPU kinds used for training.
    pub(crate) fn processors(self) -> usize {
        self.processors.len()
    }
}

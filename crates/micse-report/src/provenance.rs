//! Whether the cells of a sweep are of one kind: averages over others would mean nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use micse_files::RunFolder;

use crate::{Error, GridCell, Result};

/// What all cells share: scores of different evaluation sets, or of two roundings, are not compared.
const SHARED: [&str; 6] = ["version", "engine", "precision", "device", "evaluation_sha256", "chunk"];

/// Values that have been seen, with the cell that had them first.
#[derive(Default)]
pub(crate) struct Provenance {
    seen: BTreeMap<String, (String, String)>,
    /// Kinds of processors that trained.
    processors: BTreeSet<String>,
}

impl Provenance {
    /// Compares a cell's `run.toml` with those of the cells before it.
    ///
    /// # Errors
    /// It is of another encoder, evaluation set, engine, precision, device or version, or of other sentences than the
    /// cells of its size and seed.
    pub(crate) fn add(&mut self, cell: &GridCell, run: &RunFolder) -> Result<()> {
        let path = run.manifest();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // Scores without a description can be tabulated, but nothing is known of them.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(Error::file(&path, e)),
        };
        let table: toml::Table =
            text.parse().map_err(|e| Error::file(&path, format!("not a run's description: {e}")))?;
        let show = |value: Option<&toml::Value>| value.map_or_else(|| "nothing".into(), ToString::to_string);
        for key in SHARED {
            self.same(key, key, &show(table.get(key)), cell, &path)?;
        }
        // Word vectors are not an encoder.
        if !cell.vectors {
            self.same("encoder_sha256", "encoder_sha256", &show(table.get("encoder_sha256")), cell, &path)?;
        }
        if let (Some(size), Some(seed)) = (&cell.size, cell.seed) {
            let text = table.get("text").and_then(|text| text.get("sha256"));
            self.same("text.sha256", &format!("text of {size}, seed {seed}"), &show(text), cell, &path)?;
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
            "{key} is {value} here, and {first} in {of}: they are not of one sweep; delete the folder of the one that \
             is wrong, and run the sweep again"
        );
        Err(Error::file(path, reason))
    }

    /// Kinds of processors that trained.
    pub(crate) fn processors(self) -> usize {
        self.processors.len()
    }
}

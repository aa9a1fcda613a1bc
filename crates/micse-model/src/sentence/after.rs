//! From pooled rows to embeddings: the modules after the pooling, and truncation.

use std::path::Path;

use rayon::prelude::*;

use crate::modules::AfterPooling;
use crate::post::Stage;
use crate::{Error, Result};

/// Applies the modules after the pooling to its rows.
pub(crate) fn apply_modules(steps: &[AfterPooling], mut rows: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
    for step in steps {
        match step {
            AfterPooling::Normalize => rows.par_iter_mut().for_each(|row| scale_to_unit(row)),
            AfterPooling::Dense(dense) => rows = dense.apply(&rows)?,
            AfterPooling::LayerNorm(norm) => norm.apply(&mut rows)?,
            AfterPooling::Dropout(_) => {}
        }
    }
    Ok(rows)
}

/// Checks that all embeddings are finite.
pub(crate) fn check_finite<S: AsRef<str>>(rows: &[Vec<f32>], sentences: &[S]) -> Result<()> {
    match rows.iter().position(|row| row.iter().any(|value| !value.is_finite())) {
        Some(bad) => Err(Error::NotFinite { sentence: sentences[bad].as_ref().to_owned() }),
        None => Ok(()),
    }
}

/// Keeps the first `entries` of each row, if there are more.
pub(crate) fn truncate(rows: &mut [Vec<f32>], entries: Option<usize>) {
    if let Some(entries) = entries {
        for row in rows {
            row.truncate(entries);
        }
    }
}

/// Checks that an embedding of `whole` entries can be truncated to its first `entries`.
pub(crate) fn check_truncation(entries: usize, whole: usize) -> Result<()> {
    if (1..=whole).contains(&entries) {
        return Ok(());
    }
    Err(Error::Input(format!(
        "embeddings cannot be truncated to {entries} entries, because the model's have {whole}; choose from 1 \
         to {whole}"
    )))
}

/// Number of entries after the modules and the stage, for `pooled` entries before them.
pub(crate) fn output_dimension(steps: &[AfterPooling], stage: Option<&Stage>, pooled: usize) -> usize {
    let outputs = |step: &AfterPooling| match step {
        AfterPooling::Dense(dense) => Some(dense.outputs()),
        AfterPooling::Normalize | AfterPooling::LayerNorm(_) | AfterPooling::Dropout(_) => None,
    };
    let rows = steps.iter().rev().find_map(outputs).unwrap_or(pooled);
    stage.map_or(rows, Stage::output_dimension)
}

/// Checks that the dimensions of the modules and the stage match, starting from `rows` entries. `root` is the model
/// folder.
pub(crate) fn check_dimensions(
    steps: &[AfterPooling],
    stage: Option<&Stage>,
    mut rows: usize,
    root: &Path,
) -> Result<()> {
    let refused = |what: &str, takes: usize, rows: usize| Error::Config {
        path: root.join("modules.json"),
        reason: format!("{what} expects {takes} entries, but the rows before it have {rows}"),
    };
    for step in steps {
        match step {
            AfterPooling::Dense(dense) if dense.inputs() != rows => {
                return Err(refused("a Dense module", dense.inputs(), rows));
            }
            AfterPooling::Dense(dense) => rows = dense.outputs(),
            AfterPooling::LayerNorm(norm) if norm.dimension() != rows => {
                return Err(refused("a LayerNorm module", norm.dimension(), rows));
            }
            AfterPooling::LayerNorm(_) | AfterPooling::Normalize | AfterPooling::Dropout(_) => {}
        }
    }
    match stage {
        Some(stage) if stage.input_dimension() != rows => {
            Err(refused(&format!("the {}", stage.kind()), stage.input_dimension(), rows))
        }
        _ => Ok(()),
    }
}

/// Scales a vector to length 1; a zero vector stays zero.
fn scale_to_unit(row: &mut [f32]) {
    let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        for value in row {
            *value /= norm;
        }
    }
}

//! Output files with one JSON value on each line.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use micse_model::Precision;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Options that all lines of a file share: a table of lines that differ in them would compare nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conditions {
    /// Every how many pairs and examples one is scored (`--every`).
    pub(super) every: usize,
    pub(super) precision: Precision,
    /// The seed of the draws, where a line has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    /// Further options of the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) more: Vec<String>,
}

impl Conditions {
    /// Rejects a file with lines of other options. Lines of earlier versions do not say theirs.
    pub(super) fn check<'a>(
        &self,
        path: &Path,
        lines: impl IntoIterator<Item = &'a Option<Self>>,
    ) -> Result<()> {
        for (number, line) in (1..).zip(lines) {
            if let Some(other) = line.as_ref().filter(|other| *other != self) {
                bail!(
                    "{}:{number}: this line was measured with {}, but this command has {}; use the same options, or a \
                     different --out",
                    path.display(),
                    serde_json::to_string(other)?,
                    serde_json::to_string(self)?
                );
            }
        }
        Ok(())
    }
}

/// Reads all values; a file that does not exist has none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let value = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), number + 1))
    };
    text.lines().enumerate().map(value).collect()
}

/// Appends values with a single write, so that a stopped experiment has all of them or none.
pub(super) fn append(path: &Path, values: &[impl Serialize]) -> Result<()> {
    let mut text = String::new();
    for value in values {
        text += &serde_json::to_string(value)?;
        text.push('\n');
    }
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_options_are_refused_by_number() {
        let mine =
            Conditions { every: 4, precision: Precision::F32, seed: None, more: vec!["--steps".into()] };
        let check = |lines: &[Option<Conditions>]| {
            mine.check(Path::new("out.jsonl"), lines).map_err(|error| error.to_string())
        };
        check(&[Some(mine.clone()), None]).unwrap();
        for other in [
            Conditions { every: 2, ..mine.clone() },
            Conditions { precision: Precision::Bf16, ..mine.clone() },
            Conditions { seed: Some(48), ..mine.clone() },
            Conditions { more: Vec::new(), ..mine.clone() },
        ] {
            let error = check(&[None, Some(other)]).unwrap_err();
            assert!(error.starts_with("out.jsonl:2: ") && error.contains("--out"), "{error}");
        }
    }
}

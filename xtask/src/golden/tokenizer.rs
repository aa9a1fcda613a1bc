//! `tokenizer/`: WordPiece IDs, which must match exactly.

use std::path::Path;

use anyhow::{Context, Result};
use micse_model::Tokenizer;
use serde::Deserialize;

use super::Report;

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
}

/// The maximum length of the reference.
const MAX_LENGTH: usize = 32;

pub(super) fn check(dir: &Path, report: &mut Report) -> Result<()> {
    let own = dir.join("tokenizer/vocab.txt");
    let data = std::env::var_os("MICSE_DATA").map(|d| Path::new(&d).join("bert-base-uncased/vocab.txt"));
    let Some(vocab) = std::iter::once(own).chain(data).find(|path| path.is_file()) else {
        report.skipped.push(
            "tokenizer/: no vocab.txt in the folder; set MICSE_DATA to a folder with bert-base-uncased/vocab.txt"
                .into(),
        );
        return Ok(());
    };
    let path = dir.join("tokenizer/cases.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let cases: Vec<Case> = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let tokenizer = Tokenizer::from_vocab(&vocab)?;
    for (number, case) in cases.iter().enumerate() {
        let ids = |ids: &[u32]| ids.iter().map(|&id| f64::from(id)).collect::<Vec<f64>>();
        let got = tokenizer.encode(&case.text, MAX_LENGTH)?;
        report.compare("tokenizer/cases", &format!("case {number}"), &ids(&got), &ids(&case.ids), 0.0, 0.0);
    }
    Ok(())
}

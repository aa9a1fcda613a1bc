//! The last section: the settings of the runs, and the missing cells.

use super::data::{Run, Sweep, state};
use super::html::Page;
use crate::{Hole, Result};

/// The name of each manifest row, and its keys in `run.toml`.
const FACTS: [(&str, &[&str]); 15] = [
    ("Version", &["version"]),
    ("Engine", &["engine"]),
    ("Precision", &["precision"]),
    ("Device", &["device"]),
    ("Chunk size", &["chunk"]),
    ("CPU features", &["cpu_features"]),
    ("Other CPUs that resumed a run", &["other_cpu_features"]),
    ("Encoder SHA-256", &["encoder_sha256"]),
    ("Model modules SHA-256", &["modules_sha256"]),
    ("Masked-LM head SHA-256", &["masked_lm_head_sha256"]),
    ("Evaluation sets", &["evaluation"]),
    ("Evaluation sets SHA-256", &["evaluation_sha256"]),
    ("Corpus", &["text", "sources"]),
    ("Corpus sentences", &["text", "corpus_sentences"]),
    ("Corpus SHA-256", &["text", "sha256"]),
];

pub(super) fn write(page: &mut Page, sweep: &Sweep, left_out: &[String]) -> Result<()> {
    page.section("manifest", "Manifest");
    if !sweep.results.holes.is_empty() {
        page.heading("Cells without a result");
        let described = |hole: &Hole| Ok(format!("{}: {}", hole.cell, state(hole)?));
        let holes = sweep.results.holes.iter().map(described).collect::<Result<Vec<String>>>()?;
        page.list(holes.iter().map(String::as_str));
    }
    if !left_out.is_empty() {
        page.heading("Not in this report");
        page.list(left_out.iter().map(String::as_str));
    }
    page.heading("Settings");
    let settings = &sweep.grid.settings;
    let mut facts = vec![
        ("Preset".to_owned(), vec![sweep.grid.preset.clone()]),
        ("Settings".to_owned(), vec![settings.strip_prefix("settings: ").unwrap_or(settings).to_owned()]),
    ];
    for (name, path) in FACTS {
        let values = counted(sweep, path);
        if !values.is_empty() {
            facts.push((name.to_owned(), values));
        }
    }
    page.facts(&facts);
    let recipes: Vec<(&String, String)> =
        sweep.methods.iter().filter_map(|m| Some((m, recipe(sweep, m)?))).collect();
    if !recipes.is_empty() {
        page.heading("Recipes");
        for (method, text) in recipes {
            page.folded(method, &text);
        }
    }
    Ok(())
}

/// The values of a fact; if runs differ, each with its number of runs.
fn counted(sweep: &Sweep, path: &[&str]) -> Vec<String> {
    let values = sweep.distinct(|r| r.fact(path));
    if values.len() < 2 {
        return values;
    }
    let count = |value: &String| sweep.runs.iter().filter(|r| r.fact(path).as_ref() == Some(value)).count();
    values.iter().map(|value| format!("{value} ({} runs)", count(value))).collect()
}

/// A method's recipe as recorded by its runs; several if the runs differ.
fn recipe(sweep: &Sweep, method: &str) -> Option<String> {
    let text = |run: &Run| {
        (run.result.method == method).then(|| run.manifest.get("recipe")).flatten().map(|recipe| {
            // A table read from a file can always be written as one.
            toml::to_string(recipe).unwrap_or_else(|e| e.to_string())
        })
    };
    let recipes = sweep.distinct(text);
    (!recipes.is_empty()).then(|| recipes.join("\n# other runs\n\n"))
}

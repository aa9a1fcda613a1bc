//! `stats/`: rank and linear correlation with ties.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Report;

#[derive(Deserialize)]
struct Case {
    x: Vec<f64>,
    y: Vec<f64>,
    spearman: f64,
    pearson: f64,
}

pub(super) fn check(dir: &Path, report: &mut Report) -> Result<()> {
    let path = dir.join("stats/correlation.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let cases: Vec<Case> = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let of = |f: fn(&Case) -> f64| cases.iter().map(f).collect::<Vec<f64>>();
    let file = "stats/correlation";
    report.value(file, "spearman", &of(|c| micse_eval::spearman(&c.x, &c.y)), &of(|c| c.spearman));
    report.value(file, "pearson", &of(|c| micse_eval::pearson(&c.x, &c.y)), &of(|c| c.pearson));
    Ok(())
}

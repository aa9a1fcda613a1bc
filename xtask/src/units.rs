//! Checks that the documented commands share one build: no third-party crate is compiled twice in one target folder.
//!
//! Cargo resolves features for the packages that a command selects, so two commands can need the same crate with
//! different features. Their unit graphs show it without building anything.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// The documented commands, as the package selection of each.
const SELECTIONS: [(&str, &[&str]); 6] = [
    ("cargo xtask", &["build", "--release", "-p", "xtask"]),
    ("cargo test --release --workspace", &["test", "--release", "--workspace", "--no-run"]),
    ("cargo build --release --workspace --bins", &["build", "--release", "--workspace", "--bins"]),
    (
        "cargo run --release -p micse, cargo install --path crates/micse",
        &["build", "--release", "-p", "micse"],
    ),
    ("cargo run --release -p micse-eval", &["build", "--release", "-p", "micse-eval"]),
    ("maturin build --release", &["rustc", "--release", "-p", "micse-python", "--lib"]),
];

#[derive(Deserialize)]
struct Graph {
    units: Vec<Unit>,
}

#[derive(Deserialize)]
struct Unit {
    pkg_id: String,
    target: Value,
    profile: Value,
    platform: Option<String>,
    mode: String,
    features: Vec<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    index: usize,
}

/// What is compiled, as opposed to how: package, kind of target, mode, platform.
type Name = (String, String, String, Option<String>);

/// Third-party units that a selection compiles although an earlier one compiled them differently, one line each.
///
/// # Errors
/// Cargo does not print its unit graph.
pub(crate) fn built_twice() -> Result<Vec<String>> {
    let mut seen: BTreeMap<Name, (BTreeSet<String>, &str)> = BTreeMap::new();
    let mut problems = Vec::new();
    for (command, arguments) in SELECTIONS {
        let graph = unit_graph(arguments)?;
        let mut identities = vec![None; graph.units.len()];
        let mut new: BTreeMap<Name, BTreeSet<String>> = BTreeMap::new();
        for index in 0..graph.units.len() {
            let unit = &graph.units[index];
            let identity = identity(&graph, index, &mut identities);
            if unit.pkg_id.starts_with("registry+") {
                new.entry(name(unit)).or_default().insert(identity);
            }
        }
        for (name, identities) in new {
            let (known, first) = seen.entry(name.clone()).or_insert_with(|| (BTreeSet::new(), command));
            if !known.is_empty() && !identities.is_subset(known) {
                problems.push(format!(
                    "{} ({}): `{command}` needs a different build than `{first}`",
                    name.0, name.2
                ));
            }
            known.extend(identities);
        }
    }
    Ok(problems)
}

fn name(unit: &Unit) -> Name {
    let package = unit.pkg_id.rsplit('#').next().unwrap_or(&unit.pkg_id).to_owned();
    (package, unit.target["kind"].to_string(), unit.mode.clone(), unit.platform.clone())
}

/// Everything that determines a unit's build: itself, its features and profile, and the same of its dependencies.
fn identity(graph: &Graph, index: usize, known: &mut [Option<String>]) -> String {
    if let Some(identity) = &known[index] {
        return identity.clone();
    }
    let unit = &graph.units[index];
    let mut dependencies: Vec<String> =
        unit.dependencies.iter().map(|dependency| identity(graph, dependency.index, known)).collect();
    dependencies.sort();
    let text = format!("{:?} {:?} {} {dependencies:?}", name(unit), unit.features, unit.profile);
    let mut hash = micse_files::Hash::new();
    hash.update(text);
    let identity = hash.digits();
    known[index] = Some(identity.clone());
    identity
}

fn unit_graph(arguments: &[&str]) -> Result<Graph> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--locked", "-Z", "unstable-options", "--unit-graph"])
        // The unit graph is an unstable feature of cargo.
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo printed no unit graph: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("cannot parse the unit graph")
}

//! `cargo xtask dependencies`: checks all dependencies against the rules in `deny.toml` and the workspace's Rust
//! version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_cli::print;
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::{floors, units};

/// Check licences, sources and Rust versions of all dependencies
#[derive(Args)]
pub(crate) struct Dependencies {
    /// File with the rules; only `licenses.allow` is used
    #[arg(long, default_value = "deny.toml")]
    rules: PathBuf,
    /// Check dependencies for all platforms, not only this one; cargo may need to download them
    #[arg(long)]
    all_platforms: bool,
}

#[derive(Deserialize)]
struct Rules {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// A package, as reported by `cargo metadata`.
#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for workspace packages.
    source: Option<String>,
    rust_version: Option<String>,
}

/// The only allowed source of dependencies.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

impl Dependencies {
    pub(crate) fn run(&self) -> Result<()> {
        let text = std::fs::read_to_string(&self.rules).with_context(|| {
            format!("cannot read {}; run this command from the repository root", self.rules.display())
        })?;
        let rules: Rules = toml::from_str(&text).with_context(|| format!("{}", self.rules.display()))?;
        let allowed = licensees(&self.rules, &rules.licenses.allow)?;
        let packages = metadata(self.all_platforms)?;
        let (own, others): (Vec<Package>, Vec<Package>) =
            packages.into_iter().partition(|package| package.source.is_none());
        let stated = own.iter().find_map(|package| package.rust_version.clone());
        let stated = stated.context("no workspace package has a rust-version")?;
        let mut problems = Vec::new();
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for package in &others {
            problems.extend(problem(package, &allowed, &stated)?);
            *count.entry(package.license.as_deref().unwrap_or("none")).or_default() += 1;
        }
        let mut count: Vec<(usize, &str)> = count.into_iter().map(|(name, n)| (n, name)).collect();
        count.sort_unstable_by(|a, b| b.cmp(a));
        for (n, name) in count {
            print(&format!("{n:>5}  {name}"))?;
        }
        if !problems.is_empty() {
            bail!("{} of {} dependencies:\n{}", problems.len(), others.len(), problems.join("\n"));
        }
        print(&format!(
            "{} dependencies, all with licences allowed by {} and support for Rust {stated}",
            others.len(),
            self.rules.display()
        ))?;
        checked("libraries without dependencies that only commands need", &floors::misplaced()?)?;
        checked("one build of third-party crates for all documented commands", &units::built_twice()?)
    }
}

/// Prints a rule without violations; violations are an error.
fn checked(rule: &str, problems: &[String]) -> Result<()> {
    if problems.is_empty() {
        return print(&format!("{rule}: yes"));
    }
    bail!("{rule}: no\n{}", problems.join("\n"))
}

fn licensees(path: &Path, allow: &[String]) -> Result<Vec<Licensee>> {
    allow
        .iter()
        .map(|name| {
            Licensee::parse(name).with_context(|| format!("{}: invalid licence `{name}`", path.display()))
        })
        .collect()
}

fn metadata(all_platforms: bool) -> Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]);
    if !all_platforms {
        command.args(["--filter-platform", &this_platform()?]);
    }
    let output = command.output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot parse the output of cargo metadata")?;
    Ok(metadata.packages)
}

/// The compiler's default target.
fn this_platform() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` printed no host")?.to_owned())
}

/// The first rule that a dependency breaks, if any.
fn problem(package: &Package, allowed: &[Licensee], rust: &str) -> Result<Option<String>> {
    let named = format!("{} {}", package.name, package.version);
    let Some(license) = &package.license else {
        return Ok(Some(format!("{named}: no licence; use another crate")));
    };
    // This mode accepts `MIT/Apache-2.0`, the notation of older crates.
    let expression = Expression::parse_mode(license, ParseMode::LAX)
        .map_err(|e| anyhow::anyhow!("{named}: invalid licence `{license}`: {e}"))?;
    if !expression.evaluate(|required| allowed.iter().any(|licence| licence.satisfies(required))) {
        return Ok(Some(format!("{named}: deny.toml does not allow the licence `{license}`")));
    }
    if package.source.as_deref() != Some(REGISTRY) {
        let source = package.source.as_deref().unwrap_or("an unknown source");
        return Ok(Some(format!("{named}: comes from {source}, not from crates.io")));
    }
    if let Some(needs) = &package.rust_version
        && numbers(needs)? > numbers(rust)?
    {
        return Ok(Some(format!("{named}: needs Rust {needs}, but the workspace declares {rust}")));
    }
    Ok(None)
}

/// The three numbers of a version; `1.95` equals `1.95.0`.
fn numbers(version: &str) -> Result<[u64; 3]> {
    let mut all = [0; 3];
    for (place, part) in all.iter_mut().zip(version.split('.')) {
        *place = part.parse().with_context(|| format!("`{version}` is not a valid Rust version"))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_told() {
        let allowed = licensees(Path::new("deny.toml"), &["MIT".into(), "Apache-2.0".into()]).unwrap();
        let package = |license: &str, source: &str, rust: &str| Package {
            name: "some".into(),
            version: "1.2.3".into(),
            license: (!license.is_empty()).then(|| license.to_owned()),
            source: Some(source.into()),
            rust_version: Some(rust.into()),
        };
        let told =
            |license, source, rust| problem(&package(license, source, rust), &allowed, "1.95").unwrap();
        assert_eq!(told("MIT/GPL-3.0", REGISTRY, "1.95.0"), None);
        assert_eq!(told("MIT AND Apache-2.0", REGISTRY, "1.60"), None);
        assert!(told("MIT AND GPL-3.0-only", REGISTRY, "1.60").unwrap().contains("GPL-3.0-only"));
        assert!(told("", REGISTRY, "1.60").unwrap().contains("no licence"));
        assert!(told("MIT", "git+https://example.org/some", "1.60").unwrap().contains("example.org"));
        assert!(told("MIT", REGISTRY, "1.96").unwrap().contains("needs Rust 1.96"));
        assert!(told("MIT", REGISTRY, "1.100").is_some(), "versions are compared as numbers, not as text");
    }
}

//! Checks that libraries do not depend on crates that only commands need.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// The libraries, without their default features.
const LIBRARIES: [&str; 15] = [
    "micse",
    "micse-data",
    "micse-eval",
    "micse-figures",
    "micse-files",
    "micse-hub",
    "micse-kernels",
    "micse-losses",
    "micse-model",
    "micse-random",
    "micse-report",
    "micse-search",
    "micse-stats",
    "micse-train",
    "micse-vectors",
];

/// Crates that only commands need.
const OF_COMMANDS: [&str; 6] =
    ["anyhow", "clap", "indicatif", "libmimalloc-sys", "mimalloc", "tracing-subscriber"];

/// Large dependencies, and the libraries that may have them.
const LARGE: [(&str, &[&str]); 3] = [("polars", &["micse-report"]), ("resvg", &[]), ("ureq", &["micse-hub"])];

/// Dependencies that a library should not have, one line each.
///
/// # Errors
/// Cargo does not print a library's dependencies.
pub(crate) fn misplaced() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for library in LIBRARIES {
        let has = dependencies(library)?;
        let large = LARGE.iter().filter(|(_, allowed)| !allowed.contains(&library)).map(|(name, _)| name);
        for name in OF_COMMANDS.iter().chain(large) {
            if has.iter().any(|dependency| dependency == name) {
                problems.push(format!(
                    "{library} depends on {name}; see `cargo tree -p {library} -e normal --no-default-features -i \
                     {name}`"
                ));
            }
        }
    }
    Ok(problems)
}

/// The names of all normal dependencies of a library without its default features.
fn dependencies(library: &str) -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "-p", library, "-e", "normal", "--no-default-features"])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo tree -p {library}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_named() {
        let of_train = dependencies("micse-train").expect("a tree");
        assert!(of_train.iter().any(|name| name == "candle-core"), "{of_train:?}");
        assert!(misplaced().expect("trees").is_empty());
    }
}

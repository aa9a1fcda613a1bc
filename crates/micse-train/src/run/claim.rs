//! Which run a folder belongs to, by its `run.toml`. A folder with a different one belongs to another run.

use std::path::Path;

use micse_files::{RunFolder, write_whole};
use serde::Serialize;

use super::difference::first_difference;
use super::manifest::hash_of;
use crate::{Error, Result};

/// The key of a manifest's CPU features.
const CPU: &str = "cpu_features";
/// The key of the features of other kinds of CPUs that resumed the run: no single kind reproduces its bits.
const OTHER_CPUS: &str = "other_cpu_features";

/// What to do if a run began on a different kind of CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherCpu {
    /// Fail: the result would mix the rounding of two kinds.
    Refuse,
    /// Resume, and record it in `run.toml`.
    Record,
    /// Do not check: only scores may still be computed, and they agree up to rounding.
    Ignore,
}

/// The identity of a run: SHA-256 of its manifest, without the kind of CPU, which `run.toml` records separately.
///
/// # Errors
/// The manifest cannot be written as TOML.
pub fn identity(manifest: &impl Serialize) -> Result<String> {
    let invalid = |e: toml::ser::Error| Error::run(Path::new("run.toml"), e.to_string());
    let mut table = toml::Table::try_from(manifest).map_err(invalid)?;
    table.remove(CPU);
    let text = toml::to_string(&table).map_err(invalid)?;
    Ok(hash_of(text))
}

/// What [`compare`] found in a folder.
enum Claim {
    /// The run is new here: its `run.toml` is to be written.
    New,
    /// The run is known.
    Known,
    /// The run is known, and the kind of this CPU is to be recorded in this table.
    OtherCpu(toml::Table),
}

/// Writes the `run.toml` of the run that `manifest` describes into `folder`, or checks the existing one. One of a run
/// that failed before it wrote anything else is replaced.
///
/// # Errors
/// Those of [`check_claim`].
pub fn claim(folder: &Path, manifest: &impl Serialize, other_cpu: OtherCpu) -> Result<()> {
    let path = RunFolder::new(folder).manifest();
    let failed = |e: toml::ser::Error| Error::run(&path, e.to_string());
    let text = match compare(folder, manifest, other_cpu)? {
        Claim::New => toml::to_string(manifest).map_err(failed)?,
        Claim::OtherCpu(table) => toml::to_string(&table).map_err(failed)?,
        Claim::Known => return Ok(()),
    };
    Ok(write_whole(&path, text.as_bytes())?)
}

/// Rejects what [`claim`] would reject, and writes nothing.
///
/// # Errors
/// The folder belongs to another run (the error names the first difference), or was begun on a different kind of CPU
/// (key `cpu_features`), which `other_cpu` does not allow; or it has no `run.toml`, but a file or folder that a run would
/// overwrite or remove.
pub fn check_claim(folder: &Path, manifest: &impl Serialize, other_cpu: OtherCpu) -> Result<()> {
    compare(folder, manifest, other_cpu).map(|_| ())
}

/// The error for a file or folder that a run would overwrite or remove.
pub(crate) fn not_of_a_run(path: &Path) -> Error {
    let reason = "this folder was not made by a run (it has no run.toml), and a run would overwrite or remove this; pass \
                  a different --out, or move it away";
    Error::run(path, reason)
}

fn compare(folder: &Path, manifest: &impl Serialize, other_cpu: OtherCpu) -> Result<Claim> {
    let run = RunFolder::new(folder);
    let path = run.manifest();
    let mine = toml::Table::try_from(manifest).map_err(|e| Error::run(&path, e.to_string()))?;
    if let Some(foreign) = run.foreign() {
        return Err(not_of_a_run(&foreign));
    }
    if !run.is_begun() {
        return Ok(Claim::New);
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let mut found: toml::Table =
        text.parse().map_err(|e| Error::run(&path, format!("not a valid run.toml: {e}")))?;
    let mut others = match found.remove(OTHER_CPUS) {
        Some(toml::Value::Array(others)) => others,
        _ => Vec::new(),
    };
    // Anybody may have a run.toml; those of runs have this key.
    if run.is_bare() && found.contains_key(CPU) && found != mine {
        return Ok(Claim::New);
    }
    let mut newcomer = None;
    if let (Some(theirs), Some(own)) = (found.get(CPU), mine.get(CPU))
        && theirs != own
    {
        if other_cpu == OtherCpu::Refuse {
            return Err(Error::run(
                &path,
                format!(
                    "this run began on a CPU with {theirs}, but this CPU has {own}, so the result would not be \
                     reproducible bit for bit; pass a different --out, or resume with --allow-other-cpu"
                ),
            ));
        }
        newcomer = (other_cpu == OtherCpu::Record).then(|| found.clone());
        let own = own.clone();
        found.insert(CPU.into(), own);
    }
    match first_difference(&found, &mine).map_err(|e| Error::run(&path, e.to_string()))? {
        None => match (newcomer, mine.get(CPU)) {
            (Some(mut table), Some(own)) if !others.contains(own) => {
                others.push(own.clone());
                table.insert(OTHER_CPUS.into(), toml::Value::Array(others));
                Ok(Claim::OtherCpu(table))
            }
            _ => Ok(Claim::Known),
        },
        Some(difference) => Err(Error::run(
            &path,
            format!(
                "this folder belongs to another run ({difference}); pass a different --out, or delete the folder"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Small {
        cpu_features: Vec<&'static str>,
        recipe: toml::Table,
    }

    fn small(cpu: &'static str) -> Small {
        let mut recipe = toml::Table::new();
        recipe.insert("steps".into(), 5.into());
        Small { cpu_features: vec![cpu], recipe }
    }

    #[test]
    fn a_run_s_identity_is_its_manifest_on_any_processor() {
        let of = |small: &Small| identity(small).unwrap();
        assert_eq!(of(&small("avx2")), of(&small("avx512f")));
        let mut other = small("avx2");
        other.recipe.insert("steps".into(), 6.into());
        assert_ne!(of(&small("avx2")), of(&other));
    }

    #[test]
    fn another_kind_of_processor_is_refused_or_recorded() {
        let folder = tempfile::tempdir().unwrap();
        claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
        std::fs::write(RunFolder::new(folder.path()).metrics(), "{}\n").unwrap();
        claim(folder.path(), &small("avx512f"), OtherCpu::Ignore).unwrap();
        let error = claim(folder.path(), &small("avx512f"), OtherCpu::Refuse).unwrap_err().to_string();
        assert!(error.contains("avx2") && error.contains("--allow-other-cpu"), "{error}");
        for _ in 0..2 {
            claim(folder.path(), &small("avx512f"), OtherCpu::Record).unwrap();
            claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
        }
        let text = std::fs::read_to_string(RunFolder::new(folder.path()).manifest()).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["cpu_features"].to_string(), r#"["avx2"]"#);
        assert_eq!(table["other_cpu_features"].to_string(), r#"[["avx512f"]]"#);
        let mut other = small("avx512f");
        other.recipe.insert("steps".into(), 6.into());
        let error = claim(folder.path(), &other, OtherCpu::Record).unwrap_err().to_string();
        assert!(error.contains("recipe.steps = 5"), "{error}");
    }

    #[test]
    fn a_run_that_wrote_nothing_else_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = small("avx512f");
        other.recipe.insert("steps".into(), 6.into());
        claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
        check_claim(folder.path(), &other, OtherCpu::Refuse).unwrap();
        claim(folder.path(), &other, OtherCpu::Refuse).unwrap();
        std::fs::create_dir(RunFolder::new(folder.path()).checkpoint_folder()).unwrap();
        claim(folder.path(), &other, OtherCpu::Refuse).unwrap();
        assert!(claim(folder.path(), &small("avx512f"), OtherCpu::Refuse).is_err());
    }

    #[test]
    fn a_folder_with_somebody_s_files_is_no_run_s() {
        for own in ["model", "checkpoint", "metrics.jsonl", "result.json"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join(own)).unwrap();
            let error = claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap_err().to_string();
            assert!(error.contains(own) && error.contains("pass a different --out"), "{error}");
            assert!(!RunFolder::new(folder.path()).is_begun());
        }
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("run.toml");
        std::fs::write(&manifest, "[server]\nport = 8080\n").unwrap();
        assert!(claim(folder.path(), &small("avx2"), OtherCpu::Refuse).is_err());
        assert!(std::fs::read_to_string(&manifest).unwrap().contains("8080"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "notes").unwrap();
        claim(folder.path(), &small("avx2"), OtherCpu::Refuse).unwrap();
    }
}

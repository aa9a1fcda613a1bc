//! A sweep that takes seconds, and the outputs that must not depend on how it was run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Ended, ended, sentences, write_small_model, write_small_sts};

/// A folder with the small model, its pairs and 60 sentences, to sweep on.
pub struct SmallSweep {
    folder: tempfile::TempDir,
    program: &'static str,
}

impl SmallSweep {
    /// Writes the inputs; `program` is the path of `xtask`.
    ///
    /// # Panics
    /// If the folder cannot be written.
    pub fn new(program: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write_small_model(&folder.path().join("model"));
        write_small_sts(&folder.path().join("sts"));
        std::fs::write(folder.path().join("text.txt"), sentences(60).join("\n")).expect("text.txt");
        Self { folder, program }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A sweep of two methods, two sizes and two seeds, with four steps each and all models kept. `extra` adds
    /// arguments or replaces these. A relative `out` is relative to the folder.
    pub fn command(&self, out: impl AsRef<Path>, extra: &[&str]) -> Command {
        let mut arguments: Vec<OsString> = vec!["sweep".into()];
        let usual = [
            ("--keep-models", "all"),
            ("--methods", "simcse,micse"),
            ("--sizes", "20,100%"),
            ("--seeds", "48,49"),
            ("--steps", "4"),
        ];
        for (option, value) in usual {
            if !extra.contains(&option) {
                arguments.extend([option.into(), value.into()]);
            }
        }
        arguments.extend(["--set", "optimizer.batch_size=8"].map(Into::into));
        for (option, name) in [("--model", "model"), ("--corpus", "text.txt"), ("--sts", "sts")] {
            arguments.extend([option.into(), self.path(name).into_os_string()]);
        }
        arguments.extend(["--out".into(), self.folder.path().join(out).into_os_string()]);
        arguments.extend(extra.iter().map(Into::into));
        let mut command = self.program();
        command.args(arguments);
        command
    }

    /// The program without arguments, in a clean environment.
    pub fn program(&self) -> Command {
        crate::command(self.program, None)
    }

    /// Runs the sweep to completion.
    pub fn run(&self, out: impl AsRef<Path>, extra: &[&str]) -> Ended {
        ended(&mut self.command(out, extra))
    }
}

/// The contents of a sweep folder that must not depend on how it was run, by file name: scores, cosines, weights,
/// losses. Times are omitted.
///
/// # Panics
/// If a file cannot be read.
pub fn lasting(sweep: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![sweep.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(sweep).expect("within").to_string_lossy().into_owned();
            let file = path.file_name().expect("a name").to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).expect("a file");
            let kept = match file.as_str() {
                // Tables show costs, which depend on times.
                ".lock" | "tables.txt" | "tables.md" | "tables.tex" | "results.csv" | "results.parquet" => {
                    continue;
                }
                "result.json" => without(&bytes, &["train_seconds", "seconds"]),
                "metrics.jsonl" => bytes
                    .split(|&b| b == b'\n')
                    .filter(|line| !line.is_empty())
                    .flat_map(|line| without(line, &["sentences_per_s"]))
                    .collect(),
                _ => bytes,
            };
            files.insert(name, kept);
        }
    }
    files
}

/// A JSON object without some of its keys.
fn without(json: &[u8], keys: &[&str]) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(json).expect("JSON");
    let object = value.as_object_mut().expect("an object");
    for key in keys {
        object.remove(*key);
    }
    serde_json::to_vec(&value).expect("JSON")
}

/// Checks that two sweeps are bit-for-bit identical.
///
/// # Panics
/// If they differ, with the names of the files.
pub fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (lasting(one), lasting(other));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other), "the sweeps have different files");
    let differ: Vec<&String> =
        one.iter().filter(|(name, bytes)| other[*name] != **bytes).map(|(n, _)| n).collect();
    assert!(differ.is_empty(), "files differ: {differ:?}");
}

//! The measured programs: micse in each precision, and other libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::part::Kind;
use super::{Work, WorkKind, child};

/// A program that encodes.
pub(super) struct Program {
    pub(super) name: String,
    command: Vec<PathBuf>,
    precision: Option<&'static str>,
    /// The engine of `xtask/peers/matrix.py`, and its ONNX file.
    peer: Option<(&'static str, PathBuf)>,
    model: PathBuf,
}

/// One measurement.
pub(super) struct Measured {
    pub(super) inside: Inside,
    /// Seconds of the whole process.
    pub(super) process: f64,
    pub(super) peak_mib: Option<f64>,
}

/// What the process reported.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Inside {
    pub(super) median_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) seconds: Option<f64>,
    pub(super) tokens: Option<usize>,
    /// The embedding of the first text.
    pub(super) row: Option<Vec<f32>>,
}

/// Whether this CPU has instructions for products in bfloat16.
pub(super) fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn own_program() -> Result<PathBuf> {
    std::env::current_exe().context("cannot find this program's file")
}

/// Writes a model in int8.
pub(super) fn export_int8(model: &Path, output: &Path) -> Result<()> {
    let mut command = Command::new(own_program()?);
    command.args(["export", "--precision", "int8", "--output"]).arg(output).arg(model);
    child::run(&mut command).map(|_| ())
}

impl Program {
    pub(super) fn micse(model: &Path, precision: &'static str) -> Result<Self> {
        Ok(Self {
            name: format!("micse, {precision}"),
            command: vec![own_program()?],
            precision: Some(precision),
            peer: None,
            model: model.to_owned(),
        })
    }

    /// The other libraries; writes the ONNX file and its int8 form if they do not exist.
    pub(super) fn peers(python: &Path, model: &Path, onnx: &Path) -> Result<Vec<Self>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/matrix.py");
        ensure!(script.is_file(), "{} is missing; run the command in a checkout", script.display());
        let command = vec![python.to_owned(), script];
        if !onnx.with_extension("int8.onnx").is_file() {
            let mut export = start(&command);
            export.arg(model).arg("export").arg("--onnx").arg(onnx);
            child::run(&mut export).context("cannot write the model as ONNX")?;
        }
        let peer = |name: &str, engine: &'static str| Self {
            name: name.to_owned(),
            command: command.clone(),
            precision: None,
            peer: Some((engine, onnx.to_owned())),
            model: model.to_owned(),
        };
        Ok(vec![
            peer("sentence-transformers, f32", "st"),
            peer("onnxruntime, f32", "onnx"),
            peer("onnxruntime, int8", "onnx-int8"),
        ])
    }

    /// Whether the program has this measurement. The other libraries take text, not token IDs.
    pub(super) fn does(&self, kind: WorkKind) -> bool {
        self.peer.is_none() || kind != WorkKind::Inside(Kind::Ids)
    }

    pub(super) fn measure(&self, work: &Work<'_>, files: &Path) -> Result<Measured> {
        let rows = files.join("rows.npy");
        let mut command = start(&self.command);
        command.env("RAYON_NUM_THREADS", work.threads.to_string());
        match (&self.peer, work.kind) {
            (Some((engine, onnx)), kind) => {
                let kind = match kind {
                    WorkKind::Inside(kind) => kind.name(),
                    WorkKind::File => "file",
                };
                command.env("HF_HUB_OFFLINE", "1").env("OMP_NUM_THREADS", work.threads.to_string());
                command.arg(&self.model).args([engine, kind]).arg(work.texts).arg("--onnx").arg(onnx);
                command.arg("--output").arg(&rows);
                command.args(["--threads".to_owned(), work.threads.to_string()]);
                command.args(["--batch".to_owned(), work.batch.to_string()]);
                command.args(["--seconds".to_owned(), work.seconds.to_string()]);
                command.args(["--limit".to_owned(), work.limit.to_string()]);
            }
            (None, WorkKind::Inside(kind)) => {
                command.args(["bench", "part", "--kind", kind.name(), "--texts"]).arg(work.texts);
                command.args(["--seconds".to_owned(), work.seconds.to_string()]);
                command.args(["--limit".to_owned(), work.limit.to_string()]);
                self.model_options(&mut command);
            }
            (None, WorkKind::File) => {
                command.args(["--quiet", "encode", "--input"]).arg(work.texts).arg("--output").arg(&rows);
                self.model_options(&mut command);
            }
        }
        let finished = child::run(&mut command)?;
        // A command that writes a file prints nothing.
        let inside = match finished.stdout.lines().last() {
            Some(line) => serde_json::from_str(line)
                .with_context(|| format!("{} did not print one line of JSON, but {line:?}", self.name))?,
            None => Inside::default(),
        };
        Ok(Measured { inside, process: finished.seconds, peak_mib: finished.peak_mib })
    }

    fn model_options(&self, command: &mut Command) {
        command.arg("--model").arg(&self.model);
        // A folder in int8 needs no option.
        if let Some(precision) = self.precision.filter(|&precision| precision != "int8") {
            command.args(["--precision", precision]);
        }
    }
}

fn start(command: &[PathBuf]) -> Command {
    let mut start = Command::new(&command[0]);
    start.args(&command[1..]);
    start
}

//! `metrics.jsonl`: one JSON object a logged step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use micse_model::files::write_whole;

use crate::trainer::StepReport;
use crate::{Error, Result};

pub(super) struct Metrics {
    path: PathBuf,
    file: File,
    since: Instant,
    sentences: usize,
}

impl Metrics {
    /// See [`open_metrics`].
    pub(super) fn open(path: &Path, step: usize) -> Result<Self> {
        let file = open_metrics(path, step)?;
        Ok(Self { path: path.into(), file, since: Instant::now(), sentences: 0 })
    }

    /// Counts a step's sentences towards the rate.
    pub(super) fn count(&mut self, report: &StepReport) {
        self.sentences += report.sentences;
    }

    /// Writes a line; its rate is that of the steps since the last one.
    pub(super) fn write(&mut self, report: &StepReport) -> Result<()> {
        let seconds = self.since.elapsed().as_secs_f64();
        let mut line = serde_json::to_value(report).map_err(|e| Error::run(&self.path, e.to_string()))?;
        if self.sentences > 0 && seconds > 0.0 {
            line["sentences_per_s"] = ((self.sentences as f64 / seconds * 10.0).round() / 10.0).into();
        }
        (self.since, self.sentences) = (Instant::now(), 0);
        writeln!(self.file, "{line}").map_err(Error::io(&self.path))
    }

    /// Has the system write all lines to disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }
}

/// Opens a `metrics.jsonl`, whose lines are JSON objects with a `step`, to add the steps after `step`. Lines of
/// later steps, left by a start that was killed after its last checkpoint, go: those steps will be done again.
///
/// # Errors
/// The file cannot be read or written.
pub fn open_metrics(path: &Path, step: usize) -> Result<File> {
    let old = match std::fs::read(path) {
        // What a power cut left of a line is no line.
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io(path)(e)),
    };
    let done = |line: &&str| {
        let value: Option<serde_json::Value> = serde_json::from_str(line).ok();
        value.and_then(|v| v["step"].as_u64()).is_some_and(|s| s as usize <= step)
    };
    let kept: String = old.lines().filter(done).flat_map(|line| [line, "\n"]).collect();
    write_whole(path, kept.as_bytes())?;
    File::options().append(true).open(path).map_err(Error::io(path))
}

//! `metrics.jsonl`: one JSON object per logged step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use micse_files::write_whole;

use super::tensorboard::{EVENTS_FILE, Events};
use crate::trainer::StepReport;
use crate::{Error, Result};

/// The file's name in a run folder.
const METRICS_FILE: &str = "metrics.jsonl";

/// A `metrics.jsonl` that grows.
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// The metrics of a run folder after `step` finished steps, see [`open_metrics`].
    pub(crate) fn open(folder: &Path, step: usize) -> Result<Self> {
        let path = folder.join(METRICS_FILE);
        Ok(Self { file: open_metrics(&path, step)?, path })
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, line: &serde_json::Value) -> Result<()> {
        writeln!(self.file, "{line}").map_err(Error::io(&self.path))
    }

    /// Has the system write all lines to disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }
}

pub(super) struct Metrics {
    file: MetricsFile,
    events: Option<Events>,
    since: Instant,
    sentences: usize,
}

impl Metrics {
    /// The metrics of a run folder, see [`open_metrics`], with an event file if `events` is true or an earlier start
    /// left one, so that it is never out of date.
    pub(super) fn open(folder: &Path, step: usize, events: bool) -> Result<Self> {
        let beside = folder.join(EVENTS_FILE);
        let file = MetricsFile::open(folder, step)?;
        let events = if events || beside.is_file() {
            let lines = std::fs::read_to_string(&file.path).map_err(Error::io(&file.path))?;
            Some(Events::renew(&beside, &lines)?)
        } else {
            None
        };
        Ok(Self { file, events, since: Instant::now(), sentences: 0 })
    }

    /// Counts a step's sentences towards the speed.
    pub(super) fn count(&mut self, report: &StepReport) {
        self.sentences += report.sentences;
    }

    /// Writes a line; its speed covers the steps since the last one. `development` is the score of the development
    /// pairs, times 100, at the steps that have one.
    pub(super) fn write(&mut self, report: &StepReport, development: Option<f64>) -> Result<()> {
        let seconds = self.since.elapsed().as_secs_f64();
        let mut line =
            serde_json::to_value(report).map_err(|e| Error::run(&self.file.path, e.to_string()))?;
        if self.sentences > 0 && seconds > 0.0 {
            line["sentences_per_s"] = ((self.sentences as f64 / seconds * 10.0).round() / 10.0).into();
        }
        if let Some(spearman) = development {
            line["development_spearman"] = spearman.into();
        }
        (self.since, self.sentences) = (Instant::now(), 0);
        self.file.add(&line)?;
        self.events.as_mut().map_or(Ok(()), |events| events.add(&line))
    }

    /// Has the system write all lines to disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.sync()
    }
}

/// Opens a `metrics.jsonl`, whose lines are JSON objects with a `step`, to add the steps after `step`. Lines of
/// later steps, left by a start that was killed after its last checkpoint, are removed: those steps run again.
///
/// # Errors
/// The file cannot be read or written.
pub fn open_metrics(path: &Path, step: usize) -> Result<File> {
    let old = match std::fs::read(path) {
        // A power cut can leave a part of a line.
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

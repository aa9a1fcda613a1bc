//! `metrics.jsonl`: one JSON object per logged step.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use micse_files::{RunFolder, write_whole};
use serde_json::Value;

use super::tensorboard::Events;
use crate::trainer::StepReport;
use crate::{Error, Result};

/// A `metrics.jsonl` that is being written.
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// The metrics of a run folder after `step` finished steps, see [`open_metrics`].
    pub(crate) fn open(run: &RunFolder, step: usize) -> Result<Self> {
        let path = run.metrics();
        Ok(Self { file: open_metrics(&path, step)?, path })
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, line: &serde_json::Value) -> Result<()> {
        writeln!(self.file, "{line}").map_err(Error::io(&self.path))
    }

    /// Flushes all lines to disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }
}

/// Writes the metrics of a run.
pub(super) struct MetricsWriter {
    file: MetricsFile,
    events: Option<Events>,
    since: Instant,
    sentences: usize,
}

impl MetricsWriter {
    /// The metrics of a run folder, see [`open_metrics`], with an event file if `events` is true or an earlier start
    /// left one, so that it is never out of date.
    pub(super) fn open(run: &RunFolder, step: usize, events: bool) -> Result<Self> {
        let beside = run.events();
        let file = MetricsFile::open(run, step)?;
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

    /// Flushes all lines to disk.
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
    let old = text_of(path)?.unwrap_or_default();
    // A power failure can leave a partial line.
    let done = |line: &&str| {
        serde_json::from_str(line).ok().and_then(|line| step_of(&line)).is_some_and(|s| s <= step)
    };
    let kept: String = old.lines().filter(done).flat_map(|line| [line, "\n"]).collect();
    write_whole(path, kept.as_bytes())?;
    File::options().append(true).open(path).map_err(Error::io(path))
}

/// A line of `metrics.jsonl`. A value that is not a number in the file is read as NaN: JSON has no NaN, so NaN is
/// written as null.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The step, from 1.
    pub step: usize,
    /// The weighted sum of the terms.
    pub loss: f64,
    /// The terms before their weights.
    pub terms: Vec<(String, f64)>,
    /// The learning rate.
    pub learning_rate: f64,
    /// The norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Spearman x 100 on the development pairs, at the steps at which they were scored.
    pub development: Option<f64>,
}

impl Metrics {
    /// Reads the metrics of a run; empty if it has none.
    ///
    /// # Errors
    /// The file cannot be read, or a line is damaged.
    pub fn load(run: &RunFolder) -> Result<Vec<Self>> {
        let path = run.metrics();
        let Some(text) = text_of(&path)? else { return Ok(Vec::new()) };
        let line = |(index, line): (usize, &str)| {
            Self::parse(line).ok_or_else(|| {
                Error::run(
                    &path,
                    format!(
                        "line {}: not the metrics of a step; delete the folder to repeat the run",
                        index + 1
                    ),
                )
            })
        };
        text.lines().enumerate().map(line).collect()
    }

    /// The step of the last complete line of a run, which may still be running; `None` without metrics.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn last_step(run: &RunFolder) -> Result<Option<usize>> {
        let text = text_of(&run.metrics())?.unwrap_or_default();
        Ok(text.lines().rev().find_map(|line| step_of(&serde_json::from_str(line).ok()?)))
    }

    fn parse(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let terms = line["terms"].as_object().into_iter().flatten();
        Some(Self {
            step: step_of(&line)?,
            loss: number(&line["loss"]),
            terms: terms.map(|(name, value)| (name.clone(), number(value))).collect(),
            learning_rate: number(&line["learning_rate"]),
            gradient_norm: number(&line["gradient_norm"]),
            development: line.get("development_spearman").map(number),
        })
    }
}

fn step_of(line: &Value) -> Option<usize> {
    Some(line["step"].as_u64()? as usize)
}

/// The text of a file; `None` if it does not exist. A power failure can leave a partial character at the end.
fn text_of(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_a_damaged_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        assert!(Metrics::load(&run).unwrap().is_empty() && Metrics::last_step(&run).unwrap().is_none());
        let first = "{\"step\":1,\"loss\":null,\"terms\":{\"ami\":-0.5}}\n";
        std::fs::write(run.metrics(), first).unwrap();
        let lines = Metrics::load(&run).unwrap();
        assert!(lines[0].loss.is_nan() && lines[0].terms[0].1 == -0.5);
        std::fs::write(run.metrics(), format!("{first}{{\"step\"")).unwrap();
        assert_eq!(Metrics::last_step(&run).unwrap(), Some(1));
        let error = Metrics::load(&run).unwrap_err().to_string();
        assert!(error.contains("metrics.jsonl") && error.contains("line 2"), "{error}");
    }
}

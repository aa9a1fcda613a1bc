//! The process of one cell: the command `sweep-cell`, which a sweep runs for each of its cells. Schedulers can also run
//! it.

use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use micse_cli::exit::STOPPED;
use micse_cli::output::say;
use micse_report::{Failure, Grid};
use micse_train::{Event, Stop};
use serde::{Deserialize, Serialize};

use crate::cell::CellSpec;
use crate::file::SweepFile;
use crate::models;

/// The exit status of a cell's process if the disk is full: `EX_IOERR`.
pub(crate) const DISK_FULL: i32 = 74;

/// Run one cell of a sweep, as printed by sweep --launcher print
#[derive(Args, Debug)]
pub struct SweepCell {
    /// Sweep folder
    #[arg(long)]
    sweep: PathBuf,
    /// Folder of the cell, relative to the sweep folder
    #[arg(long)]
    cell: PathBuf,
    /// Print progress as JSON lines on standard output, and stop when standard input is closed
    #[arg(long, hide = true)]
    child: bool,
    /// Only check that the folder of a begun cell belongs to it
    #[arg(long, hide = true)]
    check: bool,
}

/// A progress line of a cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Line {
    /// The finished share of the cell's work, and the current activity.
    Progress { share: f64, doing: String },
    /// A notice for the user.
    Notice(String),
}

impl SweepCell {
    /// Runs the cell, or resumes it.
    ///
    /// # Errors
    /// The sweep has no such cell, or the cell fails.
    pub fn run(&self) -> Result<ExitCode> {
        let stop = Stop::on_signals()?;
        let file = SweepFile::load(&self.sweep)?;
        let planned =
            file.cells.iter().find(|planned| planned.cell.folder == self.cell).with_context(|| {
                format!("{}: no cell {}", self.sweep.join(Grid::FILE).display(), self.cell.display())
            })?;
        let (cell, spec) = (&planned.cell, &planned.spec);
        if self.child {
            stop_with_parent(stop.clone());
        }
        if self.check && !spec.run_folder().is_finished() {
            spec.check(&stop)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut lines = Lines::new(spec, self.child);
        let ended = spec.run(&stop, &mut |event| {
            // Training saves a checkpoint when it stops. Scoring and fitting have none, so the process can exit here.
            if stop.requested() && matches!(event, Event::Evaluating { .. } | Event::Fitting { .. }) {
                std::process::exit(STOPPED.into());
            }
            lines.tell(&event);
        });
        match ended {
            Ok(()) => {
                Failure::forget(&spec.run_folder())?;
                models::prune(&self.sweep, cell, spec.keep)?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) if matches!(error.downcast_ref(), Some(micse_train::Error::Stopped { .. })) => {
                Ok(ExitCode::from(STOPPED))
            }
            Err(error) => {
                if is_full(&error) {
                    say(format_args!("error: {error:#}"));
                    return Ok(ExitCode::from(DISK_FULL as u8));
                }
                if lasts(&error) {
                    Failure { reason: format!("{error:#}") }.save(&spec.run_folder())?;
                }
                Err(error)
            }
        }
    }
}

/// Whether the same command would fail again: training itself failed, not something external such as a full disk, a
/// missing file, or another run in the folder.
fn lasts(error: &anyhow::Error) -> bool {
    use micse_train::Error::{Evaluation, Loss, Post, Recipe, Tensor, Training};
    matches!(
        error.downcast_ref(),
        Some(Training { .. } | Recipe { .. } | Loss(_) | Post(_) | Evaluation(_) | Tensor(_))
    )
}

/// Whether the error's cause is a full disk or an exceeded quota.
fn is_full(error: &anyhow::Error) -> bool {
    let full = |e: &std::io::Error| matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    error.chain().any(|cause| cause.downcast_ref().is_some_and(full))
}

/// If the sweep dies, its cells stop: each ends after the current step, with a checkpoint.
fn stop_with_parent(stop: Stop) {
    std::thread::spawn(move || {
        // Nothing is ever sent: the read returns when the sweep closes the pipe or dies.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        stop.request();
    });
}

/// Writes progress: a few JSON lines per second for a sweep, occasional plain lines for logs.
struct Lines {
    json: bool,
    name: String,
    training: f64,
    steps: usize,
    last: Option<Instant>,
    pause: Duration,
}

impl Lines {
    fn new(spec: &CellSpec, json: bool) -> Self {
        let seconds = if json || std::io::stderr().is_terminal() { 0.2 } else { 30.0 };
        Self {
            json,
            name: spec.to_string(),
            training: spec.training_share(),
            steps: 0,
            last: None,
            pause: Duration::from_secs_f64(seconds),
        }
    }

    fn tell(&mut self, event: &Event) {
        let training = self.training;
        let line = match event {
            Event::Started { steps, .. } => {
                self.steps = *steps;
                return;
            }
            Event::Step(report) => Line::Progress {
                share: training * report.step as f64 / self.steps.max(1) as f64,
                doing: format!("step {}/{}, loss {:.3}", report.step, self.steps, report.loss),
            },
            Event::Fitting { step, steps, bits } => Line::Progress {
                share: training * *step as f64 / (*steps).max(1) as f64,
                doing: format!("fit {step}/{steps}, {bits:.3} bits per dimension"),
            },
            Event::Evaluating { done, total } => Line::Progress {
                share: training + (1.0 - training) * *done as f64 / (*total).max(1) as f64,
                doing: format!("scoring, {done}/{total} sentences"),
            },
            Event::Notice(text) => Line::Notice(text.clone()),
            _ => return,
        };
        if matches!(line, Line::Progress { .. }) && self.last.is_some_and(|last| last.elapsed() < self.pause)
        {
            return;
        }
        self.last = Some(Instant::now());
        // The run continues if the pipe is closed.
        let _ = match (self.json, &line) {
            (true, line) => serde_json::to_string(line)
                .map_err(std::io::Error::from)
                .and_then(|text| writeln!(std::io::stdout().lock(), "{text}")),
            (false, Line::Progress { doing, .. }) => {
                writeln!(std::io::stderr().lock(), "{}: {doing}", self.name)
            }
            (false, Line::Notice(text)) => {
                writeln!(std::io::stderr().lock(), "{}: notice: {text}", self.name)
            }
        };
    }
}

//! The progress of `micse train`.

use anyhow::Result;
use micse_cli::exit::STOPPED;
use micse_cli::output::quoted_path;
use micse_cli::progress::Progress;
use micse_cli::{Stopped, note, notice};

use super::Train;
use crate::adapt::{Adaptation, Before, Error as AdaptError};
use crate::files::{RunFolder, write_json};
use crate::train::{Error, Event, RunResult, Stop};

impl Train {
    /// Runs the training, and shows its progress.
    pub(super) fn watch(&self, adaptation: &Adaptation, before: &Before, stop: &Stop) -> Result<RunResult> {
        let mut progress = None;
        let mut kept = false;
        let done = adaptation.run(&self.out, before, stop, &mut |event| {
            if !kept {
                // At the first event, the folder is known to belong to this run.
                kept = true;
                self.keep_command();
            }
            match event {
                Event::Started { step, steps } => {
                    progress =
                        Some(Progress::new(Some(steps as u64), "steps").after(step as u64, step as u64));
                }
                Event::Step(report) => {
                    let step = report.step as u64;
                    if let Some(progress) = &mut progress {
                        progress.set(step, step, format!(", loss {:.3}", report.loss));
                    }
                }
                Event::Development { step, spearman } => {
                    say(progress.as_ref(), &format!("step {step}: development {spearman:.2}"));
                }
                Event::Fitting { step, steps, bits } => {
                    let fit =
                        progress.get_or_insert_with(|| Progress::new(Some(steps as u64), "steps of the fit"));
                    fit.set(step as u64, step as u64, format!(", {bits:.3} bits per dimension"));
                }
                Event::Evaluating { .. } | Event::Judging { .. } if stop.requested() => {
                    note("stopped while scoring; rerun the same command to resume");
                    std::process::exit(STOPPED.into());
                }
                Event::Evaluating { done: 0, total } => {
                    // Removes the old bar before the new one appears.
                    drop(progress.take());
                    progress = (total > 0).then(|| Progress::new(Some(total as u64), "sentences scored"));
                }
                Event::Judging { done: 0, total } => {
                    drop(progress.take());
                    progress = Some(Progress::new(Some(total as u64), "texts judged"));
                }
                Event::Evaluating { done, .. } | Event::Judging { done, .. } => {
                    if let Some(progress) = &mut progress {
                        progress.set(done as u64, done as u64, "");
                    }
                }
                Event::Notice(text) => say(progress.as_ref(), &format!("notice: {text}")),
                _ => {}
            }
        });
        drop(progress);
        done.map_err(|error| self.stopped(error))
    }

    /// What the command says of a run that did not end.
    pub(super) fn stopped(&self, error: AdaptError) -> anyhow::Error {
        let out = || quoted_path(&self.out).unwrap_or_else(|_| "OUT".into());
        match error {
            stopped @ AdaptError::Stopped => Stopped(stopped.to_string()).into(),
            AdaptError::Train(stopped @ Error::Stopped { .. }) => {
                Stopped(format!("{stopped}, or run: micse train --out {} --resume", out())).into()
            }
            other => other.into(),
        }
    }

    /// Records the command that started the run, for --resume. Failing to write it does not affect the run.
    fn keep_command(&self) {
        if let Err(error) = write_json(&RunFolder::new(&self.out).command(), self) {
            notice(format_args!("{error}; to resume this run, repeat the full command"));
        }
    }
}

fn say(progress: Option<&Progress>, line: &str) {
    match progress {
        Some(progress) => progress.say(line),
        None => note(line),
    }
}

//! Runs cells as processes on this machine, several at a time.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use micse_cli::exit::STOPPED;
use micse_cli::note;
use micse_report::Failure;
use micse_train::Stop;

use crate::cell::CellSpec;
use crate::memory::Budget;
use crate::process::{DISK_FULL, Line};
use crate::progress::Progress;

/// The exit status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// A failed cell, and the reason.
pub(crate) type Failed = (String, String);

/// How the cells of a sweep ended.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) failed: Vec<Failed>,
    /// Whether the sweep was stopped before all cells were done.
    pub(crate) stopped: bool,
}

/// Where and how cells run.
pub(crate) struct Pool<'a> {
    pub(crate) sweep: &'a Path,
    pub(crate) jobs: usize,
    pub(crate) budget: Budget,
    pub(crate) stop: &'a Stop,
    pub(crate) retry_failed: bool,
}

/// How one cell's process ended.
enum End {
    Done,
    Stopped,
    Failed(String),
    /// The disk was full.
    Full(String),
}

impl Pool<'_> {
    /// Checks that every begun or finished cell belongs to this sweep. Returns false if a request to stop ended the check.
    pub(crate) fn check(&self, cells: &[CellSpec]) -> Result<bool> {
        let (done, open): (Vec<&CellSpec>, Vec<&CellSpec>) =
            cells.iter().partition(|cell| cell.run_folder().is_finished());
        if !done.is_empty() {
            note(format_args!("{} of {} cells are already done", done.len(), cells.len()));
        }
        let begun = open.into_iter().filter(|cell| cell.run_folder().is_begun());
        let claimed: Vec<&CellSpec> = done.iter().copied().chain(begun).collect();
        if claimed.is_empty() {
            return Ok(true);
        }
        let checked = self.work(&claimed, None)?;
        match checked.failed.first() {
            Some((cell, reason)) => bail!("{cell}: {reason}"),
            None => Ok(!checked.stopped),
        }
    }

    /// Runs the cells without a result.
    pub(crate) fn run(&self, cells: &[CellSpec]) -> Result<Ended> {
        let open: Vec<&CellSpec> = cells.iter().filter(|cell| !cell.run_folder().is_finished()).collect();
        let mut failed = Vec::new();
        let mut ready = Vec::new();
        for cell in open {
            match cell.failure()? {
                Some(failure) if !self.retry_failed => failed.push((cell.to_string(), failure.reason)),
                _ => {
                    Failure::forget(&cell.run_folder())?;
                    ready.push(cell);
                }
            }
        }
        if !failed.is_empty() {
            note(format_args!(
                "skipping {} cells that failed before; --retry-failed retries them",
                failed.len()
            ));
        }
        if ready.is_empty() {
            return Ok(Ended { failed, stopped: false });
        }
        let progress = Progress::new(&ready, self.jobs);
        let mut ended = self.work(&ready, Some(&progress))?;
        progress.close(ended.stopped);
        failed.append(&mut ended.failed);
        Ok(Ended { failed, stopped: ended.stopped })
    }

    /// Starts a process for each cell. Without `progress`, a process only compares the cell's folder with its
    /// specification.
    fn work(&self, cells: &[&CellSpec], progress: Option<&Progress>) -> Result<Ended> {
        let threads = (micse_model::threads() / self.jobs).max(1);
        let executable = this_program()?;
        let running: Vec<Mutex<Option<ChildStdin>>> = (0..self.jobs).map(|_| Mutex::new(None)).collect();
        let (next, ended, finished) = (Mutex::new(0), Mutex::new(Ended::default()), AtomicBool::new(false));
        // With a full disk every cell would fail, so no more are started.
        let full = AtomicBool::new(false);
        let take = || {
            let mut next = next.lock().ok()?;
            let halted = self.stop.requested() || full.load(Ordering::SeqCst);
            let cell = cells.get(*next).filter(|_| !halted)?;
            // Cells wait for memory in order, so that a large one is not passed over forever.
            let memory = self.budget.take(cell, self.stop)?;
            *next += 1;
            Some((*cell, memory))
        };
        let panicked = std::thread::scope(|scope| {
            scope.spawn(|| self.pass_on_the_signal(&running, &finished));
            let workers: Vec<_> = running
                .iter()
                .enumerate()
                .map(|(slot, input)| {
                    let (take, executable, ended, full) = (&take, &executable, &ended, &full);
                    scope.spawn(move || {
                        while let Some((cell, memory)) = take() {
                            let name = cell.to_string();
                            if let Some(p) = progress {
                                p.start(slot, cell);
                            }
                            let tell = |line| {
                                if let Some(p) = progress {
                                    p.tell(slot, line);
                                }
                            };
                            let mut child = self.command(executable, cell, threads);
                            if progress.is_none() {
                                child.arg("--check");
                            }
                            let end = self
                                .run_cell(child, cell, input, &tell)
                                .unwrap_or_else(|error| End::Failed(format!("{error:#}")));
                            drop(memory);
                            if let Some(p) = progress {
                                match &end {
                                    End::Done => p.finish(slot, "done"),
                                    End::Stopped => p.finish(slot, "stopped"),
                                    End::Failed(_) | End::Full(_) => p.finish(slot, "FAILED"),
                                }
                            }
                            if let Ok(mut ended) = ended.lock() {
                                match end {
                                    End::Done => {}
                                    End::Stopped => ended.stopped = true,
                                    End::Failed(reason) => ended.failed.push((name, reason)),
                                    End::Full(reason) => {
                                        full.store(true, Ordering::SeqCst);
                                        ended.failed.push((name, reason));
                                    }
                                }
                            }
                        }
                    })
                })
                .collect();
            let panicked = workers.into_iter().filter_map(|worker| worker.join().err()).count();
            finished.store(true, Ordering::SeqCst);
            panicked
        });
        if panicked > 0 {
            bail!("{panicked} workers of the sweep panicked; rerun the same command");
        }
        let mut ended = ended
            .into_inner()
            .map_err(|_| anyhow::anyhow!("a worker of the sweep panicked; rerun the same command"))?;
        ended.stopped |= self.stop.requested();
        Ok(ended)
    }

    /// Forwards a request to stop to the cells' processes, by closing their standard input.
    fn pass_on_the_signal(&self, running: &[Mutex<Option<ChildStdin>>], finished: &AtomicBool) {
        while !finished.load(Ordering::SeqCst) {
            if self.stop.requested() {
                for input in running {
                    set(input, None);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The command of a cell's process.
    fn command(&self, executable: &Path, cell: &CellSpec, threads: usize) -> Command {
        let mut command = Command::new(executable);
        let folder = cell.folder.strip_prefix(self.sweep).unwrap_or(&cell.folder);
        command.args(["sweep-cell", "--child", "--sweep"]).arg(self.sweep).arg("--cell").arg(folder);
        command.env(micse_model::THREADS_VARIABLE, threads.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run_cell(
        &self,
        mut command: Command,
        cell: &CellSpec,
        input: &Mutex<Option<ChildStdin>>,
        tell: &dyn Fn(Line),
    ) -> Result<End> {
        let mut child = command.spawn().context("cannot start a cell's process")?;
        set(input, child.stdin.take());
        let (status, errors) = follow(child, tell)?;
        set(input, None);
        let errors = errors.trim();
        if status.success() {
            for line in errors.lines() {
                tell(Line::Notice(line.trim().trim_start_matches("WARN ").to_owned()));
            }
            return Ok(End::Done);
        }
        if status.code() == Some(STOPPED.into()) || (status.code().is_none() && self.stop.requested()) {
            return Ok(End::Stopped);
        }
        let reason = errors.strip_prefix("error: ").unwrap_or(errors).to_owned();
        Ok(match status.code() {
            Some(DISK_FULL) => End::Full(reason),
            Some(PANICKED) => {
                let failure = Failure { reason: format!("its process panicked: {reason}") };
                failure.save(&cell.run_folder())?;
                End::Failed(failure.reason)
            }
            Some(_) if !reason.is_empty() => End::Failed(reason),
            // The system ended it. This is not recorded, because a retry may succeed.
            _ => End::Failed(format!(
                "its process ended with {status}; if memory ran out, use fewer --jobs or a smaller --chunk"
            )),
        })
    }
}

/// This program as it was when it started, so that a build in the meantime does not affect later cells.
fn this_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("cannot find this program's file")
}

fn set(input: &Mutex<Option<ChildStdin>>, to: Option<ChildStdin>) {
    if let Ok(mut input) = input.lock() {
        *input = to;
    }
}

/// Reads the output of a cell's process until it ends. On an error the process is killed, because its share of memory
/// is released to other cells.
fn follow(mut child: Child, tell: &dyn Fn(Line)) -> Result<(ExitStatus, String)> {
    let followed = listen(&mut child, tell);
    if followed.is_err() {
        // It may already have ended.
        let _ = child.kill().and_then(|()| child.wait());
    }
    followed
}

fn listen(child: &mut Child, tell: &dyn Fn(Line)) -> Result<(ExitStatus, String)> {
    let mut errors = child.stderr.take().context("a cell's standard error")?;
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        // If reading fails, the text so far is the best available description of a failure.
        let _ = errors.read_to_string(&mut text);
        text
    });
    for line in BufReader::new(child.stdout.take().context("a cell's standard output")?).lines() {
        if let Ok(line) = serde_json::from_str(&line?) {
            tell(line);
        }
    }
    let status = child.wait()?;
    Ok((status, errors.join().unwrap_or_default()))
}

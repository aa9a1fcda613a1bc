//! Runs cells in processes, some at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use super::cell::{CellSpec, Line};
use super::progress::Progress;

/// A cell that failed, and why.
pub(super) type Failure = (String, String);

/// Checks that every finished cell is of this sweep, then runs the others. Returns those that failed.
pub(super) fn run(cells: &[CellSpec], jobs: usize) -> Result<Vec<Failure>> {
    let (done, open): (Vec<&CellSpec>, Vec<&CellSpec>) =
        cells.iter().partition(|cell| cell.result().is_file());
    if !done.is_empty() {
        eprintln!("{} of {} cells are done already", done.len(), cells.len());
        // A finished cell's process compares its folder with what is asked for, and ends.
        let foreign = work(&done, jobs, None)?;
        if let Some((cell, reason)) = foreign.first() {
            bail!("{cell}: {reason}");
        }
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let progress = Progress::new(open.len(), jobs);
    let failures = work(&open, jobs, Some(&progress))?;
    progress.close();
    Ok(failures)
}

fn work(cells: &[&CellSpec], jobs: usize, progress: Option<&Progress>) -> Result<Vec<Failure>> {
    let threads = (micse_model::threads() / jobs).max(1);
    let executable = std::env::current_exe().context("where this program lies")?;
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for slot in 0..jobs.min(cells.len()) {
            let (next, failures, executable) = (&next, &failures, &executable);
            scope.spawn(move || {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = cell.to_string();
                    if let Some(p) = progress {
                        p.start(slot, &name);
                    }
                    let tell = |line| {
                        if let Some(p) = progress {
                            p.tell(slot, line);
                        }
                    };
                    let ended = run_cell(executable, cell, threads, &tell);
                    if let Some(p) = progress {
                        p.finish(slot, &name, ended.is_ok());
                    }
                    if let (Err(reason), Ok(mut failures)) = (ended, failures.lock()) {
                        failures.push((name, format!("{reason:#}")));
                    }
                }
            });
        }
    });
    failures.into_inner().map_err(|_| anyhow::anyhow!("a worker of the sweep panicked"))
}

fn run_cell(
    executable: &std::path::Path,
    cell: &CellSpec,
    threads: usize,
    tell: &dyn Fn(Line),
) -> Result<()> {
    let mut child = Command::new(executable)
        .arg("sweep-cell")
        .env(micse_model::THREADS_VARIABLE, threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("a cell's process cannot be started")?;
    let description = serde_json::to_vec(cell)?;
    child.stdin.take().context("a cell's standard input")?.write_all(&description)?;
    let mut errors = child.stderr.take().context("a cell's standard error")?;
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        // Whatever could be read is the best account of a failure that there is.
        let _ = errors.read_to_string(&mut text);
        text
    });
    for line in BufReader::new(child.stdout.take().context("a cell's standard output")?).lines() {
        if let Ok(line) = serde_json::from_str(&line?) {
            tell(line);
        }
    }
    let status = child.wait()?;
    let errors = errors.join().unwrap_or_default();
    let errors = errors.trim();
    if !status.success() {
        let reason = errors.strip_prefix("error: ").unwrap_or(errors);
        bail!(
            "{}",
            if reason.is_empty() { format!("its process ended with {status}") } else { reason.to_owned() }
        );
    }
    for line in errors.lines() {
        tell(Line::Notice(line.trim().trim_start_matches("WARN ").to_owned()));
    }
    Ok(())
}

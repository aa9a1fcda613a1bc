//! Runs cells in processes, some at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use super::cell::{CellSpec, Line};
use super::progress::Progress;

/// Runs every cell that has no result yet. Returns the cells that failed, with their reasons.
pub(super) fn run(cells: &[CellSpec], jobs: usize) -> Result<Vec<(String, String)>> {
    let open: Vec<&CellSpec> = cells.iter().filter(|cell| !cell.result().is_file()).collect();
    let done = cells.len() - open.len();
    if done > 0 {
        eprintln!("{done} of {} cells are done already", cells.len());
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (cores / jobs).max(1);
    let executable = std::env::current_exe().context("where this program lies")?;
    let progress = Progress::new(open.len(), jobs);
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for slot in 0..jobs.min(open.len()) {
            let (open, next, failures, progress, executable) =
                (&open, &next, &failures, &progress, &executable);
            scope.spawn(move || {
                while let Some(cell) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                    progress.start(slot, &cell.to_string());
                    match run_cell(executable, cell, threads, &|line| progress.tell(slot, line)) {
                        Ok(()) => progress.finish(slot, &cell.to_string(), true),
                        Err(reason) => {
                            progress.finish(slot, &cell.to_string(), false);
                            if let Ok(mut failures) = failures.lock() {
                                failures.push((cell.to_string(), format!("{reason:#}")));
                            }
                        }
                    }
                }
            });
        }
    });
    progress.close();
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
        .env("RAYON_NUM_THREADS", threads.to_string())
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
    if !errors.is_empty() {
        tell(Line::Notice(errors.to_owned()));
    }
    Ok(())
}

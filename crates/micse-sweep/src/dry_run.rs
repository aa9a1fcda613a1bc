//! `--dry-run`: the cells of a sweep, their memory, and an estimate of their time on this machine.
//!
use std::time::Duration;

use anyhow::Result;
use micse_cli::progress::duration;
use micse_cli::{note, print, print_json};
use micse_model::Compute;
use micse_report::Sheet;
use serde::Serialize;

use crate::cell::{CellSpec, Work};
use crate::clock::Clock;
use crate::memory::estimate;
use crate::plan::Plan;

/// The unfinished cells of one method and size.
#[derive(Serialize)]
struct Row {
    method: String,
    size: Option<String>,
    cells: usize,
    steps: usize,
    batch_size: usize,
    mebibytes: u64,
    /// Estimated, with all threads.
    seconds_per_cell: f64,
}

#[derive(Serialize)]
struct Totals<'a> {
    rows: &'a [Row],
    cells: usize,
    finished: usize,
    /// Cells that failed before, which only `--retry-failed` runs again.
    failed: usize,
    steps: usize,
    seconds: f64,
}

/// Prints the table.
pub(crate) fn print_plan(plan: &Plan, compute: &Compute, retry_failed: bool, json: bool) -> Result<()> {
    let (mut open, mut failed): (Vec<&CellSpec>, usize) = (Vec::new(), 0);
    for cell in plan.cells.iter().filter(|cell| !cell.run_folder().is_finished()) {
        if !retry_failed && cell.failure()?.is_some() {
            failed += 1;
        } else {
            open.push(cell);
        }
    }
    let mut clock = Clock::new(compute);
    let mut rows: Vec<Row> = Vec::new();
    for cell in &open {
        let (method, size) = match &cell.work {
            Work::Untrained { method, .. } | Work::Vectors { method, .. } => (method.clone(), None),
            Work::Train { recipe, size, .. } => (recipe.name.clone(), Some(size.to_string())),
        };
        if let Some(row) = rows.iter_mut().find(|row| row.method == method && row.size == size) {
            row.cells += 1;
            continue;
        }
        let recipe = cell.recipe();
        rows.push(Row {
            method,
            size,
            cells: 1,
            steps: recipe.map_or(0, |recipe| recipe.steps),
            batch_size: recipe.and_then(|r| r.optimizer.as_ref()).map_or(0, |optimizer| optimizer.batch_size),
            mebibytes: estimate(cell)? >> 20,
            seconds_per_cell: clock.seconds(cell)?,
        });
    }
    let of_all = |of: &dyn Fn(&Row) -> f64| rows.iter().map(|row| row.cells as f64 * of(row)).sum::<f64>();
    let totals = Totals {
        rows: &rows,
        cells: open.len(),
        finished: plan.cells.len() - open.len() - failed,
        failed,
        steps: of_all(&|row| row.steps as f64) as usize,
        seconds: of_all(&|row| row.seconds_per_cell),
    };
    if json {
        return print_json(&totals);
    }
    print(sheet(plan, &totals).text().trim_end())?;
    note(format_args!(
        "dry run: {} would take about {} on this machine, {} at a time",
        work(totals.cells, totals.steps),
        span(totals.seconds),
        plan.jobs
    ));
    Ok(())
}

fn sheet(plan: &Plan, totals: &Totals<'_>) -> Sheet {
    let header = ["method", "size", "cells", "steps", "batch", "MiB", "time per cell"];
    let or_dash = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
    let row = |row: &Row| {
        vec![
            row.method.clone(),
            row.size.clone().unwrap_or_else(|| "-".into()),
            row.cells.to_string(),
            or_dash(row.steps),
            or_dash(row.batch_size),
            row.mebibytes.to_string(),
            span(row.seconds_per_cell),
        ]
    };
    let mut notes = vec![
        "MiB: the memory of one cell, estimated".to_owned(),
        format!(
            "time per cell: estimated for one cell with all {} threads, from the time that its encoder takes for a few \
             sentences; other programs on the machine make it longer",
            micse_model::threads()
        ),
    ];
    if totals.finished > 0 {
        notes.push(format!("{} finished cells are not listed", totals.finished));
    }
    if totals.failed > 0 {
        notes.push(format!(
            "{} cells that failed before are not listed; --retry-failed runs them again",
            totals.failed
        ));
    }
    Sheet {
        title: format!("Cells of {} without a result", plan.preset),
        header: header.map(str::to_owned).to_vec(),
        rows: totals.rows.iter().map(row).collect(),
        notes,
    }
}

/// `1 cell`, `20 cells with 4000 optimizer steps`.
fn work(cells: usize, steps: usize) -> String {
    let cells = if cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") };
    if steps == 0 { cells } else { format!("{cells} with {steps} optimizer steps") }
}

/// `3 days 4 h` for long times, else as progress lines show times.
fn span(seconds: f64) -> String {
    let hours = (seconds / 3600.0).round() as u64;
    match hours {
        0..=47 => duration(Duration::from_secs_f64(seconds.max(1.0))),
        _ => format!("{} days {} h", hours / 24, hours % 24),
    }
}

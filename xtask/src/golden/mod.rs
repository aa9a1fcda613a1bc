//! `cargo xtask golden DIR`: recomputes a folder of reference values and prints the largest error of every
//! tensor.
//!
//! The error of a tensor is `max|a - b| / max(max|b|, floor)`. The floor prevents tensors that are zero up to
//! rounding (key biases) from being judged by their noise. For gradients it is a thousandth of the largest gradient
//! entry in the file; for activations that are all zero it is 1. Tolerances: 1e-5 for activations and losses, 1e-4
//! for gradients.

mod bert;
mod e2e;
mod fixture;
mod losses;
mod optim;
mod stats;
mod tokenizer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use micse_cli::options::EngineOptions;
use micse_cli::{print, print_json};
use micse_model::Compute;
use serde::Serialize;

/// Recompute reference values; exit with 1 if any is out of tolerance
#[derive(Args)]
pub(crate) struct Golden {
    /// Folder with any of bert/, losses/, e2e/, optim/, stats/, tokenizer/
    dir: PathBuf,
    #[command(flatten)]
    engine: EngineOptions,
    /// Print every tensor, not only the worst tensor of each file
    #[arg(long)]
    all: bool,
}

/// Tolerance for activations and losses.
const VALUE: f64 = 1e-5;
/// Tolerance for gradients.
const GRADIENT: f64 = 1e-4;

/// One compared tensor.
#[derive(Serialize)]
struct Check {
    file: &'static str,
    tensor: String,
    entries: usize,
    error: f64,
    tolerance: f64,
}

impl Check {
    /// The error as a share of the tolerance.
    fn share(&self) -> f64 {
        if self.error == 0.0 { 0.0 } else { self.error / self.tolerance }
    }

    fn failed(&self) -> bool {
        self.error > self.tolerance
    }
}

/// Recomputes one part of the folder.
type Part = fn(&Path, &Compute, &mut Report) -> Result<()>;

/// All comparisons so far.
#[derive(Default)]
struct Report {
    checks: Vec<Check>,
    skipped: Vec<String>,
}

impl Report {
    /// Compares computed entries with reference entries, by the error measure of this module.
    fn compare(
        &mut self,
        file: &'static str,
        tensor: &str,
        got: &[f64],
        want: &[f64],
        floor: f64,
        tolerance: f64,
    ) {
        let largest = want.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
        let scale = if largest == 0.0 && floor == 0.0 { 1.0 } else { largest.max(floor) };
        // A NaN or a missing entry must fail, so it counts as an infinite error.
        let error = if got.len() == want.len() {
            got.iter()
                .zip(want)
                .map(|(g, w)| (g - w).abs())
                .fold(0.0_f64, |m, e| if e.is_nan() { f64::INFINITY } else { m.max(e) })
        } else {
            f64::INFINITY
        };
        self.checks.push(Check {
            file,
            tensor: tensor.into(),
            entries: want.len(),
            error: error / scale,
            tolerance,
        });
    }

    /// Compares a value: an activation or a loss.
    fn value(&mut self, file: &'static str, tensor: &str, got: &[f64], want: &[f64]) {
        self.compare(file, tensor, got, want, 0.0, VALUE);
    }
}

impl Golden {
    pub(crate) fn run(&self, as_json: bool) -> Result<ExitCode> {
        ensure!(self.dir.is_dir(), "{}: no such folder of reference values", self.dir.display());
        let compute = self.engine.start("cpu")?;
        let mut report = Report::default();
        let parts: [(&str, Part); 6] = [
            ("bert", bert::check),
            ("losses", |dir, _, report| losses::check(dir, report)),
            ("e2e", e2e::check),
            ("optim", |dir, _, report| optim::check(dir, report)),
            ("stats", |dir, _, report| stats::check(dir, report)),
            ("tokenizer", |dir, _, report| tokenizer::check(dir, report)),
        ];
        for (name, check) in parts {
            if self.dir.join(name).is_dir() {
                check(&self.dir, &compute, &mut report)?;
            } else {
                report.skipped.push(format!("{name}/: not in this folder"));
            }
        }
        ensure!(
            !report.checks.is_empty(),
            "{}: no reference files in this folder; pass tests/fixtures/golden",
            self.dir.display()
        );
        let failed = report.checks.iter().filter(|c| c.failed()).count();
        if as_json {
            print_json(&report.checks)?;
            return Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        self.print(&report)?;
        if failed > 0 {
            bail!("{failed} of {} tensors are out of tolerance", report.checks.len());
        }
        print(&format!(
            "all {} tensors are within tolerance ({} engine, {})",
            report.checks.len(),
            compute.engine,
            compute.precision
        ))?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, report: &Report) -> Result<()> {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["file", "tensor", "entries", "error", "tolerance", ""]);
        let worst = |file: &str| {
            let of_file = report.checks.iter().enumerate().filter(|(_, c)| c.file == file);
            of_file.max_by(|a, b| a.1.share().total_cmp(&b.1.share())).map(|(i, _)| i)
        };
        for (i, check) in report.checks.iter().enumerate() {
            if self.all || check.failed() || worst(check.file) == Some(i) {
                table.add_row([
                    check.file.to_owned(),
                    check.tensor.clone(),
                    check.entries.to_string(),
                    format!("{:.1e}", check.error),
                    format!("{:.0e}", check.tolerance),
                    if check.failed() { "FAILED".to_owned() } else { String::new() },
                ]);
            }
        }
        for column in 2..=4 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        print(&table.to_string())?;
        if !self.all {
            print("(the worst tensor of each file; --all prints every tensor)")?;
        }
        report.skipped.iter().try_for_each(|line| print(&format!("skipped: {line}")))
    }
}

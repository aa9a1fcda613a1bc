//! The command `report`: writes the page of a sweep.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use micse_cli::options::ComputeOptions;
use micse_cli::{note, print, print_json};
use micse_data::Locator;
use micse_figures::{Figure, Subject};
use micse_model::Compute;
use micse_report::ComparedCell;
use serde::Serialize;

use crate::figures::{Comparison, load_model};

/// Write the report of a sweep: report.html, and its figures as files
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse report runs/demo")]
pub struct Report {
    /// Sweep folder; results may be missing
    folder: PathBuf,
    /// Row to compare the others with, or method whose row at the same values of the axes is used [default: simcse-baseline
    /// or simcse, else the first row without training]
    #[arg(long, value_name = "METHOD")]
    baseline: Option<String>,
    #[command(flatten)]
    what: Comparison,
    #[command(flatten, next_help_heading = "Computation")]
    compute: ComputeOptions,
}

#[derive(Serialize)]
struct Written {
    page: PathBuf,
    figures: usize,
    cells: usize,
    missing: usize,
}

impl Report {
    /// Writes the page. The exit status is 1 if cells have no result.
    ///
    /// # Errors
    /// The folder is not a sweep folder, or cannot be written.
    pub fn run(&self, json: bool) -> Result<ExitCode> {
        // Before anything computes: threads start only once.
        let compute = self.compute.start()?;
        let mut compare = |cells: &[ComparedCell; 2]| self.compare(cells, &compute).map_err(Into::into);
        let report = micse_report::write_report_with(&self.folder, self.baseline.as_deref(), &mut compare)?;
        if json {
            print_json(&Written {
                page: report.page,
                figures: report.pictures.len(),
                cells: report.cells,
                missing: report.missing,
            })?;
        } else {
            print(&report.page.display().to_string())?;
            note(format_args!(
                "wrote {} figures as {} to {}",
                report.pictures.len(),
                if report.png { "SVG and PNG" } else { "SVG (PNG needs a build with the feature `png`)" },
                self.folder.join("figures").display()
            ));
        }
        if report.missing == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        note(format_args!(
            "{} of {} cells have no result; `sweep status` shows why",
            report.missing, report.cells
        ));
        Ok(ExitCode::FAILURE)
    }

    /// The figures that need the models of two cells.
    fn compare(&self, cells: &[ComparedCell; 2], compute: &Compute) -> Result<Vec<Figure>> {
        let load = |cell: &ComparedCell| load_model(&cell.run.finished_model()?, compute);
        let models = [load(&cells[0])?, load(&cells[1])?];
        let subjects = [0, 1].map(|i| Subject { name: &cells[i].method, model: &models[i] });
        self.what.inputs(&Locator::from_env()?)?.figures(subjects)
    }
}

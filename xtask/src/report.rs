//! `cargo xtask report`: turns a sweep folder into one page with figures.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

/// Write report.html and its figures (SVG and PNG) for a sweep
#[derive(Args)]
pub(crate) struct Report {
    /// Sweep folder; cells may still be missing
    folder: PathBuf,
    /// Method or row to compare against [default: simcse, or the first row without training]
    #[arg(long)]
    baseline: Option<String>,
}

impl Report {
    pub(crate) fn run(&self) -> Result<()> {
        let report = micse_report::write_report(&self.folder, self.baseline.as_deref())?;
        println!("{}", report.page.display());
        eprintln!(
            "wrote {} figures (SVG and PNG) to {}",
            report.pictures.len(),
            self.folder.join("figures").display()
        );
        Ok(())
    }
}

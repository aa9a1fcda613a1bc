//! `cargo xtask report`: a sweep's folder as one page, with its pictures.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

/// Write a sweep's `report.html`, and its pictures as SVG and PNG
#[derive(Args)]
pub(crate) struct Report {
    /// The folder that `cargo xtask sweep` wrote; cells may still be missing
    folder: PathBuf,
    /// The method or row that differences are against [default: simcse, or the first row without training]
    #[arg(long)]
    baseline: Option<String>,
}

impl Report {
    pub(crate) fn run(&self) -> Result<()> {
        let report = micse_report::write_report(&self.folder, self.baseline.as_deref())?;
        println!("{}", report.page.display());
        eprintln!(
            "{} pictures as SVG and PNG are in {}",
            report.pictures.len(),
            self.folder.join("figures").display()
        );
        Ok(())
    }
}

//! Turns a sweep folder into tables, comparisons and a report page.
//!
//! [`Grid`] (`sweep.json`) lists the cells of a sweep; each cell's `result.json` contains its scores.
//! [`Results::collect`] reads the finished cells into data frames, [`Comparisons`] compares every method with one
//! baseline, [`Tables`] formats the tables, and [`write_report`] writes the page with figures. [`write_figures`] draws the
//! comparison of any two models.
//!
//! ```
//! use micse_report::{Grid, GridCell, Results};
//!
//! let folder = tempfile::tempdir()?;
//! let cell = GridCell {
//!     folder: "cells/simcse/1000/seed-48".into(),
//!     method: "simcse".into(),
//!     size: Some("1000".into()),
//!     seed: Some(48),
//!     ..GridCell::default()
//! };
//! let settings = "settings: the recipes' own".into();
//! let grid = Grid { preset: "mine".into(), settings, cells: vec![cell], ..Grid::default() };
//! grid.save(folder.path())?;
//!
//! // No cell has run yet, so this one is a hole in the tables.
//! let results = Results::collect(folder.path(), &Grid::load(folder.path())?)?;
//! assert_eq!((results.cells.len(), results.holes.len()), (0, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod against;
mod axes;
mod chart;
mod comparison;
mod error;
mod failure;
mod grid;
mod page;
mod paper;
mod provenance;
mod results;
mod scores;
mod sheets;
mod tables;

pub use against::Against;
pub use comparison::{Comparison, Comparisons, RESAMPLES, SIGNIFICANCE, Setup, USUAL_BASELINES};
pub use error::{Error, Result};
pub use failure::Failure;
pub use grid::{Grid, GridCell};
pub use page::{
    Compare, ComparedCell, FiguresPage, Report, check_figures_folder, write_figures, write_report,
    write_report_with,
};
pub use paper::{Figure, Paper};
pub use results::{AVERAGE, FinishedCell, Hole, Method, Results};
pub use scores::SummaryRow;
pub use tables::{Sheet, TableOptions, Tables};

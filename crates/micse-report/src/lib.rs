//! From the folder of a sweep to what a person reads.
//!
//! A sweep is a folder: [`Grid`] (`sweep.json`) lists its cells, each cell's `result.json` has its scores.
//! [`Results::collect`] reads those that stand into data frames, [`Comparisons`] holds every method against one
//! baseline, [`write_tables`] writes the tables.

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

pub use comparison::{Comparison, Comparisons, RESAMPLES, SIGNIFICANCE, USUAL_BASELINE};
pub use error::{Error, Result};
pub use failure::Failure;
pub use grid::{Grid, GridCell};
pub use page::{Report, write_report};
pub use paper::{Figure, Paper};
pub use results::{AVERAGE, FinishedCell, Hole, Method, Results};
pub use tables::{Sheet, TableOptions, write_tables};

//! From the folder of a sweep to what a person reads.
//!
//! A sweep is a folder: [`Grid`] (`sweep.json`) lists its cells, each cell's `result.json` has its scores.
//! [`Results::collect`] reads those that stand into data frames, [`write_tables`] writes the tables.

mod error;
mod grid;
mod results;
mod sheets;
mod tables;

pub use error::{Error, Result};
pub use grid::{Grid, GridCell};
pub use results::{AVERAGE, Method, Results};
pub use tables::{Sheet, write_tables};

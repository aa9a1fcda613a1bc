//! The command `micse` inside Python's process.

use std::ffi::OsString;
use std::process::ExitCode;

use pyo3::prelude::*;

/// Runs the command `micse` on these arguments, the first of which is its name; returns its exit status.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let status = py.detach(|| micse::cli::run_with(arguments));
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == status).unwrap_or(1)
}

//! The extension module `micse._micse`: what the Python package `micse` computes.
//!
//! Each function releases the interpreter's lock while it works, and computes in the pool of `threads`. The package
//! in `python/micse` gives it the names and arguments of sentence-transformers, and documents it.

// pyo3 hands arguments over as owned values.
#![allow(clippy::needless_pass_by_value)]

mod arrays;
mod command;
mod encoding;
mod errors;
mod logging;
mod losses;
mod model;
mod scores;
mod search;
mod text;
mod threads;
mod train;
mod work;

/// What `micse` computes.
#[pyo3::pymodule]
mod _micse {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::command::main;
    #[pymodule_export]
    use crate::errors::Error;
    #[pymodule_export]
    use crate::losses::{ami, info_nce};
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::scores::{evaluate, judge};
    #[pymodule_export]
    use crate::search::search;
    #[pymodule_export]
    use crate::text::demo_sentences;
    #[pymodule_export]
    use crate::threads::{num_threads, set_num_threads};
    #[pymodule_export]
    use crate::train::train;

    /// Adds the version.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

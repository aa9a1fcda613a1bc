//! Errors as Python exceptions with the text of the command.

use std::fmt::Display;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    micse,
    Error,
    PyException,
    "A model, a file or a setting that micse cannot use; the text says which, and what to do."
);

/// An error and its causes in one text. A cause that the text already contains is omitted.
pub(crate) fn raise(error: impl Into<anyhow::Error>) -> PyErr {
    let error = error.into();
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    Error::new_err(text)
}

/// An error that this module found itself.
pub(crate) fn refuse(text: impl Display) -> PyErr {
    Error::new_err(text.to_string())
}

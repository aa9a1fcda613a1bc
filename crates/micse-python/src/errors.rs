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

/// The most causes of an exception that are followed: they may form a ring.
const MOST_CAUSES: usize = 100;

/// An exception, caused by an error of the work that it ended: without it, nobody would learn of the error. An exception
/// that has causes of its own keeps them; the error is then the first of them all.
pub(crate) fn caused_by(py: Python<'_>, exception: PyErr, error: PyErr) -> PyErr {
    let mut first = exception.clone_ref(py);
    for _ in 0..MOST_CAUSES {
        let Some(earlier) = cause(py, &first) else { break };
        first = earlier;
    }
    first.set_cause(py, Some(error));
    exception
}

/// The exception that a traceback shows before this one.
fn cause(py: Python<'_>, exception: &PyErr) -> Option<PyErr> {
    let value = exception.value(py);
    let attribute = |name| value.getattr(name).ok().filter(|found| !found.is_none());
    let hidden = || attribute("__suppress_context__").is_some_and(|flag| flag.is_truthy().unwrap_or(false));
    exception.cause(py).or_else(|| attribute("__context__").filter(|_| !hidden()).map(PyErr::from_value))
}

/// An error that this module found itself.
pub(crate) fn refuse(text: impl Display) -> PyErr {
    Error::new_err(text.to_string())
}

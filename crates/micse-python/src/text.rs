//! Sentences from Python objects.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

/// The texts of a list.
///
/// Errors name the position of an element that is not a text.
pub(crate) fn texts(list: &Bound<'_, PyList>) -> PyResult<Vec<String>> {
    (0..list.len()).map(|i| text_at(list, i)).collect()
}

/// The text at a position of a list.
pub(crate) fn text_at(list: &Bound<'_, PyList>, i: usize) -> PyResult<String> {
    text(&list.get_item(i)?).map_err(|error| error.at(i))
}

/// Why an object is not a text.
struct NoText {
    /// What it is, as the predicate of a sentence.
    is: String,
    remedy: &'static str,
    /// Whether it has the type of a text.
    is_string: bool,
}

impl NoText {
    fn at(self, i: usize) -> PyErr {
        let message = format!("sentence {i} {}; {}", self.is, self.remedy);
        if self.is_string { PyValueError::new_err(message) } else { PyTypeError::new_err(message) }
    }
}

fn text(item: &Bound<'_, PyAny>) -> Result<String, NoText> {
    let no = |is: String, remedy| NoText { is, remedy, is_string: false };
    if let Ok(string) = item.cast::<PyString>() {
        return string.to_cow().map(std::borrow::Cow::into_owned).map_err(|_| NoText {
            is: "contains a lone surrogate, which is no character".to_owned(),
            remedy: "clean it, for example with text.encode('utf-8', 'replace').decode()",
            is_string: true,
        });
    }
    if item.is_none() {
        return Err(no("is None".to_owned(), "remove it, or replace it by a text"));
    }
    if item.is_instance_of::<PyBytes>() {
        return Err(no("is bytes".to_owned(), "decode it, for example with text.decode('utf-8')"));
    }
    let name = item.get_type().name().map_or_else(|_| "unknown".to_owned(), |name| name.to_string());
    Err(no(format!("has the type {name}"), "pass texts (str)"))
}

/// The demo corpus: distinct sentences of a seeded grammar.
#[pyfunction]
pub(crate) fn demo_sentences() -> Vec<String> {
    micse::data::demo::corpus()
}

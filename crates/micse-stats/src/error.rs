//! The crate's error type.

/// Errors caused by invalid samples.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Paired inputs of different lengths.
    #[error("{what}: expected {expected} values, found {found}; both sides need one value per pair")]
    Length {
        /// Name of the values.
        what: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Number of values found.
        found: usize,
    },
    /// No values.
    #[error("{what}: no values; pass at least one")]
    Empty {
        /// Name of the values.
        what: &'static str,
    },
    /// A value that is NaN, infinite or out of range.
    #[error("{what}: value {index} is {value}; {remedy}")]
    Value {
        /// Name of the values.
        what: &'static str,
        /// The value's index, from 0.
        index: usize,
        /// The value.
        value: f64,
        /// The requirement.
        remedy: &'static str,
    },
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Rejects values that are not finite.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            let remedy = "it must be a finite number; omit undefined values";
            Err(Error::Value { what, index, value: values[index], remedy })
        }
        None => Ok(()),
    }
}

//! The crate's one error type.

/// What can go wrong: input that is no sample.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Values that belong together differ in number.
    #[error("{what}: {found} values where {expected} belong; each must have its partner")]
    Length {
        /// What the values are.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// There is no value at all.
    #[error("{what}: there is no value; give at least one")]
    Empty {
        /// What the values are.
        what: &'static str,
    },
    /// A value is NaN or infinite, or not in the range of what it is.
    #[error("{what}: value {index} is {value}; {remedy}")]
    Value {
        /// What the values are.
        what: &'static str,
        /// The value's place, from 0.
        index: usize,
        /// The value.
        value: f64,
        /// What it must be.
        remedy: &'static str,
    },
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Refuses what is not a finite number.
pub(crate) fn finite(what: &'static str, values: &[f64]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => {
            let remedy = "it must be a finite number; leave out what is not defined";
            Err(Error::Value { what, index, value: values[index], remedy })
        }
        None => Ok(()),
    }
}

//! Where the rows of an index are.

use std::borrow::Cow;

use crate::{Error, Npy, Result};

/// A matrix of f32, in a file or in memory.
#[derive(Debug)]
pub(crate) enum Rows {
    File(Npy),
    Memory { values: Vec<f32>, columns: usize },
}

impl Rows {
    /// Rows in memory, each with the same number of entries.
    pub(crate) fn in_memory<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self> {
        let columns = rows.first().map_or(0, |row| row.as_ref().len());
        if columns == 0 {
            return Err(Error::Rows { reason: "there are none, or they are empty".into() });
        }
        if let Some(row) = rows.iter().position(|row| row.as_ref().len() != columns) {
            let found = rows[row].as_ref().len();
            let reason = format!("row {row} has {found} entries, but the first row has {columns}");
            return Err(Error::Rows { reason });
        }
        let values = rows.iter().flat_map(AsRef::as_ref).copied().collect();
        Ok(Self::Memory { values, columns })
    }

    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::File(file) => file.rows(),
            Self::Memory { values, columns } => values.len() / columns,
        }
    }

    /// At least 1.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::File(file) => file.columns(),
            Self::Memory { columns, .. } => *columns,
        }
    }

    /// The entries of rows `first..first + count`, row after row.
    pub(crate) fn read(&self, first: usize, count: usize) -> Result<Cow<'_, [f32]>> {
        match self {
            Self::File(file) => Ok(file.read(first, count)?.into()),
            Self::Memory { values, columns } => Ok(values[first * columns..(first + count) * columns].into()),
        }
    }

    /// What a query of another length is compared with, for errors.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(file) => format!("the rows of {}", file.path().display()),
            Self::Memory { .. } => "the rows".into(),
        }
    }

    /// The error of a row with NaN or infinity.
    pub(crate) fn not_finite(&self, row: usize) -> Error {
        match self {
            Self::File(file) => Error::NotFinite { path: file.path().into(), row },
            Self::Memory { .. } => {
                Error::Rows { reason: format!("row {row} contains NaN or infinity, so it has no cosine") }
            }
        }
    }
}

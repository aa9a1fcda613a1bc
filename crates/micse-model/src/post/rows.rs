//! Checks on input and output rows.

use crate::post::{Error, Result};

/// Checks that every row has this dimension and finite entries.
pub(crate) fn check(rows: &[Vec<f32>], dimension: usize) -> Result<()> {
    for (r, row) in rows.iter().enumerate() {
        if row.len() != dimension {
            return Err(Error::Dimension { row: r, found: row.len(), expected: dimension });
        }
        if let Some(coordinate) = row.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { row: r, coordinate, value: row[coordinate] });
        }
    }
    Ok(())
}

/// Checks that all entries of a transform are finite. Finite rows far outside those of the fit can overflow.
pub(crate) fn check_transformed(rows: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
    for (r, row) in rows.iter().enumerate() {
        if let Some(&value) = row.iter().find(|v| !v.is_finite()) {
            return Err(Error::Overflow { row: r, value });
        }
    }
    Ok(rows)
}

//! The error type of whitening and flows. Messages name what was found, where, and what to do.

use std::path::{Path, PathBuf};

/// What can go wrong when a stage is fitted, applied, saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few rows to fit on.
    #[error("{what} needs at least {needed} rows, found {found}; fit on more sentences")]
    TooFewRows {
        /// What was to be fitted.
        what: &'static str,
        /// Rows given.
        found: usize,
        /// The smallest number.
        needed: usize,
    },
    /// A row of another dimension than the others, or than the stage was fitted on.
    #[error(
        "row {row} has dimension {found}, expected {expected}; give embeddings of one encoder and pooling"
    )]
    Dimension {
        /// The row's index.
        row: usize,
        /// Its dimension.
        found: usize,
        /// The dimension that was needed.
        expected: usize,
    },
    /// An entry that is NaN or infinite.
    #[error("row {row}, coordinate {coordinate} is {value}; look at the encoder that gave this row")]
    NotFinite {
        /// The row's index.
        row: usize,
        /// The coordinate's index.
        coordinate: usize,
        /// The entry.
        value: f32,
    },
    /// All rows are the same, so that no direction has a variance.
    #[error("all {rows} rows are the same: there is no variance to scale; fit on sentences that differ")]
    NoVariance {
        /// Rows given.
        rows: usize,
    },
    /// More components than have a variance, or none.
    #[error(
        "{asked} components were asked for, but {rows} rows of dimension {dimension} have a variance in \
         {left} directions; ask for 1 to {left}, or fit on more sentences"
    )]
    Components {
        /// Components asked for.
        asked: usize,
        /// Components whose eigenvalue is above the bound.
        left: usize,
        /// Rows given.
        rows: usize,
        /// Their dimension.
        dimension: usize,
    },
    /// The eigenvalues of the covariance were not found.
    #[error(
        "the eigenvalues of the {dimension} x {dimension} covariance did not converge; look for outliers"
    )]
    Eigenvalues {
        /// Rows of the covariance.
        dimension: usize,
    },
    /// An option outside its range.
    #[error("{name} = {value}: must be {range}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be, in words.
        range: &'static str,
    },
    /// A dimension that cannot be halved once a level.
    #[error(
        "a flow of {levels} levels halves its input {levels} times, which dimension {dimension} does not \
         allow; choose fewer levels, or whiten to a number of components that 2^levels divides"
    )]
    Indivisible {
        /// Dimension of the rows.
        dimension: usize,
        /// Levels of the flow.
        levels: usize,
    },
    /// A batch of another shape or type than the flow takes.
    #[error("expected a batch of shape [rows, {dimension}] in {expected}, found {found}")]
    Batch {
        /// Dimension of the flow.
        dimension: usize,
        /// The type in words.
        expected: &'static str,
        /// Shape and type of the batch.
        found: String,
    },
    /// A coordinate that is the same in all rows of the first batch: its scale would be infinite.
    #[error(
        "coordinate {coordinate} is {value} in all {rows} rows of the first batch, from which the scales are \
         taken; give a larger first batch of sentences that differ, or whiten first"
    )]
    ConstantCoordinate {
        /// The coordinate's index.
        coordinate: usize,
        /// The value that it has everywhere.
        value: f32,
        /// Rows of the batch.
        rows: usize,
    },
    /// A step of the fit whose loss or gradient is NaN or infinite.
    #[error("step {step}: the {what} is {value}; lower the learning rate, or look at the rows of this batch")]
    Diverged {
        /// The step's number, from 1.
        step: usize,
        /// Loss or gradient norm.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A fit was finished before its first step.
    #[error("the flow has seen no batch; take at least one step before finishing")]
    NoStep,
    /// A row whose transform is beyond the numbers.
    #[error("row {row} is so far from the rows of the fit that its transform is {value}; look at this row")]
    Overflow {
        /// The row's index.
        row: usize,
        /// An entry of the transform.
        value: f32,
    },
    /// The text that a stage was fitted on is not told.
    #[error(
        "fitted_on is blank; name the text that the stage was fitted on, scores cannot be compared without"
    )]
    Undeclared,
    /// One of the two files of a stage is there without the other.
    #[error("{} is there, but {} is missing; copy the stage again, or fit it again", present.display(), missing.display())]
    Half {
        /// The file that is there.
        present: PathBuf,
        /// The file that is not.
        missing: PathBuf,
    },
    /// A stage's file that does not hold what it should.
    #[error("{}: {reason}; copy the stage again, or fit it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A file that cannot be read or removed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Parameters, optimizer steps or files failed.
    #[error(transparent)]
    Model(#[from] crate::Error),
    /// An operation on tensors failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), reason: reason.into() }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

//! The error type of whitening and flows. Messages name what was found, where, and how to fix it.

use std::path::{Path, PathBuf};

/// Errors when a stage is fitted, applied, saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few rows for a fit.
    #[error("{what} needs at least {needed} rows, but got {found}; fit on more sentences")]
    TooFewRows {
        /// What needs the rows.
        what: &'static str,
        /// The number of rows.
        found: usize,
        /// The required minimum.
        needed: usize,
    },
    /// A row's dimension differs from the other rows, or from the fit.
    #[error(
        "row {row} has dimension {found}, expected {expected}; use embeddings of a single encoder and pooling"
    )]
    Dimension {
        /// The index of the row.
        row: usize,
        /// Its dimension.
        found: usize,
        /// The expected dimension.
        expected: usize,
    },
    /// An entry that is NaN or infinite.
    #[error("coordinate {coordinate} of row {row} is {value}; check the encoder that produced this row")]
    NotFinite {
        /// The index of the row.
        row: usize,
        /// The index of the coordinate.
        coordinate: usize,
        /// The value.
        value: f32,
    },
    /// All rows are equal, so that no direction has variance.
    #[error("all {rows} rows are equal, so there is no variance to scale; fit on different sentences")]
    NoVariance {
        /// The number of rows.
        rows: usize,
    },
    /// Zero components were requested, or more components than directions with variance.
    #[error(
        "{asked} components requested, but {rows} rows of dimension {dimension} have variance in only \
         {left} directions; request 1 to {left}, or fit on more sentences"
    )]
    Components {
        /// The requested number of components.
        asked: usize,
        /// The number of components whose eigenvalue is above the bound.
        left: usize,
        /// The number of rows.
        rows: usize,
        /// Their dimension.
        dimension: usize,
    },
    /// The eigenvalues of the covariance did not converge.
    #[error(
        "the eigenvalues of the {dimension} x {dimension} covariance did not converge; check the rows for \
         outliers"
    )]
    Eigenvalues {
        /// The number of rows of the covariance.
        dimension: usize,
    },
    /// An option is out of range.
    #[error("{name} = {value}: must be {range}")]
    Option {
        /// The option.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The valid values, in words.
        range: &'static str,
    },
    /// The dimension cannot be halved once per level.
    #[error(
        "a flow with {levels} levels halves its input {levels} times, which dimension {dimension} does not \
         allow; use fewer levels, or whiten first to a number of components that is divisible by 2^levels"
    )]
    Indivisible {
        /// The dimension of the rows.
        dimension: usize,
        /// The number of levels.
        levels: usize,
    },
    /// A batch's shape or type does not match the flow.
    #[error("expected a batch of shape [rows, {dimension}] in {expected}, got {found}")]
    Batch {
        /// The dimension of the flow.
        dimension: usize,
        /// The expected type.
        expected: &'static str,
        /// The shape and type of the batch.
        found: String,
    },
    /// A coordinate is constant in the first batch, so its scale would be infinite.
    #[error(
        "coordinate {coordinate} is {value} in all {rows} rows of the first batch, which determines the \
         scales; use a larger first batch of different sentences, or whiten first"
    )]
    ConstantCoordinate {
        /// The index of the coordinate.
        coordinate: usize,
        /// Its constant value.
        value: f32,
        /// The number of rows in the batch.
        rows: usize,
    },
    /// The loss or gradient of a step is NaN or infinite.
    #[error("step {step}: the {what} is {value}; lower the learning rate, or check the rows of this batch")]
    Diverged {
        /// The index of the step, from 1.
        step: usize,
        /// "loss" or "gradient norm".
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A fit was finished before its first step.
    #[error("the flow was not trained; take at least one step before finishing")]
    NoStep,
    /// The transform of a row overflows.
    #[error("row {row} is so far from the rows of the fit that its transform is {value}; check this row")]
    Overflow {
        /// The index of the row.
        row: usize,
        /// The overflowing entry of the transform.
        value: f32,
    },
    /// The description of the data that a stage was fitted on is blank.
    #[error("fitted_on is blank; describe the sentences of the fit, without which scores cannot be compared")]
    Undeclared,
    /// One of the two files of a stage is missing.
    #[error("{} exists, but {} is missing; copy the stage again, or refit it", present.display(), missing.display())]
    Half {
        /// The existing file.
        present: PathBuf,
        /// The missing file.
        missing: PathBuf,
    },
    /// A file of a stage is invalid.
    #[error("{}: {reason}; copy the stage again, or refit it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file that cannot be read or removed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
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

/// `Result` with this module's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

//! The crate's error type.

/// An error in an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The embedder failed.
    #[error("the embedder failed")]
    Embed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The embedder did not return one row per sentence.
    #[error(
        "the embedder returned {found} rows for {expected} sentences; it must return one row per sentence"
    )]
    Rows {
        /// Sentences passed.
        expected: usize,
        /// Rows returned.
        found: usize,
    },
    /// The length of a row differs from the embedder's dimension.
    #[error("the embedding of {sentence:?} has {found} entries, but the embedder's dimension is {expected}")]
    Dimension {
        /// The sentence.
        sentence: String,
        /// The embedder's dimension.
        expected: usize,
        /// The row's length.
        found: usize,
    },
    /// An embedding contains NaN or infinity.
    #[error(
        "the embedding of {sentence:?} contains {value}; the model's weights are damaged, or its training diverged"
    )]
    NotFinite {
        /// The sentence.
        sentence: String,
        /// The entry.
        value: f32,
    },
    /// A transfer task cannot be scored.
    #[error("{task}: {problem}")]
    Transfer {
        /// The task.
        task: String,
        /// The problem and the fix.
        problem: String,
    },
    /// Measures that cannot be compared.
    #[error("the measures cannot be compared: {0}; measure both models with the same judge")]
    Compare(#[from] micse_stats::Error),
    /// MTEB's format cannot express the scores, or the model name is not valid.
    #[error("MTEB files: {0}")]
    Mteb(String),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] micse_files::Error),
    /// An evaluation cannot be written as CSV.
    #[error("the evaluation cannot be written as CSV")]
    Csv(#[from] csv::Error),
    /// An evaluation cannot be converted to or from JSON.
    #[error("the evaluation cannot be converted to or from JSON")]
    Json(#[from] serde_json::Error),
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

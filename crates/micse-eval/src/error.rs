//! The crate's one error type.

/// What can go wrong in an evaluation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The embedder failed.
    #[error("the embedder failed")]
    Embed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The embedder gave another number of rows than it was given sentences.
    #[error("the embedder gave {found} rows for {expected} sentences; it has to give one row a sentence")]
    Rows {
        /// Sentences given.
        expected: usize,
        /// Rows returned.
        found: usize,
    },
    /// A row has another length than the embedder's dimension.
    #[error("the embedding of {sentence:?} has {found} entries, the embedder's dimension is {expected}")]
    Dimension {
        /// The sentence.
        sentence: String,
        /// The embedder's dimension.
        expected: usize,
        /// The row's length.
        found: usize,
    },
    /// An embedding holds NaN or infinity.
    #[error(
        "the embedding of {sentence:?} holds {value}; the model's weights are broken, or its training diverged"
    )]
    NotFinite {
        /// The sentence.
        sentence: String,
        /// The entry.
        value: f32,
    },
    /// Scores that MTEB's form cannot hold, or a model's name that is none.
    #[error("MTEB's files: {0}")]
    Mteb(String),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] micse_files::Error),
    /// An evaluation could not be written as CSV.
    #[error("the evaluation cannot be written as CSV")]
    Csv(#[from] csv::Error),
    /// An evaluation could not be written as JSON.
    #[error("the evaluation cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

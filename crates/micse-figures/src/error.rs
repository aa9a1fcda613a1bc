//! The crate's error type.

/// Errors of comparisons of two models.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model cannot encode a sentence.
    #[error("{model}: {source}")]
    Model {
        /// The model's name in the figure.
        model: String,
        /// The cause.
        source: micse_model::Error,
    },
    /// A sentence is too short for a correlation of attention values.
    #[error(
        "{model}: {sentence:?} has {tokens} tokens, too few to compare attention; pass another --sentence"
    )]
    Short {
        /// The model's name in the figure.
        model: String,
        /// The sentence.
        sentence: String,
        /// Its number of tokens.
        tokens: usize,
    },
    /// A number that is not finite.
    #[error(
        "{model}: the {what} of {sentence:?} is not finite; the model's weights are damaged; use another copy"
    )]
    NotFinite {
        /// The model's name in the figure.
        model: String,
        /// Cosine, mutual information or attention.
        what: &'static str,
        /// The sentence, or the first of the pair.
        sentence: String,
    },
    /// Too little text, or too few pairs, for a figure.
    #[error("{what}: {found}; {remedy}")]
    TooFew {
        /// The figure or its input.
        what: String,
        /// What there is.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Two models with the same name in a figure.
    #[error("both models are named {0:?} in the figures; pass different names with --names A,B")]
    SameName(String),
    /// The objective's functions reject the maps.
    #[error(transparent)]
    Losses(#[from] micse_losses::Error),
    /// Statistics of the points.
    #[error(transparent)]
    Statistics(#[from] micse_stats::Error),
    /// Scoring of an STS set.
    #[error(transparent)]
    Evaluation(#[from] micse_eval::Error),
    /// A tensor operation.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A table as CSV.
    #[error("a table cannot be written as CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

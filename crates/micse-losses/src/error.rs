//! The crate's error type.

use candle_core::DType;

/// Errors of the objectives.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor has the wrong shape.
    #[error("{name}: expected shape {expected}, found {found:?}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// The required shape, in words.
        expected: String,
        /// The given shape.
        found: Vec<usize>,
    },
    /// A tensor is neither f32 nor f64.
    #[error("{name}: expected f32 or f64, found {found:?}; convert the tensor before the objective")]
    DType {
        /// The argument.
        name: &'static str,
        /// The given type.
        found: DType,
    },
    /// Two tensors have different types.
    #[error("{name}: expected {expected:?} like the other tensor, found {found:?}; convert one of them")]
    MixedTypes {
        /// The argument.
        name: &'static str,
        /// The other tensor's type.
        expected: DType,
        /// The given type.
        found: DType,
    },
    /// A temperature that is not a positive number.
    #[error("the temperature must be a positive number, found {0}; 0.05 is usual")]
    Temperature(f64),
    /// A row of the contrastive loss has no negatives.
    #[error(
        "the contrastive loss as printed needs a negative for each row; pass at least 2 sentences, or a queue"
    )]
    NoNegatives,
    /// A batch objective got a single sentence.
    #[error("{objective} needs a batch of at least 2, found 1: {why}; use a larger batch")]
    OneSentence {
        /// The objective, or the part of one.
        objective: &'static str,
        /// The reason why one sentence is not enough.
        why: &'static str,
    },
    /// A token that belongs to a sentence outside the batch.
    #[error("token {token} is assigned to sentence {sentence}, outside the batch of {sentences}")]
    TokenSentence {
        /// The token's row.
        token: usize,
        /// The sentence's number.
        sentence: u32,
        /// Number of sentences in the batch.
        sentences: usize,
    },
    /// A guided objective without a view of the guide.
    #[error("the guide has no views; pass at least one, such as the mean of its last layer")]
    NoGuide,
    /// A number outside its range.
    #[error("{name} must be {expected}, found {found}")]
    Number {
        /// The argument.
        name: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// The given number.
        found: f64,
    },
    /// The two networks of PCL returned different numbers of views.
    #[error("PCL needs the same number of views of both networks, found {peer} (peer) and {online} (online)")]
    PeerViews {
        /// Views of the online network.
        online: usize,
        /// Views of the peer network.
        peer: usize,
    },
    /// A head whose output does not depend on its input, judging by its backward pass.
    #[error(
        "the head passes no gradient to its input, so no virtual view can be found; use operations with a backward pass"
    )]
    HeadWithoutGradient,
    /// A queue without capacity.
    #[error(
        "a queue needs a capacity and a dimension of at least 1, found capacity {capacity}, dimension {dim}"
    )]
    EmptyQueue {
        /// Maximum number of rows.
        capacity: usize,
        /// Entries per row.
        dim: usize,
    },
    /// A queue with different numbers of rows and sentence numbers, or more rows than its capacity.
    #[error("the queue got {rows} rows with {sentences} sentence numbers (capacity {capacity})")]
    QueueRows {
        /// Number of rows given.
        rows: usize,
        /// Number of sentence numbers given.
        sentences: usize,
        /// Maximum number of rows.
        capacity: usize,
    },
    /// The heads or layers cannot be grouped by the slicing.
    #[error("{count} {what} cannot be grouped by {group}; choose a group size that divides them")]
    Slicing {
        /// "heads" or "layers".
        what: &'static str,
        /// Number of heads or layers.
        count: usize,
        /// Group size.
        group: usize,
    },
    /// A true token ID outside the word table.
    #[error("token ID {id} is outside the word table of {vocabulary} rows; use the encoder's own tokenizer")]
    Target {
        /// The ID.
        id: u32,
        /// Number of rows in the table.
        vocabulary: usize,
    },
    /// Invalid combinations of arguments for a sampler or a selection.
    #[error("AMI sampling: {0}")]
    Sampling(String),
    /// A loss that is NaN or infinite.
    #[error("objective {name} is {value}; lower the learning rate, or check the inputs of the last step")]
    NotFinite {
        /// The objective.
        name: String,
        /// Its value.
        value: f64,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The crate's result type.
pub type Result<T> = std::result::Result<T, Error>;

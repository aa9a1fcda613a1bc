//! The crate's one error type.

use candle_core::DType;

/// What can go wrong in an objective.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A tensor has another shape than the objective needs.
    #[error("{name}: expected shape {expected}, found {found:?}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// The shape that was needed, in words.
        expected: String,
        /// The shape that was given.
        found: Vec<usize>,
    },
    /// A tensor is neither f32 nor f64.
    #[error("{name}: expected f32 or f64, found {found:?}; convert the tensor before the objective")]
    DType {
        /// The argument.
        name: &'static str,
        /// The type that was given.
        found: DType,
    },
    /// A tensor has another type than the one that it goes with.
    #[error("{name}: expected {expected:?} as the tensor that it goes with, found {found:?}")]
    MixedTypes {
        /// The argument.
        name: &'static str,
        /// The other tensor's type.
        expected: DType,
        /// The type that was given.
        found: DType,
    },
    /// A temperature that is not a positive number.
    #[error("the temperature must be a positive number, found {0}; 0.05 is usual")]
    Temperature(f64),
    /// A row of the contrastive loss has nothing to be told apart from.
    #[error(
        "a contrastive loss as printed needs a negative for each row: give at least 2 sentences, or a queue"
    )]
    NoNegatives,
    /// An objective over a batch got a single sentence.
    #[error("{objective} needs a batch of at least 2, found 1: {why}; take a larger batch")]
    OneSentence {
        /// The objective, or the part of one.
        objective: &'static str,
        /// What one sentence lacks.
        why: &'static str,
    },
    /// A token that belongs to a sentence outside the batch.
    #[error("token {token} is said to belong to sentence {sentence} of a batch of {sentences}")]
    TokenSentence {
        /// The token's row.
        token: usize,
        /// The sentence's number.
        sentence: u32,
        /// Sentences of the batch.
        sentences: usize,
    },
    /// A guided objective without a view of the guide.
    #[error("the guide has no views; give at least one, such as the mean of its last layer")]
    NoGuide,
    /// A number outside its range.
    #[error("{name} must be {expected}, found {found}")]
    Number {
        /// The argument.
        name: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// The number that was given.
        found: f64,
    },
    /// The two networks of PCL did not give the same number of views.
    #[error("PCL needs as many views of the peer network as of the online one, found {peer} and {online}")]
    PeerViews {
        /// Views of the online network.
        online: usize,
        /// Views of the peer network.
        peer: usize,
    },
    /// A head whose output does not depend on its input, as far as a backward pass can see.
    #[error(
        "the head passes no gradient to its input, so that no virtual view can be found; build it of operations with a backward pass"
    )]
    HeadWithoutGradient,
    /// A queue without room.
    #[error(
        "a queue needs a capacity and a dimension of at least 1, found capacity {capacity}, dimension {dim}"
    )]
    EmptyQueue {
        /// Rows that the queue may hold.
        capacity: usize,
        /// Entries of a row.
        dim: usize,
    },
    /// A queue's rows and their sentence numbers differ in number, or exceed its capacity.
    #[error("the queue got {rows} rows with {sentences} sentence numbers (capacity {capacity})")]
    QueueRows {
        /// Rows given.
        rows: usize,
        /// Sentence numbers given.
        sentences: usize,
        /// Rows that the queue may hold.
        capacity: usize,
    },
    /// The heads or layers cannot be grouped as the slicing asks.
    #[error("{count} {what} cannot be grouped by {group}; choose a slicing whose group divides them")]
    Slicing {
        /// "heads" or "layers".
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The group's size.
        group: usize,
    },
    /// A true id that the word table has no row for.
    #[error(
        "the true id {id} is beyond the word table of {vocabulary} rows; use the encoder's own tokenizer"
    )]
    Target {
        /// The id.
        id: u32,
        /// Rows of the table.
        vocabulary: usize,
    },
    /// Arguments of a sampler or a selection that do not fit together.
    #[error("AMI sampling: {0}")]
    Sampling(String),
    /// A loss that is NaN or infinite.
    #[error("objective {name} is {value}; lower the learning rate, or look at the inputs of the last step")]
    NotFinite {
        /// The objective.
        name: String,
        /// Its value.
        value: f64,
    },
    /// An operation on tensors failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

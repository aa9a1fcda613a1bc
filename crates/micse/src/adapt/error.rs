//! Errors of an adaptation.

/// Why an adaptation cannot be prepared or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The corpus is too small for the requested size.
    #[error(transparent)]
    Data(#[from] micse_data::Error),
    /// The folder is not a usable model.
    #[error(transparent)]
    Model(#[from] micse_model::Error),
    /// The recipe is wrong, or the run failed or was stopped.
    #[error(transparent)]
    Train(#[from] micse_train::Error),
    /// A stop was requested while the start was scored.
    #[error("stopped while scoring the model before training; repeat the same command to continue")]
    Stopped,
    /// The start could not be scored.
    #[error(transparent)]
    Eval(#[from] micse_eval::Error),
    /// The scores before training could not be written.
    #[error(transparent)]
    Files(#[from] micse_files::Error),
    /// The model folder names no pooling, or one that is not supported.
    #[error("cannot choose settings; pass the pooling with --set pooling.train=mean --set pooling.test=mean")]
    Pooling(#[source] micse_model::Error),
    /// The recipe, or the user's settings, contradict those chosen here.
    #[error(
        "cannot combine the recipe and your settings with those chosen for this model and corpus ({chosen}); override \
         these with --set KEY=VALUE, or pass --published-settings to start from the recipe's own"
    )]
    Settings {
        /// The settings chosen here, as `KEY=VALUE`.
        chosen: String,
        /// The contradiction.
        source: Box<micse_train::Error>,
    },
    /// The sentences are all, or nearly all, the same.
    #[error(
        "{corpus}: {distinct} distinct sentence{} among {sentences}, too few to train on; pass a corpus of different \
         sentences",
        if *distinct == 1 { "" } else { "s" }
    )]
    Repeated {
        /// The name of the corpus.
        corpus: String,
        /// Sentences of the split.
        sentences: usize,
        /// Distinct ones.
        distinct: usize,
    },
    /// Pairs choose the weights, so that a purpose would have no effect.
    #[error("a purpose is for the judge, but development pairs choose the weights; pass one of the two")]
    PurposeAndPairs,
    /// Search was asked for, but cannot be judged.
    #[error(
        "search cannot be judged on this corpus: only {halved} of {held} held-out sentences can be halved for half-sentence \
         search (the others have fewer than 8 words, or share a half with another sentence); pass another purpose with \
         --for, or --keep last to keep the trained weights unjudged"
    )]
    Search {
        /// Held-out sentences.
        held: usize,
        /// Those that can be halved.
        halved: usize,
    },
    /// The model of a finished run is missing.
    #[error(transparent)]
    NoModel(#[from] micse_files::NoModel),
}

/// The result of this module's functions.
pub type Result<T> = std::result::Result<T, Error>;

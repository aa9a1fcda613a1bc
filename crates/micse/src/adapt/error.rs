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
    /// The user's settings contradict those chosen here.
    #[error(
        "cannot combine your settings with those chosen for this model and corpus; fix them, or pass \
         --published-settings to start from the recipe's"
    )]
    Settings(#[source] micse_train::Error),
    /// The held-out sentences are all the same.
    #[error(
        "too few distinct sentences among {held_out} that were held out; remove repeated lines from the corpus"
    )]
    Repeated {
        /// Sentences held out.
        held_out: usize,
    },
}

/// The result of this module's functions.
pub type Result<T> = std::result::Result<T, Error>;

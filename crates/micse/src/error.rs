//! The umbrella's own error type.

use std::path::PathBuf;

/// What can go wrong with an [`Encoder`](crate::Encoder).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder does not say how token states become an embedding.
    #[error("{}: no 1_Pooling/config.json says how token states become one embedding; choose a pooling, cls or mean (--pooling)", folder.display())]
    NoPooling {
        /// The model folder.
        folder: PathBuf,
    },
    /// The folder is no model, or a sentence cannot be encoded.
    #[error(transparent)]
    Model(#[from] micse_model::Error),
    /// What stands behind the encoder, whitening or a flow, cannot be read or applied.
    #[error(transparent)]
    Post(#[from] micse_post::Error),
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

//! The crate's one error type. Messages name the file, what was found, and what to do.

use std::path::{Path, PathBuf};

/// What can go wrong with encoders, tokenizers and model folders.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {source}{}", path.display(), micse_files::remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A configuration that this crate cannot follow: of an encoder, of modules behind it.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The `config.json`.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// A weights file that cannot be read.
    #[error("{}: cannot read the weights: {reason}", path.display())]
    Weights {
        /// The weights file.
        path: PathBuf,
        /// The reader's reason.
        reason: String,
    },
    /// A tensor that the configuration asks for is not in the weights file.
    #[error(
        "{}: tensor `{name}` is missing{}; take the weights that belong to this config.json",
        path.display(), looked_for(prefix)
    )]
    MissingTensor {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name without prefix.
        name: String,
        /// What the name may begin with in this family's files; empty if nothing.
        prefix: &'static str,
    },
    /// A tensor has another shape than the configuration says.
    #[error(
        "{}: tensor `{name}` has shape {found:?}, but config.json asks for {expected:?}; \
         take the weights that belong to this config.json",
        path.display()
    )]
    Shape {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration gives.
        expected: Vec<usize>,
    },
    /// A tokenizer that cannot be read or does not fit the encoder.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The tokenizer's file or folder.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// The folder does not say how token states become an embedding.
    #[error(
        "{}: no modules.json with a Pooling module says how token states become one embedding; choose a pooling, cls or \
         mean (--pooling)",
        folder.display()
    )]
    NoPooling {
        /// The model folder.
        folder: PathBuf,
    },
    /// A whitening or flow that cannot be read or applied.
    #[error(transparent)]
    Post(Box<crate::post::Error>),
    /// A file cannot be written.
    #[error(transparent)]
    Files(#[from] micse_files::Error),
    /// Input that the encoder cannot take.
    #[error("{0}")]
    Input(String),
    /// An error of the tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

fn looked_for(prefix: &str) -> String {
    if prefix.is_empty() {
        String::new()
    } else {
        format!(" (looked for it with and without the prefix `{prefix}`)")
    }
}

impl From<crate::post::Error> for Error {
    fn from(error: crate::post::Error) -> Self {
        Self::Post(Box::new(error))
    }
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

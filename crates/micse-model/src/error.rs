//! The crate's error type. Messages name the file, what was found, and what to do.

use std::path::{Path, PathBuf};

/// Errors of encoders, tokenizers and model folders.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller stopped an encoding.
    #[error("the encoding was stopped")]
    Stopped,
    /// An embedding that is not finite.
    #[error(
        "the embedding of {sentence:?} contains NaN or infinity; the model's weights are damaged, or its \
         training diverged; use another copy, or train with a lower learning rate"
    )]
    NotFinite {
        /// The sentence.
        sentence: String,
    },
    /// A file cannot be read.
    #[error("{}: {source}{}", path.display(), micse_files::remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A configuration that this crate does not support, of the encoder or of the modules after it.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The `config.json`.
        path: PathBuf,
        /// What is wrong, and how to fix it.
        reason: String,
    },
    /// A weights file that cannot be read.
    #[error("{}: cannot read the weights: {reason}", path.display())]
    Weights {
        /// The weights file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor that the configuration requires is not in the weights file.
    #[error(
        "{}: tensor `{name}` is missing{}; use the weights that belong to this config.json",
        path.display(), looked_for(prefix)
    )]
    MissingTensor {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name without prefix.
        name: String,
        /// The optional prefix of names in this family's files, or empty.
        prefix: &'static str,
    },
    /// A tensor's shape differs from the configuration.
    #[error(
        "{}: tensor `{name}` has shape {found:?}, but config.json requires {expected:?}; use the weights \
         that belong to this config.json",
        path.display()
    )]
    Shape {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration requires.
        expected: Vec<usize>,
    },
    /// A tokenizer that cannot be read or does not fit the encoder.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The tokenizer's file or folder.
        path: PathBuf,
        /// What is wrong, and how to fix it.
        reason: String,
    },
    /// The folder does not define how token states become an embedding.
    #[error(
        "{}: no modules.json with a Pooling module defines the sentence embedding; choose a pooling with \
         --pooling cls or --pooling mean",
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
    /// Input that the encoder cannot process.
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

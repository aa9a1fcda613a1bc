//! The crate's one error type.

use std::path::{Path, PathBuf};

/// Errors of recipes, training and run folders.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A recipe that cannot be read, has unknown keys, or combines its parts in an invalid way.
    #[error("recipe {name}: {reason}")]
    Recipe {
        /// The recipe's name or file.
        name: String,
        /// The problem, and the fix.
        reason: String,
    },
    /// Training failed.
    #[error("step {step}: {reason}")]
    Training {
        /// The step, from 1.
        step: usize,
        /// The problem, and the fix.
        reason: String,
    },
    /// A run folder that cannot be used.
    #[error("{}: {reason}", path.display())]
    Run {
        /// The folder or file.
        path: PathBuf,
        /// The problem, and the fix.
        reason: String,
    },
    /// The run stopped on request, and can be resumed.
    #[error("stopped after step {step}; rerun the same command to resume")]
    Stopped {
        /// Finished steps.
        step: usize,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}{}", path.display(), micse_files::remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file that cannot be written, or a folder that another process has locked.
    #[error(transparent)]
    Files(#[from] micse_files::Error),
    /// An encoder, tokenizer or model folder.
    #[error(transparent)]
    Model(#[from] micse_model::Error),
    /// An objective.
    #[error(transparent)]
    Loss(#[from] micse_losses::Error),
    /// A corpus, split or STS set.
    #[error(transparent)]
    Data(#[from] micse_data::Error),
    /// Whitening or a flow.
    #[error(transparent)]
    Post(#[from] micse_model::post::Error),
    /// Scoring.
    #[error(transparent)]
    Evaluation(#[from] micse_eval::Error),
    /// The tensor library.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn run(path: &Path, reason: impl Into<String>) -> Self {
        Self::Run { path: path.into(), reason: reason.into() }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

//! The layout of a run folder: the names of its files, and its state.

use std::path::{Path, PathBuf};

use crate::Lock;

/// The folder of one training or scoring run. Its files are read and written by the crates whose types they contain;
/// their names are defined here alone.
///
/// ```
/// use micse_files::RunFolder;
///
/// let run = RunFolder::new("runs/notes");
/// assert_eq!(run.result(), std::path::Path::new("runs/notes/result.json"));
/// assert!(!run.is_finished());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The run in this folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `run.toml`: everything that decided the run.
    pub fn manifest(&self) -> PathBuf {
        self.0.join("run.toml")
    }

    /// `metrics.jsonl`: one line per logged step.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// `events.out.tfevents.micse`: the same for TensorBoard.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.out.tfevents.micse")
    }

    /// `checkpoint/state.safetensors`: enough to resume bit for bit; removed once the result is written.
    pub fn checkpoint(&self) -> PathBuf {
        self.checkpoint_folder().join("state.safetensors")
    }

    /// `checkpoint/`.
    pub fn checkpoint_folder(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// `start/`: the configuration and tokenizer of an encoder that is pre-trained from nothing.
    pub fn start(&self) -> PathBuf {
        self.0.join("start")
    }

    /// `model/`: the finished model.
    pub fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    /// `cosines.safetensors`: cosine and human score of every evaluation pair.
    pub fn cosines(&self) -> PathBuf {
        self.0.join("cosines.safetensors")
    }

    /// `result.json`: the scores. If it exists, the run is finished.
    pub fn result(&self) -> PathBuf {
        self.0.join("result.json")
    }

    /// `failed.json`: why a sweep's cell has no result.
    pub fn failure(&self) -> PathBuf {
        self.0.join("failed.json")
    }

    /// `command.json`: the options with which `micse train` started the run.
    pub fn command(&self) -> PathBuf {
        self.0.join("command.json")
    }

    /// `before.json`: measures of the model that training starts from.
    pub fn before(&self) -> PathBuf {
        self.0.join("before.json")
    }

    /// Whether a run was started here.
    pub fn is_begun(&self) -> bool {
        self.manifest().is_file()
    }

    /// Whether the run left nothing but the description of itself: no start, no logged step, no checkpoint and no result.
    pub fn is_bare(&self) -> bool {
        let rests = [
            self.start(),
            self.checkpoint_folder(),
            self.model(),
            self.cosines(),
            self.result(),
            self.failure(),
        ];
        let logged = std::fs::metadata(self.metrics()).is_ok_and(|metrics| metrics.len() > 0);
        !logged && rests.iter().all(|rest| !rest.exists())
    }

    /// A file or folder here that a run would overwrite or remove, although no run was started here: it belongs to
    /// somebody else.
    pub fn foreign(&self) -> Option<PathBuf> {
        let own = [
            self.checkpoint_folder(),
            self.model(),
            self.result(),
            self.metrics(),
            self.events(),
            self.cosines(),
            self.command(),
            self.before(),
        ];
        own.into_iter().find(|path| !self.is_begun() && path.exists())
    }

    /// Whether the run is finished.
    pub fn is_finished(&self) -> bool {
        self.result().is_file()
    }

    /// The folder of the finished model.
    ///
    /// # Errors
    /// The run is not finished, or its model is missing.
    pub fn finished_model(&self) -> Result<PathBuf, NoModel> {
        let model = self.model();
        if !self.is_finished() {
            return Err(NoModel::Unfinished(self.0.clone()));
        }
        // The weights are written last: without them the folder is a rest of one.
        if model.join("model.safetensors").is_file() {
            Ok(model)
        } else {
            Err(NoModel::NotKept(self.0.clone()))
        }
    }

    /// Whether a process is working here.
    pub fn is_running(&self) -> bool {
        Lock::is_held(&self.0)
    }
}

/// Why a run has no finished model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoModel {
    /// The run is not finished.
    #[error(
        "{folder}: this run is not finished; resume it with `micse train --out {folder} --resume`, or rerun its command",
        folder = .0.display()
    )]
    Unfinished(PathBuf),
    /// The run is finished, but its model was not kept, or is gone.
    #[error("{}: the model of this finished run is missing; train it again in another folder", .0.display())]
    NotKept(PathBuf),
}

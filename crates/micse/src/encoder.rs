//! A finished model: text in, embeddings out.

use std::path::Path;

use micse_model::{Compute, ModelFolder, Pooling, SentenceEncoder};
use micse_post::Stage;

use crate::{Error, Result};

/// A model folder as one thing that turns sentences into embeddings: what the commands use.
pub struct Encoder {
    model: SentenceEncoder,
    stage: Option<Stage>,
}

impl Encoder {
    /// Loads a model folder with the pooling that it asks for, on the CPU.
    ///
    /// # Errors
    /// The folder is no model, or names no pooling.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(folder, None, &Compute::cpu())
    }

    /// [`load`](Self::load) with a pooling, where `None` takes the folder's own, and with a say in how it is computed.
    /// Modules behind the pooling, and a whitening or a flow that training put into the folder, are applied.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(folder: impl AsRef<Path>, pooling: Option<Pooling>, compute: &Compute) -> Result<Self> {
        let folder = ModelFolder::open(folder.as_ref())?;
        let none = || Error::NoPooling { folder: folder.root().into() };
        let pooling = match pooling {
            Some(pooling) => pooling,
            None => folder.pooling()?.ok_or_else(none)?,
        };
        let model = SentenceEncoder::load_without_stage(&folder, pooling, compute)?;
        Ok(Self { model, stage: Stage::load(folder.root())? })
    }

    /// The embeddings of sentences: one row of [`dimension`](Self::dimension) entries each, in the order given.
    ///
    /// # Errors
    /// A sentence cannot be tokenized.
    pub fn encode<S: AsRef<str> + Sync>(&self, sentences: &[S]) -> Result<Vec<Vec<f32>>> {
        let rows = self.model.encode(sentences)?;
        match &self.stage {
            Some(stage) => Ok(stage.transform(&rows)?),
            None => Ok(rows),
        }
    }

    /// Entries of an embedding.
    pub fn dimension(&self) -> usize {
        self.stage.as_ref().map_or(self.model.dimension(), Stage::output_dimension)
    }

    /// Encoder, tokenizer and pooling.
    pub fn model(&self) -> &SentenceEncoder {
        &self.model
    }

    /// The whitening or flow behind them.
    pub fn stage(&self) -> Option<&Stage> {
        self.stage.as_ref()
    }
}

//! The encoders of an experiment: `--encoder NAME=FOLDER`.

use anyhow::{Context, Result};
use micse_model::{ModelFolder, Pooling};

/// An encoder that training starts from.
pub(super) struct Start {
    /// Its name in the output.
    pub(super) name: String,
    pub(super) folder: ModelFolder,
}

impl Start {
    /// Opens `NAME=FOLDER` each.
    pub(super) fn open(texts: &[String]) -> Result<Vec<Self>> {
        let open = |text: &String| {
            let (name, folder) =
                text.split_once('=').with_context(|| format!("{text}: expected NAME=FOLDER"))?;
            let folder = ModelFolder::open(&micse_cli::model::model_folder(folder)?)?;
            Ok(Self { name: name.to_owned(), folder })
        };
        texts.iter().map(open).collect()
    }

    /// The encoder of a name.
    pub(super) fn named<'a>(all: &'a [Self], name: &str) -> Result<&'a Self> {
        all.iter().find(|start| start.name == name).with_context(|| format!("no --encoder {name}=FOLDER"))
    }

    /// Its pooling; mean, if the folder does not say.
    pub(super) fn pooling(&self) -> Result<Pooling> {
        Ok(self.folder.pooling()?.unwrap_or(Pooling::Mean))
    }
}

//! What a model was before `micse train`, kept in the run folder so that the same command reports it again.

use std::path::Path;

use anyhow::Result;
use micse::eval::Evaluation;
use micse::files::write_json;
use serde::{Deserialize, Serialize};

/// Measures of the model that training starts from.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Scores on STS sets and development pairs, where either is given.
    pub(crate) scores: Option<Evaluation>,
    /// Half-sentence search, where there are sentences to halve.
    pub(crate) halves: Option<f64>,
}

impl Before {
    const FILE: &str = "before.json";

    /// Those of a run folder, if it has them.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        // Without them the model is measured again.
        serde_json::from_str(&std::fs::read_to_string(folder.join(Self::FILE)).ok()?).ok()
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        Ok(write_json(&folder.join(Self::FILE), self)?)
    }

    /// The score on the development pairs.
    pub(crate) fn dev(&self) -> Option<f64> {
        self.scores.as_ref()?.dev_spearman
    }

    /// The average of the STS sets.
    pub(crate) fn sts(&self) -> Option<f64> {
        self.scores.as_ref().filter(|scores| !scores.tasks.is_empty()).map(|scores| scores.average)
    }

    /// Tells the scores, before training takes its time.
    pub(crate) fn tell(&self) {
        if let Some(score) = self.dev() {
            eprintln!("development pairs before training: {score:.2} (Spearman x 100)");
        }
        if let Some(average) = self.sts() {
            eprintln!("STS sets before training: average {average:.2} (Spearman x 100)");
        }
    }
}

//! The scores of a model before `micse train`, kept in the run folder so that rerunning the command reports them again.

use anyhow::Result;
use micse_cli::note;

use crate::eval::Evaluation;
use crate::files::{RunFolder, write_json};
use serde::{Deserialize, Serialize};

/// Scores of the model that training starts from.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Before {
    /// Scores on STS sets and development pairs, if either is given.
    pub(super) scores: Option<Evaluation>,
}

impl Before {
    /// The scores in a run folder, if it has them.
    pub(super) fn read(run: &RunFolder) -> Option<Self> {
        // If they cannot be read, the model is scored again.
        serde_json::from_str(&std::fs::read_to_string(run.before()).ok()?).ok()
    }

    pub(super) fn write(&self, run: &RunFolder) -> Result<()> {
        Ok(write_json(&run.before(), self)?)
    }

    /// The score on the development pairs.
    pub(super) fn dev(&self) -> Option<f64> {
        self.scores.as_ref()?.dev_spearman
    }

    /// The average of the STS sets.
    pub(super) fn sts(&self) -> Option<f64> {
        self.scores.as_ref().filter(|scores| !scores.tasks.is_empty()).map(|scores| scores.average)
    }

    /// Prints the scores before training starts.
    pub(super) fn print(&self) {
        if let Some(score) = self.dev() {
            note(format_args!("development pairs before training: {score:.2} (Spearman x 100)"));
        }
        if let Some(average) = self.sts() {
            note(format_args!("STS sets before training: average {average:.2} (Spearman x 100)"));
        }
    }
}

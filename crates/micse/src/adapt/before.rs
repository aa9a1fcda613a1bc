//! The scores of a model before an adaptation, kept in the run folder so that rerunning it reports them again.

use serde::{Deserialize, Serialize};

use crate::eval::Evaluation;
use crate::files::{RunFolder, write_json};

/// Scores of the model that training starts from.
#[derive(Clone, Serialize, Deserialize)]
pub struct Before {
    /// Scores on STS sets and development pairs, if either is given.
    pub scores: Option<Evaluation>,
}

impl Before {
    /// The scores in the folder of a finished run, if it has them.
    pub(super) fn read(run: &RunFolder) -> Option<Self> {
        // If they cannot be read, the model is scored again.
        serde_json::from_str(&std::fs::read_to_string(run.before()).ok()?).ok()
    }

    pub(super) fn write(&self, run: &RunFolder) -> crate::files::Result<()> {
        write_json(&run.before(), self)
    }

    /// Spearman x 100 on the development pairs.
    pub fn dev(&self) -> Option<f64> {
        self.scores.as_ref()?.dev_spearman
    }

    /// Spearman x 100, the average of the STS sets.
    pub fn sts(&self) -> Option<f64> {
        self.scores.as_ref().filter(|scores| !scores.tasks.is_empty()).map(|scores| scores.average)
    }
}

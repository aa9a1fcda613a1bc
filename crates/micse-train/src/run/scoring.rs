//! The evaluation sets of a run, and its scores on them.

use micse_data::{Suite, TransferSuite};
use micse_eval::{Embedder, Evaluation, Named, PairScores};

use super::Event;
use crate::Result;

/// What a finished model is scored on. A [`Suite`] alone converts into it.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationSets<'a> {
    /// The STS sets.
    pub suite: &'a Suite,
    /// The transfer tasks; `None`: they are not scored.
    pub transfer: Option<&'a TransferSuite>,
}

impl<'a> From<&'a Suite> for EvaluationSets<'a> {
    fn from(suite: &'a Suite) -> Self {
        Self { suite, transfer: None }
    }
}

/// Scores an embedder on all sets.
pub(super) fn score(
    embedder: &dyn Embedder,
    sets: EvaluationSets<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<(Evaluation, Named<PairScores>)> {
    let mut progress = |done, total| tell(Event::Evaluating { done, total });
    let (mut evaluation, pairs) = micse_eval::evaluate_pairs(embedder, sets.suite, &mut progress)?;
    if let Some(transfer) = sets.transfer {
        let mut progress = |_: &str, _, done, total| tell(Event::Evaluating { done, total });
        evaluation.transfer = Some(micse_eval::score_transfer(embedder, transfer, &mut progress)?);
    }
    Ok((evaluation, pairs))
}

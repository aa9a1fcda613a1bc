//! The end of a run: fits whitening or a flow, then saves, scores and documents the model.

use candle_core::DType;
use micse_model::{Pipeline, SentenceModel};

use super::clock::Clock;
use super::scoring::score;
use super::{Chosen, Event, Place, RunInputs, RunResult, card, post, save_cosines};
use crate::Result;

/// Which weights a run kept.
#[derive(Default)]
pub(super) struct Outcome {
    /// The step with the best development score, if one was kept.
    pub(super) selected: Option<usize>,
    /// The choice of the judge, if it was asked.
    pub(super) chosen: Option<Chosen>,
}

/// Fits whitening or a flow, saves the model with its card, and scores it.
pub(super) fn finish(
    place: &Place,
    inputs: &RunInputs<'_>,
    model: &SentenceModel<'_>,
    outcome: Outcome,
    clock: &Clock,
    tell: &mut dyn FnMut(Event),
) -> Result<RunResult> {
    let fitted: Pipeline;
    let model = match post::fit(inputs, model, tell)? {
        Some(stage) => {
            fitted = model.pipeline().clone().with_stage(stage)?;
            &fitted.with(model.encoder(), model.convolution())
        }
        None => model,
    };
    // The fit counts as training time.
    let trained = clock.elapsed();
    let model_folder = place.run.model();
    place.lock.check()?;
    if inputs.keep_model {
        model.save(&model_folder, inputs.base, DType::F32)?;
    }
    let (evaluation, pairs) = score(model, inputs.sets(), tell)?;
    place.lock.check()?;
    save_cosines(&place.run, &pairs)?;
    let result = RunResult::new(inputs, evaluation, outcome, trained, clock.elapsed());
    if inputs.keep_model {
        card::write(&model_folder, inputs, model, &result)?;
    }
    Ok(result)
}

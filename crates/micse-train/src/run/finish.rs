//! The end of a run: what comes behind the encoder is fitted, the model kept, scored and described.

use std::path::Path;

use candle_core::DType;
use micse_eval::{Embedder, ModelEmbedder, PostEmbedder};
use micse_model::save_model;
use micse_post::Stage;

use super::clock::Clock;
use super::post::{self, Finished};
use super::{Event, RunInputs, RunResult, card, save_cosines};
use crate::Result;

/// What a folder's `modules.json` calls whitening and flows.
pub(super) const POST_PROCESSING: &str = "PostProcessing";

/// Fits what comes behind the encoder, keeps the model with its card, and scores it.
pub(super) fn finish(
    folder: &Path,
    inputs: &RunInputs<'_>,
    model: &Finished<'_>,
    selected: Option<usize>,
    clock: &Clock,
    tell: &mut dyn FnMut(Event),
) -> Result<RunResult> {
    let stage = post::fit(inputs, model, tell)?;
    // A fit behind the encoder is training too.
    let trained = clock.elapsed();
    let model_folder = folder.join("model");
    let own_modules =
        inputs.keep_model.then(|| save(&model_folder, inputs, model, stage.as_ref())).transpose()?;
    let embedder = embedder(inputs, model);
    let with_stage = stage.as_ref().map(|stage| PostEmbedder::new(&embedder, stage));
    let embedder: &dyn Embedder = with_stage.as_ref().map_or(&embedder, |e| e);
    let (evaluation, pairs) = micse_eval::evaluate_pairs(embedder, inputs.suite, &mut |done, total| {
        tell(Event::Evaluating { done, total });
    })?;
    save_cosines(folder, &pairs)?;
    let result = RunResult::new(inputs, evaluation, selected, trained, clock.elapsed());
    if let Some(own_modules) = own_modules {
        card::write(&model_folder, inputs, model, embedder.dimension(), &own_modules, &result)?;
    }
    Ok(result)
}

/// The model as evaluation sees it, but for what comes behind the encoder.
pub(super) fn embedder<'a>(inputs: &RunInputs<'_>, model: &Finished<'a>) -> ModelEmbedder<'a> {
    ModelEmbedder::new(model.encoder, model.tokenizer, inputs.recipe.pooling.test)
        .with_convolution(model.convolution)
        .padded_to(inputs.recipe.max_length)
}

/// The model folder, with what stands behind the encoder. sentence-transformers has no module for that: the folder names
/// one that it does not find, so that it refuses the folder instead of leaving the part out. Gives these names.
fn save(
    folder: &Path,
    inputs: &RunInputs<'_>,
    model: &Finished<'_>,
    stage: Option<&Stage>,
) -> Result<Vec<&'static str>> {
    let pooling = inputs.recipe.pooling.test;
    save_model(folder, model.encoder, inputs.base, pooling, DType::F32)?;
    let mut parts = Vec::new();
    if let Some(convolution) = model.convolution {
        convolution.save(folder)?;
        parts.push("TokenConvolution");
    }
    if let Some(stage) = stage {
        stage.save(folder)?;
        parts.push(POST_PROCESSING);
    }
    if !parts.is_empty() {
        micse_model::folder::add_own_modules(folder, &parts)?;
    }
    Ok(parts)
}

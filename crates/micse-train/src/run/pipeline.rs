//! The pipeline around the encoder in a run: the pipeline of the base model folder, with the recipe's pooling.
//! Development scores, final scores and the saved model use it.

use micse_model::{AfterPooling, ModelFolder, Pipeline, TokenConvolution};

use super::{Event, RunInputs};
use crate::recipe::Post;
use crate::{Error, Result};

/// The run's pipeline.
///
/// # Errors
/// The base is not a model, or has a part that training would invalidate.
pub(super) fn of_run(inputs: &RunInputs<'_>) -> Result<Pipeline> {
    let (recipe, base) = (&inputs.recipe, inputs.base);
    let pipeline = Pipeline::load(base, Some(recipe.test_pooling()))?.padded_to(recipe.token_limit());
    let invalid = |reason: String| Err(Error::Recipe { name: recipe.name.clone(), reason });
    if recipe.steps > 0 {
        check_trainable(&pipeline, base)?;
    }
    let passes = |step: &AfterPooling| matches!(step, AfterPooling::Dropout(_));
    if recipe.convolution.is_some() && !pipeline.after_pooling().iter().all(passes) {
        return invalid(format!(
            "the recipe replaces the pooling by a convolution, but {} has modules after its pooling, which need \
             pooled rows; train from a copy of the folder whose modules.json ends with Pooling",
            base.root().display()
        ));
    }
    let flow = matches!(recipe.post, Some(Post::Flow { .. }));
    if pipeline.skips_prompt() && (flow || recipe.convolution.is_some()) {
        return invalid(format!(
            "{} excludes its prompt from the pooling, which does not work with a flow or a convolution; use another \
             recipe, or start from a copy of the folder without the prompt",
            base.root().display()
        ));
    }
    Ok(pipeline)
}

/// Rejects a model with a part that training its encoder would invalidate.
///
/// # Errors
/// The part, and the fix.
pub fn check_trainable(pipeline: &Pipeline, base: &ModelFolder) -> Result<()> {
    let refused = |reason: String| Err(Error::run(base.root(), reason));
    if let Some(stage) = pipeline.stage() {
        return refused(format!(
            "the model ends in a {} that was fitted to the embeddings of its encoder, which training changes; \
             train from a copy of the folder without post.json, post.safetensors and their entry in modules.json",
            stage.kind()
        ));
    }
    if base.path().join(TokenConvolution::SHAPE).is_file() {
        return refused(
            "the model's embeddings are the mean of a convolution, which training would not change with the encoder; \
             train from a copy of the folder without token_convolution.json, token_convolution.safetensors and their \
             entry in modules.json"
                .into(),
        );
    }
    Ok(())
}

/// A note on the parts that the saved model keeps unchanged, if any.
pub(crate) fn kept_parts(pipeline: &Pipeline) -> Option<String> {
    let kept = pipeline.kept_parts();
    (!kept.is_empty()).then(|| format!("the model keeps {} unchanged", kept.join(", ")))
}

/// Reports which parts the saved model keeps unchanged, and a pooling that differs from the base's.
pub(super) fn tell_of_kept_parts(inputs: &RunInputs<'_>, pipeline: &Pipeline, tell: &mut dyn FnMut(Event)) {
    if let Some(kept) = kept_parts(pipeline) {
        tell(Event::Notice(format!("{kept}; scores include them, the loss does not")));
    }
    let test = inputs.recipe.test_pooling();
    if let Ok(Some(own)) = inputs.base.pooling()
        && own != test
    {
        tell(Event::Notice(format!(
            "the model folder uses {own} pooling, the recipe {test}; pass --set pooling.train={own} --set \
             pooling.test={own} to keep the folder's pooling"
        )));
    }
}

//! Fits of whitening and flows: on the run's own training sentences, never on evaluation sentences.

use micse_data::EpochOrder;
use micse_model::post::{FlowOptions, FlowTrainer, Stage, Whitening};
use micse_model::{AfterPooling, Batch, Dropout, Mode, Pass, Pipeline, SentenceModel, Taps};
use micse_random::Stream;

use super::{Event, RunInputs};
use crate::recipe::Post;
use crate::{Error, Result};

/// Coordinates of the fit's streams, distinct from the trainer's.
const DROPOUT: u64 = 101;
const FLOW: u64 = 102;

/// Fits the recipe's stage, if it has one.
pub(super) fn fit(
    inputs: &RunInputs<'_>,
    model: &SentenceModel<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Option<Stage>> {
    let Some(post) = &inputs.recipe.post else { return Ok(None) };
    let count = inputs.text.indices.len();
    let texts: Vec<&str> = (0..count as u32).map(|number| inputs.text.sentence(number)).collect();
    let (length, positions) = (inputs.recipe.token_limit(), model.encoder().config().max_position_embeddings);
    if length > positions {
        tell(Event::Notice(format!(
            "max_length is {length}, but the encoder has {positions} positions: longer sentences are truncated to them \
             for the fit"
        )));
    }
    let ids = model.pipeline().tokenize(&texts, length.min(positions))?;
    let fitted_on = format!("{} sentences of {}", count, inputs.text.described.name());
    let stage = match *post {
        Post::Whitening { components } => {
            let whitening = Whitening::fit(&model.encode_before_stage(&ids)?, components)?;
            if whitening.dropped() > 0 {
                tell(Event::Notice(format!(
                    "whitening: {} of {} directions have no variance in {count} sentences and are omitted",
                    whitening.dropped(),
                    whitening.input_dimension()
                )));
            }
            Stage::Whitening { whitening, fitted_on }
        }
        Post::Flow { steps, batch_size, lr, dropout } => {
            let options = FlowOptions { learning_rate: lr, ..FlowOptions::default() };
            let seed = Stream::new(inputs.seed);
            let dimension = model.encoder().config().hidden_size;
            let mut trainer = FlowTrainer::new(options, dimension, seed.with(FLOW))?;
            let mut order = EpochOrder::new(count, batch_size, inputs.seed);
            tell(Event::Started { step: 0, steps });
            for step in 0..steps {
                // A fit takes minutes and has no checkpoint: the next start repeats it.
                if inputs.stop.requested() {
                    return Err(Error::Stopped { step: inputs.recipe.steps });
                }
                let batch: Vec<&Vec<u32>> =
                    order.batch(step).into_iter().map(|number| &ids[number as usize]).collect();
                let stream = seed.with(DROPOUT).with(step as u64);
                let mode = Mode::Training(Dropout { hidden: dropout, attention: dropout, stream });
                let taps = Taps { pooled: Some(inputs.recipe.test_pooling()), ..Taps::default() };
                let leaves =
                    model.encoder().forward(&Batch::new(&batch)?, &Pass { mode, gradients: false, taps })?;
                let missing = || micse_model::Error::Input("the encoder returned no pooled rows".into());
                let bits = trainer.step(&leaves.pooled.ok_or_else(missing)?)?;
                tell(Event::Fitting { step: step + 1, steps, bits });
            }
            Stage::Flow { flow: trainer.finish()?, fitted_on }
        }
    };
    Ok(Some(stage))
}

/// Rejects at the start inputs that the fit would reject.
pub(super) fn check(inputs: &RunInputs<'_>, pipeline: &Pipeline) -> Result<()> {
    let invalid = |reason: String| Err(Error::Recipe { name: inputs.recipe.name.clone(), reason });
    if inputs.recipe.post.is_some() && inputs.text.indices.len() < 2 {
        return invalid("a fit needs at least 2 sentences; use a larger split".into());
    }
    if let Some(Post::Whitening { components: Some(k) }) = inputs.recipe.post
        && k >= inputs.text.indices.len()
    {
        return invalid(format!(
            "post.components is {k}, but {} sentences span fewer directions; lower it, or use a larger split",
            inputs.text.indices.len()
        ));
    }
    if let (Some(_), Some(stage)) = (&inputs.recipe.post, pipeline.stage()) {
        return invalid(format!(
            "{} already ends in a {}; remove post.json, post.safetensors and its entry in modules.json from a copy of \
             the folder, and start from the copy",
            inputs.base.root().display(),
            stage.kind()
        ));
    }
    let passes = |step: &AfterPooling| matches!(step, AfterPooling::Dropout(_));
    if matches!(inputs.recipe.post, Some(Post::Flow { .. })) && !pipeline.after_pooling().iter().all(passes) {
        return invalid(format!(
            "a flow is fitted to pooled rows, but {} has modules after its pooling; start from a folder without them, \
             or use whitening",
            inputs.base.root().display()
        ));
    }
    if matches!(inputs.recipe.post, Some(Post::Flow { .. })) && inputs.recipe.convolution.is_some() {
        return invalid("a flow after a convolution is not supported; remove one of them".into());
    }
    Ok(())
}

//! The steps of a run: metrics, development scores and checkpoints.

use std::time::Duration;

use micse_model::Pipeline;

use super::clock::Clock;
use super::metrics::MetricsWriter;
use super::place::Pace;
use super::selection::{Selection, kept_values};
use super::{Event, Keep, Place, RunInputs};
use crate::trainer::Trainer;
use crate::{Error, Result};

/// Default steps between two checkpoints.
pub const CHECKPOINT_STEPS: usize = 500;
/// Default minutes after which a checkpoint is saved in any case.
pub const CHECKPOINT_MINUTES: f64 = 5.0;
/// Final steps that took longer than this are saved in a checkpoint before scoring.
const LAST_STRETCH: Duration = Duration::from_secs(30);
/// Steps between two lines of metrics; steps with a development score have one too.
const LOG_STEPS: usize = 10;

pub(super) fn train(
    place: &Place,
    inputs: &RunInputs<'_>,
    pipeline: &Pipeline,
    trainer: &mut Trainer,
    selection: &mut Selection,
    clock: &Clock,
    tell: &mut dyn FnMut(Event),
) -> Result<()> {
    let steps = inputs.recipe.steps;
    let interval = inputs.recipe.development_interval();
    let mut metrics = MetricsWriter::open(&place.run, trainer.steps_done(), inputs.tensorboard)?;
    let mut pace = Pace::new(inputs.checkpoint_steps, inputs.checkpoint_time);
    let mut warned = false;
    tell(Event::Started { step: trainer.steps_done(), steps });
    if trainer.steps_done() == 0
        && inputs.choice.as_ref().is_some_and(|choice| choice.rule.keep == Keep::Pairs)
    {
        let spearman = develop(inputs, pipeline, trainer, selection)?;
        tell(Event::Development { step: 0, spearman });
    }
    while trainer.steps_done() < steps {
        let next = trainer.steps_done() + 1;
        let selects = interval.is_some_and(|every| next.is_multiple_of(every) || next == steps);
        let logged = next == 1 || next.is_multiple_of(LOG_STEPS) || next == steps || selects;
        let report = trainer.step(&|number| inputs.text.sentence(number), logged)?;
        let development = if selects { Some(develop(inputs, pipeline, trainer, selection)?) } else { None };
        if logged {
            metrics.write(&report, development)?;
            if let (false, Some(warning)) = (warned, report.warning()) {
                tell(Event::Notice(warning));
                warned = true;
            }
        }
        metrics.count(&report);
        tell(Event::Step(report));
        let done = trainer.steps_done();
        if let Some(spearman) = development {
            tell(Event::Development { step: done, spearman });
        }
        let stopped = inputs.stop.requested();
        // Scoring takes time too, so a long stretch of steps is saved first.
        let last = done == steps && pace.since() >= LAST_STRETCH;
        if stopped || last || (pace.is_due(done) && done < steps) {
            // Metrics must reach the disk before the checkpoint that covers them.
            metrics.sync()?;
            place.lock.check()?;
            let facts = clock.facts(&selection.facts());
            trainer.save(&place.run.checkpoint(), &place.identity, &selection.tensors(), facts)?;
            pace.saved();
        }
        if stopped {
            return Err(Error::Stopped { step: done });
        }
    }
    Ok(())
}

/// Scores the development pairs, and keeps the weights if they are the best so far.
fn develop(
    inputs: &RunInputs<'_>,
    pipeline: &Pipeline,
    trainer: &Trainer,
    selection: &mut Selection,
) -> Result<f64> {
    let failed = |reason: &str| Error::Training { step: trainer.steps_done(), reason: reason.into() };
    let dev = inputs.recipe.select.pairs(inputs.suite);
    let dev = dev.ok_or_else(|| failed("no development pairs"))?;
    let spearman = micse_eval::dev_spearman(&pipeline.with(trainer.encoder(), trainer.convolution()), dev)?;
    if spearman.is_nan() {
        return Err(failed(
            "the development score is undefined, because all cosines of the pairs are equal; lower optimizer.lr",
        ));
    }
    if selection.step.is_none() || spearman > selection.score {
        selection.step = Some(trainer.steps_done());
        selection.score = spearman;
        selection.values = Some(kept_values(trainer)?);
    }
    Ok(spearman)
}

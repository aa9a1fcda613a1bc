//! A run is a readable folder: its description, its metrics, its results.
//!
//! ```text
//! run.toml              everything that determines the run
//! metrics.jsonl         one line per logged step
//! events.out.tfevents.micse  the same for TensorBoard, if requested
//! checkpoint/           enough to resume bit for bit; removed once the result exists
//! model/                the finished encoder, as sentence-transformers and transformers load it, with a model card
//! cosines.safetensors   cosine and human score of every evaluation pair
//! result.json           scores; exists once the run is done
//! ```

pub mod card;
mod choice;
mod claim;
pub(crate) mod clock;
mod cosines;
mod difference;
mod finish;
mod manifest;
pub(crate) mod metrics;
mod pipeline;
pub(crate) mod place;
mod post;
mod result;
mod scoring;
mod selection;
mod tensorboard;
mod training;
mod without_training;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use micse_data::{Corpus, Split, SplitSize, Suite, TransferSuite};
use micse_files::write_json;
use micse_model::{Compute, MaskedLmHead, ModelFolder, Pipeline};

use crate::recipe::Recipe;
use crate::trainer::{StepReport, Trainer};
use crate::{Error, Result, Stop, Terms};
pub use card::{CardFacts, FrontMatter};
pub use choice::{Candidate, Choice, Chosen, Keep, Rule, SHARES};
pub(crate) use claim::not_of_a_run;
pub use claim::{OtherCpu, check_claim, claim, identity};
use clock::Clock;
pub use cosines::{load_cosines, save_cosines};
pub use difference::first_difference;
use finish::{Outcome, finish};
pub use manifest::{Manifest, SplitText, cpu_features, hash_of_encoder, hash_of_modules};
pub use metrics::{Metrics, open_metrics};
pub use micse_files::{Lock, RunFolder};
pub use pipeline::check_trainable;
pub(crate) use pipeline::kept_parts;
use place::{Place, remove_checkpoint};
pub use result::RunResult;
pub use scoring::EvaluationSets;
use selection::Selection;
use training::train;
pub use training::{CHECKPOINT_MINUTES, CHECKPOINT_STEPS};
pub use without_training::{scored_file, untrained};

/// The sentences of a run.
pub struct TrainText {
    /// The sentences.
    pub corpus: Corpus,
    /// The sentences of the split, in its order.
    pub indices: Vec<u32>,
    /// The columns *train text* and *size* in tables.
    pub described: SplitText,
}

impl TrainText {
    /// The low-shot split of a corpus.
    ///
    /// # Errors
    /// The corpus is too small for the size.
    pub fn split(corpus: Corpus, size: SplitSize, seed: u64) -> Result<Self> {
        let split = Split::draw(corpus.len(), size, seed)?;
        let described = SplitText::new(&corpus, size.to_string(), split.indices.len());
        Ok(Self { corpus, indices: split.indices, described })
    }

    /// All sentences of a corpus in their order, for a split that was drawn elsewhere.
    pub fn whole(corpus: Corpus, size: &str) -> Self {
        let described = SplitText::new(&corpus, size.to_owned(), corpus.len());
        Self { indices: (0..corpus.len() as u32).collect(), corpus, described }
    }

    /// A sentence by its number in the split.
    pub fn sentence(&self, number: u32) -> &str {
        self.corpus.get(self.indices[number as usize] as usize)
    }
}

/// The inputs of a run.
pub struct RunInputs<'a> {
    /// The method.
    pub recipe: Recipe,
    /// Seed of dropout, order, sampling and initialisation.
    pub seed: u64,
    /// The sentences.
    pub text: &'a TrainText,
    /// The encoder that training starts from.
    pub base: &'a ModelFolder,
    /// The STS sets for scoring the finished encoder; their development pairs select the weights if the recipe requests
    /// it.
    pub suite: &'a Suite,
    /// Transfer tasks for scoring the finished encoder, usually `None`.
    pub transfer: Option<&'a TransferSuite>,
    /// How a judge or development pairs choose the weights, the start's among them; usually `None`.
    pub choice: Option<Choice>,
    /// Terms that the recipe names as custom, usually [`Terms::none`].
    pub terms: Terms,
    /// Where and how the encoder is computed.
    pub compute: Compute,
    /// Sentences encoded at a time; `None`: whole batches. See [`Trainer::in_chunks`].
    pub chunk: Option<NonZeroUsize>,
    /// Whether `model/` is saved.
    pub keep_model: bool,
    /// Facts for the model card that the run does not know.
    pub card: CardFacts,
    /// Whether to write an event file for TensorBoard ([`RunFolder::events`]).
    pub tensorboard: bool,
    /// Resume from a checkpoint of a different kind of CPU.
    pub allow_other_cpu: bool,
    /// Steps between two checkpoints, usually [`CHECKPOINT_STEPS`].
    pub checkpoint_steps: usize,
    /// Time after which a checkpoint is saved in any case, usually [`CHECKPOINT_MINUTES`].
    pub checkpoint_time: Duration,
    /// Requests a checkpoint and a stop.
    pub stop: Stop,
    /// How long to wait for another process that uses this run folder.
    pub patience: Duration,
}

impl<'a> RunInputs<'a> {
    /// The required inputs, the recipe with its values for this number of sentences, and defaults for the rest: no
    /// custom terms, whole batches, no saved model, no events for TensorBoard.
    pub fn new(
        recipe: Recipe,
        seed: u64,
        text: &'a TrainText,
        base: &'a ModelFolder,
        suite: &'a Suite,
        compute: Compute,
    ) -> Self {
        Self {
            recipe: recipe.for_sentences(text.indices.len()),
            seed,
            text,
            base,
            suite,
            transfer: None,
            choice: None,
            terms: Terms::none(),
            compute,
            chunk: None,
            keep_model: false,
            card: CardFacts::default(),
            tensorboard: false,
            allow_other_cpu: false,
            checkpoint_steps: CHECKPOINT_STEPS,
            checkpoint_time: Duration::from_secs_f64(60.0 * CHECKPOINT_MINUTES),
            stop: Stop::new(),
            patience: Duration::ZERO,
        }
    }

    /// The sets for scoring the finished encoder.
    pub(crate) fn sets(&self) -> EvaluationSets<'a> {
        EvaluationSets { suite: self.suite, transfer: self.transfer }
    }
}

/// The progress of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Training starts, or resumes, after this many finished steps.
    Started {
        /// Finished steps.
        step: usize,
        /// Total steps.
        steps: usize,
    },
    /// A step is done.
    Step(StepReport),
    /// A development score, times 100.
    Development {
        /// Finished steps.
        step: usize,
        /// Spearman times 100.
        spearman: f64,
    },
    /// A step of the fit of a flow.
    Fitting {
        /// The step, from 1.
        step: usize,
        /// Total steps of the fit.
        steps: usize,
        /// The flow's bits per dimension.
        bits: f64,
    },
    /// The progress of the judge, in texts.
    Judging {
        /// Embedded so far.
        done: usize,
        /// Total.
        total: usize,
    },
    /// The progress of an evaluation, in sentences.
    Evaluating {
        /// Embedded so far.
        done: usize,
        /// Total.
        total: usize,
    },
    /// A notice for the user.
    Notice(String),
}

/// Trains and scores one model, or resumes an earlier start. If `result.json` exists, it is read and nothing runs.
///
/// # Errors
/// The folder belongs to another run or cannot be written; training or scoring fails; a stop was requested.
pub fn run(folder: &Path, inputs: &RunInputs<'_>, tell: &mut dyn FnMut(Event)) -> Result<RunResult> {
    let pipeline = pipeline::of_run(inputs)?;
    check_ends(inputs, &pipeline)?;
    let lock = Lock::take(folder, inputs.patience)?;
    let run = RunFolder::new(folder);
    let manifest = Manifest::of_run(inputs)?;
    claim(folder, &manifest, other_cpu(&run, inputs))?;
    micse_files::remove_leftovers(folder)?;
    // Only these two folders certainly belong to the run, including the modules' folders in the model.
    for own in [run.checkpoint_folder(), run.model()] {
        micse_files::remove_leftovers_below(&own)?;
    }
    if run.is_finished() {
        remove_checkpoint(&run)?;
        return RunResult::load(&run);
    }
    let place = Place::new(run, lock, &manifest)?;
    let checkpoint = place.run.checkpoint();
    if let Some(notice) = place.set_aside_foreign()? {
        tell(Event::Notice(notice));
    }
    let mut clock = Clock::start();
    let mut selection = Selection::default();
    let result = if inputs.recipe.steps == 0 {
        let model = pipeline.into_model(inputs.base, &inputs.compute)?;
        finish(&place, inputs, &model, Outcome::default(), &clock, tell)?
    } else {
        let mut trainer = start(inputs)?;
        if checkpoint.is_file() {
            let (best, facts) = trainer.restore(&checkpoint, "best.")?;
            selection.restore(best, &facts["selection"]);
            clock.restore(&facts);
        }
        pipeline::tell_of_kept_parts(inputs, &pipeline, tell);
        train(&place, inputs, &pipeline, &mut trainer, &mut selection, &clock, tell)?;
        selection.take(&mut trainer)?;
        check_finite(&trainer)?;
        let chosen = match &inputs.choice {
            Some(choice) => choice.choose(inputs, &pipeline, &mut trainer, tell)?,
            None => None,
        };
        let model = pipeline.with(trainer.encoder(), trainer.convolution());
        finish(&place, inputs, &model, Outcome { selected: selection.step, chosen }, &clock, tell)?
    };
    place.lock.check()?;
    write_json(&place.run.result(), &result)?;
    remove_checkpoint(&place.run)?;
    Ok(result)
}

/// Whether a run may have begun on a different kind of CPU.
fn other_cpu(run: &RunFolder, inputs: &RunInputs<'_>) -> OtherCpu {
    match (run.is_finished(), inputs.allow_other_cpu) {
        (true, _) => OtherCpu::Ignore,
        (false, true) => OtherCpu::Record,
        (false, false) => OtherCpu::Refuse,
    }
}

/// Rejects weights that the last step made undefined: no loss was computed with them.
fn check_finite(trainer: &Trainer) -> Result<()> {
    for value in trainer.encoder().values()? {
        if !value.flatten_all()?.to_vec1::<f32>()?.iter().all(|value| value.is_finite()) {
            let reason = "the weights contain NaN or infinity after this step; lower optimizer.lr".to_owned();
            return Err(Error::Training { step: trainer.steps_done(), reason });
        }
    }
    Ok(())
}

/// A trainer at step 0.
fn start(inputs: &RunInputs<'_>) -> Result<Trainer> {
    let (encoder, tokenizer) = (inputs.base.encoder(&inputs.compute)?, inputs.base.tokenizer()?);
    let sentences = inputs.text.indices.len();
    let device = &inputs.compute.device;
    let mut trainer =
        Trainer::new(inputs.recipe.clone(), inputs.seed, encoder, tokenizer, sentences, device)?
            .with_terms(inputs.terms.clone())?;
    if let Some(sentences) = inputs.chunk {
        trainer = trainer.in_chunks(sentences)?;
    }
    let config = inputs.base.config()?;
    let head = || MaskedLmHead::in_folder(inputs.base.path(), &config, device);
    if inputs.recipe.masked_lm().is_some()
        && let Some(head) = head()?
    {
        trainer = trainer.with_masked_lm_head(head);
    }
    if inputs.recipe.replaced_tokens().is_some() {
        let missing = || inputs.recipe.without_generator(inputs.base);
        trainer = trainer.with_generator_head(head()?.ok_or_else(missing)?);
    }
    Ok(trainer)
}

/// Rejects a model or recipe that [`run`] would reject, without touching the run folder.
///
/// # Errors
/// The recipe does not fit the model, the corpus or the evaluation sets.
pub fn check(inputs: &RunInputs<'_>) -> Result<()> {
    check_ends(inputs, &pipeline::of_run(inputs)?)
}

/// Rejects a folder that [`run`] would reject. Leaves nothing but a lock file, or empty parents of a new folder.
///
/// # Errors
/// The folder belongs to another run or to another process, or cannot be written.
pub fn check_folder(folder: &Path, inputs: &RunInputs<'_>) -> Result<()> {
    let run = RunFolder::new(folder);
    check_claim(folder, &Manifest::of_run(inputs)?, other_cpu(&run, inputs))?;
    if run.is_finished() {
        return Ok(());
    }
    let made = !folder.exists();
    let lock = Lock::take(folder, inputs.patience)?;
    if made {
        std::fs::remove_file(folder.join(Lock::FILE)).map_err(Error::io(folder))?;
        std::fs::remove_dir(folder).map_err(Error::io(folder))?;
    }
    drop(lock);
    Ok(())
}

/// Rejects a folder that belongs to another run, on whatever kind of CPU this one began, and changes nothing in it.
///
/// # Errors
/// The folder belongs to another run, or an input cannot be read.
pub fn check_identity(folder: &Path, inputs: &RunInputs<'_>) -> Result<()> {
    check_claim(folder, &Manifest::of_run(inputs)?, OtherCpu::Ignore)
}

/// Rejects inputs that would fail only at the end of a run.
fn check_ends(inputs: &RunInputs<'_>, pipeline: &Pipeline) -> Result<()> {
    let recipe = &inputs.recipe;
    if i64::try_from(inputs.seed).is_err() {
        let reason = format!("the seed {} is too large; use one of at most {}", inputs.seed, i64::MAX);
        return Err(Error::Recipe { name: recipe.name.clone(), reason });
    }
    if inputs.chunk.is_some() {
        recipe.check_chunks()?;
        inputs.terms.check_chunks(recipe)?;
    }
    if let Some(choice) = &inputs.choice {
        choice.check(inputs)?;
    }
    post::check(inputs, pipeline)?;
    inputs.terms.check(recipe)?;
    recipe.check_inputs(inputs.base, inputs.suite)?;
    if let Some(pooling) = recipe.unsaved_pooling().filter(|_| inputs.keep_model) {
        let reason = format!(
            "a saved model supports only the poolings cls and mean, not {pooling}; use --set pooling.test=mean, or \
             do not keep the model"
        );
        return Err(Error::Recipe { name: recipe.name.clone(), reason });
    }
    Ok(())
}

//! A run is a folder that a person can read: what decided it, how it went, what came out.
//!
//! ```text
//! run.toml              everything that decided the run
//! metrics.jsonl         a line per logged step
//! events.out.tfevents.micse  the same for TensorBoard, where it was asked for
//! checkpoint/           enough to go on bit for bit; gone once the result stands
//! model/                the finished encoder, as sentence-transformers and transformers load it, with a model card
//! cosines.safetensors   cosine and human score of every evaluation pair
//! result.json           scores; its presence means: done
//! ```

pub mod card;
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
mod selection;
mod tensorboard;
mod training;
mod without_training;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use micse_data::{Corpus, Split, SplitSize, Suite};
use micse_files::write_json;
use micse_model::{Compute, MaskedLmHead, ModelFolder, Pipeline, Pooling};

use crate::recipe::{Recipe, Select};
use crate::trainer::{StepReport, Trainer};
use crate::{Error, Result, Stop, Terms};
pub use card::{CardFacts, FrontMatter};
use clock::Clock;
pub use cosines::{COSINES_FILE, load_cosines, save_cosines};
pub use difference::first_difference;
use finish::finish;
pub use manifest::{
    Manifest, OtherCpu, SplitText, claim, cpu_features, hash_of_encoder, hash_of_modules, identity,
};
pub use metrics::open_metrics;
pub use micse_files::Lock;
pub use pipeline::check_trainable;
pub(crate) use pipeline::kept_parts;
use place::{Place, checkpoint_in, remove_checkpoint};
pub use result::RunResult;
use selection::Selection;
pub use tensorboard::EVENTS_FILE;
use training::train;
pub use training::{CHECKPOINT_STEPS, CHECKPOINT_TIME};
pub use without_training::{scored_file, untrained};

/// What a run trains on.
pub struct TrainText {
    /// The sentences.
    pub corpus: Corpus,
    /// Which of them, in the split's order.
    pub indices: Vec<u32>,
    /// What *train text* and *size* say in tables.
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

    /// All sentences of a corpus in their order: a split file that was drawn elsewhere.
    pub fn whole(corpus: Corpus, size: &str) -> Self {
        let described = SplitText::new(&corpus, size.to_owned(), corpus.len());
        Self { indices: (0..corpus.len() as u32).collect(), corpus, described }
    }

    /// A sentence by its number in the split.
    pub fn sentence(&self, number: u32) -> &str {
        self.corpus.get(self.indices[number as usize] as usize)
    }
}

/// What a run needs.
pub struct RunInputs<'a> {
    /// The method.
    pub recipe: Recipe,
    /// Seed of dropout, order, sampling and initialisation.
    pub seed: u64,
    /// The sentences.
    pub text: &'a TrainText,
    /// The encoder that training starts from.
    pub base: &'a ModelFolder,
    /// What the finished encoder is scored on; its development pairs select where the recipe says so.
    pub suite: &'a Suite,
    /// Terms that the recipe names as custom, usually [`Terms::none`].
    pub terms: Terms,
    /// Where and how the encoder is computed.
    pub compute: Compute,
    /// Sentences that are encoded at a time; `None`: the whole batch. See [`Trainer::in_chunks`].
    pub chunk: Option<NonZeroUsize>,
    /// Whether `model/` is kept.
    pub keep_model: bool,
    /// What its model card says beside what the run knows.
    pub card: CardFacts,
    /// Whether there is an event file for TensorBoard, [`EVENTS_FILE`].
    pub tensorboard: bool,
    /// Go on with a checkpoint that another kind of processor wrote.
    pub allow_other_cpu: bool,
    /// Steps between two checkpoints, usually [`CHECKPOINT_STEPS`].
    pub checkpoint_steps: usize,
    /// Asks the run to write a checkpoint and end.
    pub stop: Stop,
    /// How long to wait for another process that works on this run.
    pub patience: Duration,
}

impl<'a> RunInputs<'a> {
    /// What a run cannot do without; the rest is as usual: no custom terms, whole batches, the model is not kept, no
    /// events for TensorBoard.
    pub fn new(
        recipe: Recipe,
        seed: u64,
        text: &'a TrainText,
        base: &'a ModelFolder,
        suite: &'a Suite,
        compute: Compute,
    ) -> Self {
        Self {
            recipe,
            seed,
            text,
            base,
            suite,
            terms: Terms::none(),
            compute,
            chunk: None,
            keep_model: false,
            card: CardFacts::default(),
            tensorboard: false,
            allow_other_cpu: false,
            checkpoint_steps: CHECKPOINT_STEPS,
            stop: Stop::new(),
            patience: Duration::ZERO,
        }
    }
}

/// What a run tells while it works.
#[derive(Clone, Debug)]
pub enum Event {
    /// Training starts, or goes on, after this many finished steps.
    Started {
        /// Finished steps.
        step: usize,
        /// All steps.
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
    /// A step of the fit of what is done to finished embeddings.
    Fitting {
        /// The step, from 1.
        step: usize,
        /// All steps of the fit.
        steps: usize,
        /// The flow's bits per dimension.
        bits: f64,
    },
    /// Evaluation: sentences embedded so far, and in all.
    Evaluating {
        /// Embedded so far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// Something that the user should know.
    Notice(String),
}

/// Trains and scores one model, or goes on where an earlier start stopped. If `result.json` stands
/// already, it is read and nothing runs.
///
/// # Errors
/// The folder belongs to another run or cannot be written; training or scoring fails; it was asked to stop.
pub fn run(folder: &Path, inputs: &RunInputs<'_>, tell: &mut dyn FnMut(Event)) -> Result<RunResult> {
    let pipeline = pipeline::of_run(inputs)?;
    check_ends(inputs, &pipeline)?;
    let lock = Lock::take(folder, inputs.patience)?;
    let result_path = folder.join("result.json");
    let other_cpu = match (result_path.is_file(), inputs.allow_other_cpu) {
        (true, _) => OtherCpu::Ignore,
        (false, true) => OtherCpu::Record,
        (false, false) => OtherCpu::Refuse,
    };
    let manifest = Manifest::of_run(inputs)?;
    claim(folder, &manifest, other_cpu)?;
    micse_files::remove_leftovers(folder)?;
    // What else lies in the folder may be others'; these two are the run's own, with the modules' folders in the model.
    for own in ["checkpoint", "model"] {
        micse_files::remove_leftovers_below(&folder.join(own))?;
    }
    let checkpoint = checkpoint_in(folder);
    if result_path.is_file() {
        remove_checkpoint(&checkpoint)?;
        return RunResult::load(&result_path);
    }
    let place = Place::new(folder, lock, &manifest)?;
    if let Some(notice) = place.set_aside_foreign()? {
        tell(Event::Notice(notice));
    }
    let mut clock = Clock::start();
    let mut selection = Selection::default();
    let result = if inputs.recipe.steps == 0 {
        let model = pipeline.into_model(inputs.base, &inputs.compute)?;
        finish(&place, inputs, &model, None, &clock, tell)?
    } else {
        let mut trainer = start(inputs)?;
        if place.checkpoint.is_file() {
            let (best, facts) = trainer.restore(&place.checkpoint, "best.")?;
            selection.restore(best, &facts["selection"]);
            clock.restore(&facts);
        }
        pipeline::tell_of_kept_parts(inputs, &pipeline, tell);
        train(&place, inputs, &pipeline, &mut trainer, &mut selection, &clock, tell)?;
        selection.take(&mut trainer)?;
        let model = pipeline.with(trainer.encoder(), trainer.convolution());
        finish(&place, inputs, &model, selection.step, &clock, tell)?
    };
    place.lock.check()?;
    write_json(&result_path, &result)?;
    remove_checkpoint(&place.checkpoint)?;
    Ok(result)
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
        let missing = || Error::Recipe {
            name: inputs.recipe.name.clone(),
            reason: format!(
                "replaced-tokens needs a masked-LM to fill tokens in, but {} has no head for it \
                 (mlm_head.safetensors, or cls.predictions among its weights); take an encoder that was saved with it",
                inputs.base.path().display()
            ),
        };
        trainer = trainer.with_generator_head(head()?.ok_or_else(missing)?);
    }
    Ok(trainer)
}

/// Refuses what [`run`] would refuse of the model and the recipe, without touching the run's folder.
///
/// # Errors
/// The recipe does not fit the model, the text or the evaluation sets.
pub fn check(inputs: &RunInputs<'_>) -> Result<()> {
    check_ends(inputs, &pipeline::of_run(inputs)?)
}

/// What could not be done at the end is refused at the start.
fn check_ends(inputs: &RunInputs<'_>, pipeline: &Pipeline) -> Result<()> {
    let recipe = &inputs.recipe;
    if inputs.chunk.is_some() {
        recipe.check_chunks()?;
    }
    post::check(inputs, pipeline)?;
    inputs.terms.check(recipe)?;
    let invalid = |reason: String| Err(Error::Recipe { name: recipe.name.clone(), reason });
    if recipe.select != Select::Last && recipe.select.pairs(inputs.suite).is_none() {
        let (pairs, remedy) = match recipe.select {
            Select::SickrDev if inputs.suite.dev.is_some() => {
                ("SICK's trial pairs", "add SICK/SICK_trial.txt, or use --set select=stsb-dev")
            }
            Select::SickrDev => ("SICK's trial pairs", "add SICK/SICK_trial.txt, or use --set select=last"),
            _ => ("STS-B dev", "add STS-B, or use --set select=last"),
        };
        return invalid(format!("it selects on {pairs}, but `{}` has none; {remedy}", inputs.suite.name));
    }
    let pooling = recipe.pooling.test;
    if inputs.keep_model && !matches!(pooling, Pooling::Cls | Pooling::Mean) {
        return invalid(format!(
            "a model folder can say the pooling cls or mean only, not {pooling}; use --set pooling.test=mean, or \
             do not keep the model"
        ));
    }
    Ok(())
}

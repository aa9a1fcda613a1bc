//! Adapts a model to a text without labels, as `micse train` does: chooses a recipe, holds sentences out for a judge,
//! trains, and keeps the weights that the judge or labelled pairs prefer.
//!
//! ```no_run
//! use micse::adapt::{Adaptation, Request};
//! use micse::data::Corpus;
//! use micse::model::{Compute, ModelFolder};
//! use micse::train::Stop;
//!
//! let base = ModelFolder::open("all-MiniLM-L6-v2".as_ref())?;
//! let corpus = Corpus::open(&["notes.txt".into()])?;
//! let adaptation = Adaptation::prepare(base, corpus, Request::default(), Compute::cpu())?;
//! let stop = Stop::new();
//! let before = adaptation.score_start("runs/notes".as_ref(), &stop, &mut |_done, _total| {})?;
//! let result = adaptation.run("runs/notes".as_ref(), &before, &stop, &mut |_event| {})?;
//! println!("share of the change that was kept: {}", result.chosen.map_or(1.0, |chosen| chosen.share));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! docs/adapt-to-your-domain.md explains the judge, the settings, and what they deliver.

mod before;
mod error;
mod recipe;
mod settings;
mod text;

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::SentenceModel;
use crate::data::{Corpus, Error as DataError, SplitSize, Suite, Task};
use crate::eval::judge::{Judge, Purpose};
use crate::eval::{Embedder, evaluate};
use crate::files::RunFolder;
use crate::model::{Compute, ModelFolder};
use crate::train::recipe::Select;
use crate::train::run::check_folder;
use crate::train::run::{CHECKPOINT_MINUTES, CHECKPOINT_STEPS, CardFacts, Choice, Keep, Rule};
use crate::train::{Event, Recipe, RunInputs, RunResult, Stop, TrainText, check, run};
pub use before::Before;
pub use error::{Error, Result};

/// The seed of an adaptation whose [`Request`] sets none.
pub const DEFAULT_SEED: u64 = 48;
/// The fewest distinct sentences of which some are held out for the judge.
const FEWEST: usize = 60;
/// The fewest held-out sentences that must be long enough for half-sentence search to judge search.
const FEWEST_HALVED: usize = 20;

/// A model that fails to embed once a stop is requested.
struct Stoppable<'a> {
    model: &'a SentenceModel<'static>,
    stop: &'a Stop,
}

impl Embedder for Stoppable<'_> {
    fn dimension(&self) -> usize {
        Embedder::dimension(self.model)
    }

    fn truncate_dim(&self) -> Option<usize> {
        Embedder::truncate_dim(self.model)
    }

    fn embed(
        &self,
        sentences: &[&str],
    ) -> std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.model.encode_watched(sentences, &|_| !self.stop.requested())?)
    }
}

/// What a user asks of an adaptation. Everything has a default.
#[derive(Clone, Debug)]
pub struct Request {
    /// A built-in recipe or `file.toml`; `None`: the one that did best of those measured.
    pub recipe: Option<String>,
    /// Use the recipe's published settings instead of those measured for adaptations.
    pub published_settings: bool,
    /// Optimizer steps.
    pub steps: Option<usize>,
    /// Sentences to draw from the corpus; some of them are held out for the judge.
    pub size: SplitSize,
    /// Seed of split, order, dropout and initialization.
    pub seed: u64,
    /// Terms to add to the recipe, such as `ami`.
    pub with: Vec<String>,
    /// Changes of the recipe, as `KEY=VALUE`.
    pub settings: Vec<String>,
    /// Development pairs: scored before and after, and they choose the weights.
    pub pairs: Option<Task>,
    /// STS sets, scored before and after.
    pub sts: Option<Suite>,
    /// What is kept.
    pub keep: Kept,
    /// What the model is for, without [`Self::pairs`]; `None`: grouping must get better, and search must not get worse.
    pub purpose: Option<Purpose>,
    /// Sentences encoded at a time; `None`: whole batches.
    pub chunk: Option<NonZeroUsize>,
    /// Steps between two checkpoints.
    pub checkpoint_steps: usize,
    /// Time after which a checkpoint is saved in any case.
    pub checkpoint_time: Duration,
    /// Resume from a checkpoint that a different kind of CPU wrote.
    pub allow_other_cpu: bool,
    /// Facts for the model card.
    pub card: CardFacts,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            recipe: None,
            published_settings: false,
            steps: None,
            size: SplitSize::Fraction(1.0),
            seed: DEFAULT_SEED,
            with: Vec::new(),
            settings: Vec::new(),
            pairs: None,
            sts: None,
            keep: Kept::default(),
            purpose: None,
            chunk: None,
            checkpoint_steps: CHECKPOINT_STEPS,
            checkpoint_time: Duration::from_secs_f64(60.0 * CHECKPOINT_MINUTES),
            allow_other_cpu: false,
            card: CardFacts::default(),
        }
    }
}

/// Which weights an adaptation keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// The best by the development pairs, or else by the judge; the start's if none is better.
    #[default]
    Best,
    /// Those of the last step.
    Last,
}

/// A line for the user: what was chosen, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Something to know.
    Plain(String),
    /// Something to act on.
    Notice(String),
}

/// An adaptation that is ready to run: its recipe is chosen, its sentences are drawn, some of them are held out.
pub struct Adaptation {
    request: Request,
    base: ModelFolder,
    text: TrainText,
    suite: Suite,
    judge: Option<Judge>,
    recipe: Recipe,
    compute: Compute,
    notes: Vec<Note>,
}

impl Adaptation {
    /// Chooses the recipe for the model and the corpus, and the sentences that the judge gets.
    ///
    /// # Errors
    /// The corpus is smaller than the requested size or has too few distinct sentences, the recipe does not exist, its
    /// settings cannot be combined, or pairs that choose the weights are requested together with a purpose.
    pub fn prepare(base: ModelFolder, corpus: Corpus, request: Request, compute: Compute) -> Result<Self> {
        if request.keep == Kept::Best && request.pairs.is_some() && request.purpose.is_some() {
            return Err(Error::PurposeAndPairs);
        }
        if let Some((pairs, score)) =
            request.pairs.as_ref().and_then(|pairs| Some((pairs, pairs.only_score()?)))
        {
            let (path, count) = (pairs.name.clone().into(), pairs.len());
            return Err(DataError::EqualScores { path, count, score }.into());
        }
        let mut notes = Vec::new();
        let mut text = TrainText::split(corpus, request.size, request.seed)?;
        let blank_lines = text.corpus.info().blank_lines;
        if blank_lines > 0 {
            notes.push(Note::Notice(format!("skipped {blank_lines} blank lines")));
        }
        notes.extend(text::unknown_words(&base, &text)?);
        let judge = judge(&request, &mut text, &mut notes)?;
        let recipe = recipe::choose(&request, text.indices.len(), &base, &mut notes)?;
        notes.extend(text::unchanged(&recipe, &text));
        if judge.is_none() && recipe.unjudged().is_none() {
            notes.push(too_few(text.distinct(), keep(&request, &recipe)));
        }
        let mut suite = match &request.sts {
            Some(suite) => suite.clone(),
            None => Suite { name: "none".into(), tasks: Vec::new(), dev: None, sick_dev: None },
        };
        if let Some(pairs) = &request.pairs {
            suite.dev = Some(pairs.clone());
        }
        Ok(Self { request, base, text, suite, judge, recipe, compute, notes })
    }

    /// What was chosen, and why: one line each.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Scores the model that training starts from on the STS sets and development pairs, if there are any, or reads the
    /// scores in the folder of a finished run. `progress` receives the sentences done and their total.
    ///
    /// # Errors
    /// [`Self::run`] would fail, scoring fails, or a stop was requested ([`Error::Stopped`]).
    pub fn score_start(
        &self,
        out: &Path,
        stop: &Stop,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Before> {
        let inputs = self.inputs(stop);
        // Fails now rather than after minutes of scoring.
        check(&inputs)?;
        check_folder(out, &inputs)?;
        let folder = RunFolder::new(out);
        if let Some(before) = folder.is_finished().then(|| Before::read(&folder)).flatten() {
            return Ok(before);
        }
        if self.request.pairs.is_none() && self.request.sts.is_none() {
            return Ok(Before { scores: None });
        }
        let own = self.base.pooling().ok().flatten();
        let pooling = own.unwrap_or(self.recipe.test_pooling());
        let model = SentenceModel::load(&self.base, Some(pooling), &self.compute)?;
        match evaluate(&Stoppable { model: &model, stop }, &self.suite, progress) {
            Ok(scores) => Ok(Before { scores: Some(scores) }),
            Err(_) if stop.requested() => Err(Error::Stopped),
            Err(error) => Err(error.into()),
        }
    }

    /// Trains and chooses the weights, or resumes an earlier start in this folder. The model is in
    /// [`RunFolder::model`]. A finished run is only read.
    ///
    /// # Errors
    /// The folder belongs to another run or cannot be written, or the model of a finished run is missing; training or
    /// scoring fails; a stop was requested ([`crate::train::Error::Stopped`]).
    pub fn run(
        &self,
        out: &Path,
        before: &Before,
        stop: &Stop,
        tell: &mut dyn FnMut(Event),
    ) -> Result<RunResult> {
        let mut inputs = self.inputs(stop);
        inputs.card.untrained.clone_from(&before.scores);
        let result = run(out, &inputs, tell)?;
        let folder = RunFolder::new(out);
        folder.finished_model()?;
        before.write(&folder)?;
        Ok(result)
    }

    fn inputs(&self, stop: &Stop) -> RunInputs<'_> {
        let request = &self.request;
        let keep = keep(request, &self.recipe);
        let rule = Rule { keep, purpose: request.purpose };
        let chooses = self.judge.is_some() || (keep == Keep::Pairs && self.recipe.unjudged().is_none());
        RunInputs {
            chunk: request.chunk,
            choice: chooses.then(|| Choice { judge: self.judge.clone(), rule }),
            keep_model: true,
            tensorboard: true,
            allow_other_cpu: request.allow_other_cpu,
            checkpoint_steps: request.checkpoint_steps,
            checkpoint_time: request.checkpoint_time,
            stop: stop.clone(),
            card: request.card.clone(),
            ..RunInputs::new(
                self.recipe.clone(),
                request.seed,
                &self.text,
                &self.base,
                &self.suite,
                self.compute.clone(),
            )
        }
    }
}

/// Which weights are kept, if there is a judge.
fn keep(request: &Request, recipe: &Recipe) -> Keep {
    match request.keep {
        Kept::Best if request.pairs.is_none() => Keep::Judged,
        Kept::Best if recipe.select != Select::Last => Keep::Pairs,
        _ => Keep::Last,
    }
}

/// A notice that nothing is held out.
fn too_few(distinct: usize, keep: Keep) -> Note {
    let kept = match keep {
        Keep::Pairs => "the development pairs alone choose the weights".to_owned(),
        Keep::Last => "the weights of the last step are kept".to_owned(),
        Keep::Judged => format!(
            "the trained weights are kept, better or not; train on {FEWEST} distinct sentences or more, or pass --pairs"
        ),
    };
    Note::Notice(format!("no judge: {distinct} distinct sentences are too few to hold some out, so {kept}"))
}

/// The judge, with the sentences that it takes off the text; `None`, with a note, if the run cannot be judged.
fn judge(request: &Request, text: &mut TrainText, notes: &mut Vec<Note>) -> Result<Option<Judge>> {
    if let Some(name) = &request.recipe
        && let Some(reason) = Recipe::load_with(name, &request.with, &request.settings)?.unjudged()
    {
        let line = format!("no judge: the recipe {reason}, so there is no start to compare with");
        notes.push(Note::Plain(line));
        return Ok(None);
    }
    let (all, distinct) = (text.indices.len(), text.distinct());
    let repeated = || Error::Repeated { corpus: text.described.name(), sentences: all, distinct };
    if distinct == 1 && all > 1 {
        return Err(repeated());
    }
    if distinct < FEWEST {
        return Ok(None);
    }
    let repeated = repeated();
    let held_out = text.hold_out();
    let judge = Judge::new(&held_out).ok_or(repeated)?.unordered();
    let held = held_out.len();
    let copies = all - text.indices.len() - held;
    let line =
        format!("{held} of {all} sentences are held out, to judge the model before and after training");
    notes.push(Note::Plain(line));
    if copies > 0 {
        let line = format!("{copies} copies of held-out sentences are not trained on");
        notes.push(Note::Notice(line));
    }
    let halved = judge.halved();
    if halved < FEWEST_HALVED {
        if request.purpose == Some(Purpose::Search) && request.keep == Kept::Best {
            return Err(Error::Search { held, halved });
        }
        notes.push(Note::Notice(format!(
            "only {halved} of {held} held-out sentences can be halved, too few to tell whether search gets better: the others \
             have fewer than 8 words, or share a half with another sentence"
        )));
    }
    Ok(Some(judge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Locator;

    /// The scores of the start take minutes with all sets, so that a stop must not wait for them.
    #[test]
    fn a_stop_ends_the_scores_of_the_start() {
        let locator = Locator::from_env().expect("the shipped files");
        let base = ModelFolder::open(&crate::find("demo").expect("the shipped encoder")).expect("a folder");
        let sts = Suite::load(&locator.sts(Some("demo")).expect("the shipped pairs").place, None);
        let request = Request { sts: Some(sts.expect("pairs")), ..Request::default() };
        let corpus = Corpus::from_sentences("sentences", (0..100).map(|i| format!("Sentence {i}.")));
        let adaptation = Adaptation::prepare(base, corpus, request, Compute::cpu()).expect("an adaptation");
        let (folder, stop) = (tempfile::tempdir().expect("a folder"), Stop::new());
        stop.request();
        let out = folder.path().join("run");
        let scores = adaptation.score_start(&out, &stop, &mut |_, _| {});
        assert!(matches!(scores, Err(Error::Stopped)));
        assert!(!out.exists());
        assert!(adaptation.score_start(&out, &Stop::new(), &mut |_, _| {}).is_ok());
    }
}

//! `micse train`: one run on a text file.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use micse::SentenceModel;
use micse::data::{Corpus, Locator, SplitSize, Suite};
use micse::eval::{Evaluation, Halves, evaluate};
use micse::files::write_json;
use micse::model::ModelFolder;
use micse::model::options::ComputeOptions;
use micse::train::run::CardFacts;
use micse::train::{Error, Event, Recipe, RunInputs, RunResult, Stop, TrainText, check, run};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{print, print_json, quoted};
use crate::before::Before;
use crate::model::{RUN_FILE, model_folder};
use crate::pairs::PairFile;
use crate::progress::Progress;
use crate::settings::{Start, choose, line, unmeasured, warmup};

/// Adapt an encoder to a text file; the finished model lies in OUT/model
///
/// Settings are chosen for the model and the number of sentences, and printed; --recipe, --with, --steps and --set change
/// them. A sentence-embedding model gets a gentle training; compare it before and after all the same. Ctrl-C finishes the
/// current step and saves a checkpoint; rerun the command, or pass --resume.
#[derive(Args, Clone, Serialize, Deserialize)]
#[command(after_help = "Example:\n  micse train --model demo --sentences notes.txt --out runs/notes")]
pub(crate) struct Train {
    /// The encoder that training starts from: a model folder, a run's folder, an id of the Hub,
    /// or `demo` for the shipped one
    #[arg(long, required_unless_present = "resume")]
    model: Option<String>,
    /// Text files, one sentence a line, plain, zstd or gzip
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "resume")]
    sentences: Vec<PathBuf>,
    /// The run's folder
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Go on with the run in OUT, by what its folder says
    #[arg(long)]
    #[serde(skip)]
    resume: bool,
    /// A built-in recipe or a file.toml [default: simcse for a sentence-embedding model, micse for any other encoder]
    #[arg(long)]
    recipe: Option<String>,
    /// Take the recipe's own settings (its paper's) instead of those chosen for the model and the text
    #[arg(long)]
    #[serde(default)]
    published_settings: bool,
    /// Optimizer steps, instead of those chosen
    #[arg(long)]
    steps: Option<usize>,
    /// How much of the text: 100%, 0.1%, 1000 [default: 100%]
    #[arg(long)]
    size: Option<SplitSize>,
    /// Seed of split, order, dropout and initialisation [default: 48]
    #[arg(long)]
    seed: Option<u64>,
    /// Add a term to the recipe: `--with ami`
    #[arg(long, value_delimiter = ',')]
    with: Vec<String>,
    /// Change a value of the recipe: --set optimizer.lr=1e-4
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Development pairs, `sentence TAB sentence TAB score` a line: their score is told before and after, and the
    /// weights with the best one are kept
    #[arg(long, value_name = "FILE.tsv")]
    pairs: Option<PathBuf>,
    /// Score the finished encoder on STS sets: a folder in SentEval's layout, or `demo`
    #[arg(long)]
    sts: Option<String>,
    /// The model's name on its card [default: the method's, with the number of sentences]
    #[arg(long)]
    name: Option<String>,
    /// Language of the text for the card, by its code: en, fr; may be given more than once
    #[arg(long, value_name = "CODE")]
    language: Vec<String>,
    /// The model's licence for the card, by the Hub's name: apache-2.0
    #[arg(long)]
    license: Option<String>,
    /// Encode batches in chunks of so many sentences: less memory, each sentence is encoded twice
    #[arg(long, value_name = "SENTENCES")]
    chunk: Option<NonZeroUsize>,
    #[command(flatten, next_help_heading = "Computation")]
    compute: ComputeOptions,
    /// Go on with a checkpoint of another kind of processor
    #[arg(long)]
    #[serde(skip)]
    allow_other_cpu: bool,
}

/// The file in a run's folder that says by what command it came about.
const COMMAND_FILE: &str = "command.json";
const DEFAULT_SEED: u64 = 48;
/// Sentences whose halves are searched, before and after training.
const HALVED_SENTENCES: usize = 500;
/// A loss of mean reciprocal rank that is told as a loss: smaller ones come and go with the sentences.
const SEARCH_LOSS: f64 = 0.01;
/// Development scores over a run, where nobody says how many.
const DEVELOPMENT_SCORES: usize = 20;

impl Train {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let asked = if self.resume { self.resumed()? } else { self.clone() }.absolute()?;
        asked.compute(as_json)
    }

    /// The command that began the run in OUT, with what of this one does not decide the result.
    fn resumed(&self) -> Result<Self> {
        let out = self.out.display();
        if !self.out.join(RUN_FILE).is_file() {
            bail!("{out}: no run to go on with: there is no {RUN_FILE} in it");
        }
        if self.model.is_some() && !self.sentences.is_empty() {
            return Ok(self.clone());
        }
        if let Some(option) = self.deciding() {
            bail!(
                "--resume goes on as the run's folder says, so that {option} has no place; leave it out, or repeat the whole command"
            );
        }
        let path = self.out.join(COMMAND_FILE);
        let failed = || {
            format!(
                "{}: cannot tell by what command the run came about; repeat the whole command",
                path.display()
            )
        };
        let text = std::fs::read_to_string(&path).with_context(failed)?;
        let mut began: Self = serde_json::from_str(&text).with_context(failed)?;
        began.out.clone_from(&self.out);
        began.allow_other_cpu = self.allow_other_cpu;
        began.compute.engine.threads = self.compute.engine.threads;
        Ok(began)
    }

    /// The first option given that decides a run.
    fn deciding(&self) -> Option<&'static str> {
        [
            ("--model", self.model.is_some()),
            ("--sentences", !self.sentences.is_empty()),
            ("--recipe", self.recipe.is_some()),
            ("--published-settings", self.published_settings),
            ("--steps", self.steps.is_some()),
            ("--size", self.size.is_some()),
            ("--seed", self.seed.is_some()),
            ("--with", !self.with.is_empty()),
            ("--set", !self.settings.is_empty()),
            ("--pairs", self.pairs.is_some()),
            ("--sts", self.sts.is_some()),
            ("--chunk", self.chunk.is_some()),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }

    /// The same with paths that hold from any working directory.
    fn absolute(mut self) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path).with_context(|| format!("no absolute path of {}", path.display()))
        };
        let text = |path: PathBuf| path.into_os_string().into_string();
        let named = |path: PathBuf| text(path).ok().context("a folder's name is not UTF-8; rename it");
        if let Some(model) = &self.model {
            self.model = Some(named(absolute(&model_folder(model)?)?)?);
        }
        if let Some(sts) = &self.sts {
            let place = Locator::from_env()?.sts(Some(sts))?.place;
            self.sts = Some(named(absolute(&place)?)?);
        }
        self.sentences = self.sentences.iter().map(|path| absolute(path)).collect::<Result<_>>()?;
        self.pairs = self.pairs.as_deref().map(absolute).transpose()?;
        Ok(self)
    }

    fn compute(&self, as_json: bool) -> Result<()> {
        let compute = self.compute.start()?;
        let model = self.model.as_ref().context("no --model")?;
        let base = ModelFolder::open(model.as_ref())?;
        let suite = self.suite()?;
        let (size, seed) = (self.size.unwrap_or(SplitSize::Fraction(1.0)), self.seed.unwrap_or(DEFAULT_SEED));
        let text = TrainText::split(Corpus::open(&self.sentences)?, size, seed)?;
        let blank_lines = text.corpus.info().blank_lines;
        if blank_lines > 0 {
            eprintln!("notice: {blank_lines} blank lines are no sentences");
        }
        let recipe = self.recipe(text.indices.len(), &base)?;
        // From here on there is something to go on with; before, a signal just ends the command.
        let stop = Stop::on_signals()?;
        let mut inputs = RunInputs {
            chunk: self.chunk,
            keep_model: true,
            tensorboard: true,
            allow_other_cpu: self.allow_other_cpu,
            stop: stop.clone(),
            ..RunInputs::new(recipe, seed, &text, &base, &suite, compute)
        };
        // What would be refused is refused before minutes of scoring.
        check(&inputs)?;
        let halves = Halves::of((0..text.indices.len() as u32).map(|n| text.sentence(n)), HALVED_SENTENCES);
        let earlier = self.out.join("result.json").is_file().then(|| Before::read(&self.out)).flatten();
        let before = match earlier {
            Some(before) => before,
            None => self.score(&inputs, &halves)?,
        };
        before.tell();
        inputs.card = CardFacts {
            name: self.name.clone(),
            languages: self.language.clone(),
            license: self.license.clone(),
            untrained: before.scores.clone().filter(|scores| !scores.tasks.is_empty()),
            ..CardFacts::default()
        };
        let result = self.watch(&inputs, &stop)?;
        before.write(&self.out)?;
        let folder = self.out.join("model");
        let trained = SentenceModel::load(&ModelFolder::open(&folder)?, None, &inputs.compute)?;
        let halves_after = halves.reciprocal_rank(&trained)?;
        if as_json {
            return print_json(&json!({
                "model": folder,
                "dev_spearman_before": before.dev(),
                "sts_average_before": before.sts(),
                "half_sentence_search": {"before": before.halves, "after": halves_after},
                "result": result,
            }));
        }
        self.tell(&result, &before, halves_after, halves.pairs().len())
    }

    /// The model that training starts from, measured.
    fn score(&self, inputs: &RunInputs<'_>, halves: &Halves) -> Result<Before> {
        let own = inputs.base.pooling().ok().flatten();
        let pooling = own.unwrap_or(inputs.recipe.pooling.test);
        let model = SentenceModel::load(inputs.base, Some(pooling), &inputs.compute)?;
        let scores = self.is_scored().then(|| untrained(&model, inputs.suite)).transpose()?;
        Ok(Before { scores, halves: halves.reciprocal_rank(&model)? })
    }

    /// Whether there is anything to score models on.
    fn is_scored(&self) -> bool {
        self.pairs.is_some() || self.sts.is_some()
    }

    /// The recipe: what was chosen for the text and the model, with what was asked for on top.
    fn recipe(&self, sentences: usize, base: &ModelFolder) -> Result<Recipe> {
        let named = |key: &str| self.settings.iter().any(|s| s.trim_start().starts_with(key));
        let pooling = match base.pooling() {
            Err(_) if named("pooling.train") && named("pooling.test") => None,
            other => other.context(
                "the settings cannot be chosen; give the pooling by --set pooling.train=mean --set pooling.test=mean",
            )?,
        };
        let start = Start {
            hidden: base.config()?.hidden_size,
            pooling,
            embeds_sentences: base.modules()?.iter().any(|module| module.class_name() == "Pooling"),
        };
        let chosen = choose(sentences, start);
        let name = self.recipe.as_deref().unwrap_or(chosen.recipe);
        let plain = Recipe::load_with(name, &self.with, &[])?;
        let published = self.published_settings || plain.steps == 0;
        let mut settings =
            if published { self.settings.clone() } else { chosen.for_recipe(&plain, &self.settings) };
        let steps = self.steps.or((!published && !named("steps")).then_some(chosen.steps));
        let load = |settings: &[String]| Recipe::load_for(name, &self.with, settings, steps);
        let mut recipe = load(&settings).map_err(|error| {
            let remedy = "settings were chosen for this model and text, and yours put on top; --published-settings takes \
                          the recipe's own instead";
            if published { anyhow::Error::from(error) } else { anyhow::Error::from(error).context(remedy) }
        })?;
        if !published && !named("optimizer.warmup_steps") {
            settings.push(warmup(recipe.steps));
            recipe = load(&settings)?;
        }
        if self.pairs.is_some() && recipe.steps > 0 {
            let every = (recipe.steps / DEVELOPMENT_SCORES).max(1);
            let own = [("select", "stsb-dev".to_owned()), ("eval_every", every.to_string())];
            let more = own.iter().filter(|(key, _)| !named(key)).map(|(key, value)| format!("{key}={value}"));
            recipe = load(&settings.iter().cloned().chain(more).collect::<Vec<_>>())?;
        }
        eprintln!("{}", line(&recipe, sentences));
        if published {
            eprintln!("  the recipe's own, but for what was asked for");
        } else {
            let mut given: Vec<String> =
                self.settings.iter().filter_map(|s| Some(s.split_once('=')?.0.trim().to_owned())).collect();
            given.extend((name != chosen.recipe).then(|| "recipe".to_owned()));
            given.extend(self.steps.map(|_| "steps".to_owned()));
            chosen.reasons_without(&given).for_each(|reason| eprintln!("  {reason}"));
            eprintln!(
                "  --recipe, --steps and --set KEY=VALUE change them, --published-settings takes the recipe's own"
            );
        }
        if let Some(notice) = unmeasured(&recipe, sentences, start)? {
            eprintln!("notice: {notice}");
        }
        Ok(recipe)
    }

    /// What the run is scored on: STS sets if they are asked for, and the development pairs.
    fn suite(&self) -> Result<Suite> {
        let mut suite = match &self.sts {
            Some(folder) => Suite::load(folder.as_ref(), None)?,
            None => Suite { name: "none".into(), tasks: Vec::new(), dev: None, sick_dev: None },
        };
        if let Some(path) = &self.pairs {
            suite.dev = Some(PairFile::open(path)?.into_task()?);
        }
        Ok(suite)
    }

    /// Runs, and shows how far it is.
    fn watch(&self, inputs: &RunInputs<'_>, stop: &Stop) -> Result<RunResult> {
        let mut progress = None;
        let mut kept = false;
        let done = run(&self.out, inputs, &mut |event| {
            if !kept {
                // The first event comes when the folder is known to be this run's.
                kept = true;
                self.keep_command();
            }
            match event {
                Event::Started { step, steps } => {
                    progress =
                        Some(Progress::new(Some(steps as u64), "steps").after(step as u64, step as u64));
                }
                Event::Step(report) => {
                    let step = report.step as u64;
                    if let Some(progress) = &mut progress {
                        progress.set(step, step, format!(", loss {:.3}", report.loss));
                    }
                }
                Event::Development { step, spearman } => {
                    say(progress.as_ref(), &format!("step {step}: development {spearman:.2}"));
                }
                Event::Fitting { step, steps, bits } => {
                    let fit =
                        progress.get_or_insert_with(|| Progress::new(Some(steps as u64), "steps of the fit"));
                    fit.set(step as u64, step as u64, format!(", {bits:.3} bits a dimension"));
                }
                Event::Evaluating { .. } if stop.requested() => {
                    eprintln!("stopped while scoring; the same command goes on");
                    std::process::exit(Stop::STATUS.into());
                }
                Event::Evaluating { done: 0, total } => {
                    if let Some(progress) = progress.take() {
                        progress.finish();
                    }
                    progress = (total > 0).then(|| Progress::new(Some(total as u64), "sentences scored"));
                }
                Event::Evaluating { done, .. } => {
                    if let Some(progress) = &mut progress {
                        progress.set(done as u64, done as u64, "");
                    }
                }
                Event::Notice(text) => say(progress.as_ref(), &format!("notice: {text}")),
            }
        });
        if let Some(progress) = progress.take() {
            progress.finish();
        }
        done.map_err(|error| match error {
            stopped @ Error::Stopped { .. } => anyhow::Error::from(stopped)
                .context(format!("go on with: micse train --out {} --resume", quoted_path(&self.out))),
            other => other.into(),
        })
    }

    /// Writes down by what command the run came about. Without that the run is as good: --resume will ask for the
    /// whole command.
    fn keep_command(&self) {
        let path = self.out.join(COMMAND_FILE);
        if let Err(error) = write_json(&path, self) {
            eprintln!("notice: {error}; --resume alone will not go on with this run");
        }
    }

    fn tell(
        &self,
        result: &RunResult,
        before: &Before,
        halves_after: Option<f64>,
        halved: usize,
    ) -> Result<()> {
        let mut worse = Vec::new();
        if !result.scores.tasks.is_empty() {
            print(&result.scores.to_table())?;
            if let Some(before) = before.sts() {
                let after = result.scores.average;
                print(&format!("STS sets: average {before:.2} before, {after:.2} after training"))?;
                worse.extend((after < before).then_some("on the STS sets"));
            }
        }
        if let (Some(_), Some(after)) = (&self.pairs, result.scores.dev_spearman) {
            let told = before.dev().map_or_else(String::new, |before| format!("{before:.2} before, "));
            let step =
                result.selected_step.map_or_else(String::new, |step| format!(", weights of step {step}"));
            print(&format!("development pairs: {told}{after:.2} after training{step}"))?;
            worse.extend(before.dev().is_some_and(|before| after < before).then_some("on your pairs"));
        }
        if let Some((before, after)) = before.halves.zip(halves_after) {
            print(&format!(
                "half-sentence search: {before:.3} before, {after:.3} after training (mean reciprocal rank at which one \
                 half of a sentence finds the other, {halved} sentences of the text)"
            ))?;
            worse.extend((after < before - SEARCH_LOSS).then_some("in half-sentence search"));
        }
        if !worse.is_empty() {
            print(&format!(
                "notice: the trained model is worse than the one it started from {}; it may serve another purpose better, \
                 but compare both before you use it",
                worse.join(" and ")
            ))?;
        }
        let model = self.out.join("model");
        let (out, model) = (quoted_path(&self.out), quoted_path(&model));
        let base = quoted(self.model.as_deref().unwrap_or_default());
        let text = self.sentences.first().map_or_else(String::new, |path| quoted_path(path));
        print(&format!(
            "the model is in {model}; try:\n  micse compare {base} {out} --sentences {text} --sample 5\n  micse search --model \
             {out} --corpus {text} --query \"...\"\n  micse encode --model {out} --input {text} --output rows.npy\n  micse \
             export {out} --to FOLDER"
        ))
    }
}

fn say(progress: Option<&Progress>, line: &str) {
    match progress {
        Some(progress) => progress.say(line),
        None => eprintln!("{line}"),
    }
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// The scores of the model that training starts from.
fn untrained(model: &SentenceModel<'_>, suite: &Suite) -> Result<Evaluation> {
    let mut progress: Option<Progress> = None;
    let scores = evaluate(model, suite, &mut |done, total| {
        let progress = progress.get_or_insert_with(|| Progress::new(Some(total as u64), "sentences scored"));
        progress.set(done as u64, done as u64, "");
    })?;
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(scores)
}

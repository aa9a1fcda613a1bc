//! `micse train`: trains one model on a corpus.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_cli::exit::STOPPED;
use micse_cli::model::model_folder;
use micse_cli::options::{ComputeOptions, DEFAULT_DEVICE};
use micse_cli::output::{quoted, quoted_path};
use micse_cli::progress::Progress;
use micse_cli::{Stopped, note, notice, print, print_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::SentenceModel;
use crate::cli::before::Before;
use crate::cli::pairs::PairFile;
use crate::cli::settings::{Start, choose, line, unmeasured, warmup};
use crate::data::{Corpus, Locator, SplitSize, Suite};
use crate::eval::{Evaluation, Halves, evaluate};
use crate::files::{RunFolder, write_json};
use crate::model::{ModelFolder, Precision};
use crate::train::recipe::Select;
use crate::train::run::{CHECKPOINT_MINUTES, CHECKPOINT_STEPS, CardFacts};
use crate::train::{Error, Event, Recipe, RunInputs, RunResult, Stop, TrainText, check, run};

/// Adapt an encoder to a corpus; the finished model is in OUT/model
///
/// Settings are chosen for the model and the number of sentences, and printed; --recipe, --with, --steps and --set
/// override them. A sentence-embedding model is trained gently; compare it before and after in any case. Ctrl-C
/// finishes the current step and saves a checkpoint; rerun the command, or pass --resume.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[command(after_help = "Example:\n  micse train --model demo --corpus notes.txt --out runs/notes")]
pub(crate) struct Train {
    /// Encoder to start from: model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    #[arg(long, required_unless_present = "resume")]
    model: Option<String>,
    /// Text files, one sentence per line, plain, zstd or gzip
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "resume", alias = "sentences")]
    #[serde(rename = "sentences")]
    corpus: Vec<PathBuf>,
    /// Run folder
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Resume the run in OUT with the settings in its folder
    #[arg(long)]
    #[serde(skip)]
    resume: bool,
    /// Built-in recipe or file.toml [default: simcse-baseline for a sentence-embedding model, micse for other encoders]
    #[arg(long)]
    recipe: Option<String>,
    /// Use the recipe's published settings instead of those chosen for the model and the corpus
    #[arg(long)]
    #[serde(default)]
    published_settings: bool,
    /// Optimizer steps [default: chosen for the model and the corpus]
    #[arg(long)]
    steps: Option<usize>,
    /// Sentences to train on: 100%, 0.1%, 1000 [default: 100%]
    #[arg(long)]
    size: Option<SplitSize>,
    /// Seed of split, order, dropout and initialization [default: 48]
    #[arg(long)]
    seed: Option<u64>,
    /// Add terms to the recipe, separated by commas: --with ami
    #[arg(long, value_name = "TERM", value_delimiter = ',')]
    with: Vec<String>,
    /// Change a value of the recipe: --set optimizer.lr=1e-4 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Development pairs, sentence TAB sentence TAB score per line: scored before and after training, which keeps the
    /// best weights [default: none]
    #[arg(long, value_name = "FILE.tsv")]
    pairs: Option<PathBuf>,
    /// STS sets, scored before and after training: a folder in SentEval's layout, or `demo` [default: none]
    #[arg(long, value_name = "FOLDER")]
    sts: Option<String>,
    /// Model name on the model card [default: the method and the number of sentences]
    #[arg(long)]
    name: Option<String>,
    /// Language code of the corpus, for the model card: en, fr (repeatable)
    #[arg(long, value_name = "CODE")]
    language: Vec<String>,
    /// Licence of the model, for the model card, by its name on the Hub: apache-2.0
    #[arg(long)]
    license: Option<String>,
    /// Encode N sentences at a time: less memory, but encodes each one twice
    #[arg(long, value_name = "N")]
    chunk: Option<NonZeroUsize>,
    /// Steps between two checkpoints [default: 500]
    #[arg(long, value_name = "N")]
    #[serde(skip)]
    checkpoint_steps: Option<NonZeroUsize>,
    /// Minutes after which a checkpoint is saved in any case [default: 5]
    #[arg(long, value_name = "M", value_parser = micse_cli::options::minutes)]
    #[serde(skip)]
    checkpoint_minutes: Option<f64>,
    /// Resume from a checkpoint that a different kind of CPU wrote
    #[arg(long)]
    #[serde(skip)]
    allow_other_cpu: bool,
    #[command(flatten, next_help_heading = "Computation")]
    compute: ComputeOptions,
}

const DEFAULT_SEED: u64 = 48;
/// Number of sentences whose halves are searched, before and after training.
const HALVED_SENTENCES: usize = 500;
/// The smallest drop in mean reciprocal rank that is reported; smaller ones vary with the sentences.
const SEARCH_LOSS: f64 = 0.01;
/// Default number of development scores per run.
const DEVELOPMENT_SCORES: usize = 20;

impl Train {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        let options = if self.resume { self.resumed()? } else { self.clone() }.absolute()?;
        options.compute(as_json)
    }

    /// The options that started the run in OUT, with this command's options that do not affect the result.
    fn resumed(&self) -> Result<Self> {
        let out = self.out.display();
        let run = RunFolder::new(&self.out);
        if !run.is_begun() {
            bail!("{out}: no run to resume; the folder has no run.toml");
        }
        if self.model.is_some() && !self.corpus.is_empty() {
            return Ok(self.clone());
        }
        if let Some(option) = self.deciding() {
            bail!(
                "--resume uses the settings in the run folder; remove {option}, or repeat the full command"
            );
        }
        let path = run.command();
        let failed = || {
            format!(
                "{}: cannot read the command that started the run; repeat the full command",
                path.display()
            )
        };
        let text = std::fs::read_to_string(&path).with_context(failed)?;
        let mut began: Self = serde_json::from_str(&text).with_context(failed)?;
        began.out.clone_from(&self.out);
        began.allow_other_cpu = self.allow_other_cpu;
        began.compute.engine.threads = self.compute.engine.threads;
        began.name = self.name.clone().or(began.name);
        began.license = self.license.clone().or(began.license);
        if !self.language.is_empty() {
            began.language.clone_from(&self.language);
        }
        began.checkpoint_steps = self.checkpoint_steps;
        began.checkpoint_minutes = self.checkpoint_minutes;
        Ok(began)
    }

    /// The first given option that affects the result.
    fn deciding(&self) -> Option<&'static str> {
        [
            ("--model", self.model.is_some()),
            ("--corpus", !self.corpus.is_empty()),
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
            ("--device", self.compute.device != DEFAULT_DEVICE),
            ("--engine", self.compute.engine.engine.is_some()),
            ("--precision", self.compute.engine.precision != Precision::default()),
        ]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
    }

    /// The same options, with paths that are valid from any working directory.
    fn absolute(mut self) -> Result<Self> {
        let absolute = |path: &Path| {
            std::path::absolute(path)
                .with_context(|| format!("{}: cannot make the path absolute", path.display()))
        };
        let text = |path: PathBuf| path.into_os_string().into_string();
        let named = |path: PathBuf| text(path).ok().context("a folder name is not UTF-8; rename the folder");
        if let Some(model) = &self.model {
            self.model = Some(named(absolute(&model_folder(model)?)?)?);
        }
        if let Some(sts) = &self.sts {
            let place = Locator::from_env()?.sts(Some(sts))?.place;
            self.sts = Some(named(absolute(&place)?)?);
        }
        self.corpus = self.corpus.iter().map(|path| absolute(path)).collect::<Result<_>>()?;
        self.pairs = self.pairs.as_deref().map(absolute).transpose()?;
        Ok(self)
    }

    fn compute(&self, as_json: bool) -> Result<()> {
        let compute = self.compute.start()?;
        let model = self.model.as_ref().context("no --model")?;
        let base = ModelFolder::open(model.as_ref())?;
        let suite = self.suite()?;
        let (size, seed) = (self.size.unwrap_or(SplitSize::Fraction(1.0)), self.seed.unwrap_or(DEFAULT_SEED));
        let text = TrainText::split(Corpus::open(&self.corpus)?, size, seed)?;
        let blank_lines = text.corpus.info().blank_lines;
        if blank_lines > 0 {
            notice(format_args!("skipped {blank_lines} blank lines"));
        }
        let recipe = self.recipe(text.indices.len(), &base)?;
        // Until here, a signal just ends the command; from here on, there is a run to resume.
        let stop = Stop::on_signals()?;
        let mut inputs = RunInputs {
            chunk: self.chunk,
            keep_model: true,
            tensorboard: true,
            allow_other_cpu: self.allow_other_cpu,
            checkpoint_steps: self.checkpoint_steps.map_or(CHECKPOINT_STEPS, NonZeroUsize::get),
            checkpoint_time: Duration::from_secs_f64(
                60.0 * self.checkpoint_minutes.unwrap_or(CHECKPOINT_MINUTES),
            ),
            stop: stop.clone(),
            ..RunInputs::new(recipe, seed, &text, &base, &suite, compute)
        };
        // Fails now rather than after minutes of scoring.
        check(&inputs)?;
        let halves = Halves::of((0..text.indices.len() as u32).map(|n| text.sentence(n)), HALVED_SENTENCES);
        let folder = RunFolder::new(&self.out);
        let earlier = folder.is_finished().then(|| Before::read(&folder)).flatten();
        let before = match earlier {
            Some(before) => before,
            None => self.score(&inputs, &halves)?,
        };
        before.print();
        inputs.card = CardFacts {
            name: self.name.clone(),
            languages: self.language.clone(),
            license: self.license.clone(),
            untrained: before.scores.clone().filter(|scores| !scores.tasks.is_empty()),
            ..CardFacts::default()
        };
        let result = self.watch(&inputs, &stop)?;
        before.write(&folder)?;
        let model = folder.model();
        let trained = SentenceModel::load(&ModelFolder::open(&model)?, None, &inputs.compute)?;
        let halves_after = halves.reciprocal_rank(&trained)?;
        if as_json {
            return print_json(&json!({
                "model": model,
                "dev_spearman_before": before.dev(),
                "sts_average_before": before.sts(),
                "half_sentence_search": {"before": before.halves, "after": halves_after},
                "result": result,
            }));
        }
        self.print(&result, &before, halves_after, halves.pairs().len())
    }

    /// Measures the model that training starts from.
    fn score(&self, inputs: &RunInputs<'_>, halves: &Halves) -> Result<Before> {
        let own = inputs.base.pooling().ok().flatten();
        let pooling = own.unwrap_or(inputs.recipe.test_pooling());
        let model = SentenceModel::load(inputs.base, Some(pooling), &inputs.compute)?;
        let scores = self.is_scored().then(|| untrained(&model, inputs.suite)).transpose()?;
        Ok(Before { scores, halves: halves.reciprocal_rank(&model)? })
    }

    /// Whether there is anything to score models on.
    fn is_scored(&self) -> bool {
        self.pairs.is_some() || self.sts.is_some()
    }

    /// The recipe: the settings chosen for the corpus and the model, overridden by the user's.
    fn recipe(&self, sentences: usize, base: &ModelFolder) -> Result<Recipe> {
        let named = |key: &str| self.settings.iter().any(|s| s.trim_start().starts_with(key));
        let pooling = match base.pooling() {
            Err(_) if named("pooling.train") && named("pooling.test") => None,
            other => other.context(
                "cannot choose settings; pass the pooling with --set pooling.train=mean --set pooling.test=mean",
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
        // Without development pairs, a recipe cannot select weights by them.
        let selects = !published && plain.select != Select::Last && !named("select");
        let unselected = selects && self.pairs.is_none() && self.sts.is_none();
        if unselected {
            settings.push("select=last".to_owned());
        }
        let steps = self.steps.or((!published && !named("steps")).then_some(chosen.steps));
        let load = |settings: &[String]| {
            Recipe::load_for(name, &self.with, settings, steps).map(|recipe| recipe.for_sentences(sentences))
        };
        let mut recipe = load(&settings).map_err(|error| {
            let remedy = "cannot combine your settings with those chosen for this model and corpus; fix them, or pass \
                          --published-settings to start from the recipe's";
            if published { anyhow::Error::from(error) } else { anyhow::Error::from(error).context(remedy) }
        })?;
        if !published && !named("optimizer.warmup_steps") {
            settings.push(warmup(recipe.steps));
            recipe = load(&settings)?;
        }
        let last = named("select") && recipe.select == Select::Last;
        if self.pairs.is_some() && recipe.steps > 0 && !last {
            let every = (recipe.steps / DEVELOPMENT_SCORES).max(1);
            let own = [("select", "stsb-dev".to_owned()), ("eval_every", every.to_string())];
            let more = own.iter().filter(|(key, _)| !named(key)).map(|(key, value)| format!("{key}={value}"));
            recipe = load(&settings.iter().cloned().chain(more).collect::<Vec<_>>())?;
        }
        note(line(&recipe, sentences));
        if published {
            note("  the recipe's published settings, with your changes");
        } else {
            let mut given: Vec<String> =
                self.settings.iter().filter_map(|s| Some(s.split_once('=')?.0.trim().to_owned())).collect();
            given.extend((name != chosen.recipe).then(|| "recipe".to_owned()));
            given.extend(self.steps.map(|_| "steps".to_owned()));
            chosen.reasons_without(&given).for_each(|reason| note(format_args!("  {reason}")));
            if unselected {
                note(
                    "  weights: those of the last step, because there are no development pairs (--pairs, --sts)",
                );
            }
            note(
                "  --recipe, --steps and --set KEY=VALUE override these; --published-settings uses the recipe's",
            );
        }
        if let Some(text) = unmeasured(&recipe, sentences, start)? {
            micse_cli::notice(text);
        }
        Ok(recipe)
    }

    /// The evaluation sets of the run: STS sets and development pairs, if given.
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

    /// Runs the training, and shows its progress.
    fn watch(&self, inputs: &RunInputs<'_>, stop: &Stop) -> Result<RunResult> {
        let mut progress = None;
        let mut kept = false;
        let done = run(&self.out, inputs, &mut |event| {
            if !kept {
                // At the first event, the folder is known to belong to this run.
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
                    fit.set(step as u64, step as u64, format!(", {bits:.3} bits per dimension"));
                }
                Event::Evaluating { .. } if stop.requested() => {
                    note("stopped while scoring; rerun the same command to resume");
                    std::process::exit(STOPPED.into());
                }
                Event::Evaluating { done: 0, total } => {
                    // Removes the old bar before the new one appears.
                    drop(progress.take());
                    progress = (total > 0).then(|| Progress::new(Some(total as u64), "sentences scored"));
                }
                Event::Evaluating { done, .. } => {
                    if let Some(progress) = &mut progress {
                        progress.set(done as u64, done as u64, "");
                    }
                }
                Event::Notice(text) => say(progress.as_ref(), &format!("notice: {text}")),
                _ => {}
            }
        });
        drop(progress);
        done.map_err(|error| match error {
            stopped @ Error::Stopped { .. } => {
                let out = quoted_path(&self.out).unwrap_or_else(|_| "OUT".into());
                Stopped(format!("{stopped}, or run: micse train --out {out} --resume")).into()
            }
            other => other.into(),
        })
    }

    /// Records the command that started the run, for --resume. Failing to write it does not affect the run.
    fn keep_command(&self) {
        if let Err(error) = write_json(&RunFolder::new(&self.out).command(), self) {
            notice(format_args!("{error}; to resume this run, repeat the full command"));
        }
    }

    fn print(
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
            let earlier = before.dev().map_or_else(String::new, |before| format!("{before:.2} before, "));
            let step =
                result.selected_step.map_or_else(String::new, |step| format!(", weights of step {step}"));
            print(&format!("development pairs: {earlier}{after:.2} after training{step}"))?;
            worse.extend(before.dev().is_some_and(|before| after < before).then_some("on your pairs"));
        }
        if let Some((before, after)) = before.halves.zip(halves_after) {
            print(&format!(
                "half-sentence search: {before:.3} before, {after:.3} after training (mean reciprocal rank of the \
                 second half of a sentence when searching with the first, {halved} sentences of the corpus)"
            ))?;
            worse.extend((after < before - SEARCH_LOSS).then_some("in half-sentence search"));
        }
        if !worse.is_empty() {
            print(&format!(
                "notice: {}, the trained model is worse than the model it started from; it may be better for another \
                 purpose, but compare both before you use it",
                worse.join(" and ")
            ))?;
        }
        let model = RunFolder::new(&self.out).model();
        let (out, model) = (quoted_path(&self.out)?, quoted_path(&model)?);
        let base = quoted(self.model.as_deref().unwrap_or_default())?;
        let corpus = self.corpus.first().map_or_else(|| Ok(String::new()), |path| quoted_path(path))?;
        print(&format!(
            "the model is in {model}; try:\n  micse compare {base} {out} --corpus {corpus} --sample 5\n  micse search \
             --model {out} --corpus {corpus} --query \"...\"\n  micse encode --model {out} --input {corpus} --output \
             rows.npy\n  micse export {out} --output FOLDER"
        ))
    }
}

fn say(progress: Option<&Progress>, line: &str) {
    match progress {
        Some(progress) => progress.say(line),
        None => note(line),
    }
}

/// The scores of the model that training starts from.
fn untrained(model: &SentenceModel<'_>, suite: &Suite) -> Result<Evaluation> {
    let mut progress: Option<Progress> = None;
    Ok(evaluate(model, suite, &mut |done, total| {
        let progress = progress.get_or_insert_with(|| Progress::new(Some(total as u64), "sentences scored"));
        progress.set(done as u64, done as u64, "");
    })?)
}

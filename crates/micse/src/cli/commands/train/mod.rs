//! `micse train`: trains one model on a corpus.

mod report;
mod watch;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_cli::model::model_folder;
use micse_cli::options::{ComputeOptions, DEFAULT_DEVICE};
use micse_cli::progress::Progress;
use micse_cli::{note, notice, print_json};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapt::{Adaptation, Kept, Note, Request};
use crate::data::{Corpus, Locator, PairFile, SplitSize, Suite};
use crate::eval::judge::Purpose;
use crate::files::RunFolder;
use crate::model::{ModelFolder, Precision};
use crate::train::Stop;
use crate::train::run::CardFacts;

/// Adapt an encoder to a corpus; the finished model is in OUT/model
///
/// The settings are printed; --recipe, --with, --steps and --set override them. A judge compares the model before and
/// after on held-out sentences: the weights that are kept may be an average of both, or those of the start, if training
/// did not help. Ctrl-C finishes the current step and saves a checkpoint; rerun the command, or pass --resume.
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
    /// Built-in recipe or file.toml [default: crop-simcse]
    #[arg(long)]
    recipe: Option<String>,
    /// Use the recipe's published settings instead of this command's
    #[arg(long)]
    #[serde(default)]
    published_settings: bool,
    /// Optimizer steps [default: 100]
    #[arg(long)]
    steps: Option<usize>,
    /// Sentences to draw from the corpus, some of them for the judge: 100%, 0.1%, 1000 [default: 100%]
    #[arg(long)]
    size: Option<SplitSize>,
    /// Seed of split, order, dropout and initialization [default: 48]
    #[arg(long, value_parser = micse_cli::options::seed())]
    seed: Option<u64>,
    /// Add terms to the recipe, separated by commas: --recipe simcse --with ami
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
    /// What is kept: the best weights by --pairs or else by the judge, which may be those of the start; or the last
    #[arg(long, value_name = "best|last", value_parser = kept)]
    #[serde(default)]
    keep: Option<Kept>,
    /// What the model is for: similarity, search or grouping; that must get better [default: grouping, without a loss
    /// for search]
    #[arg(long = "for", value_name = "PURPOSE", conflicts_with = "pairs")]
    #[serde(default)]
    purpose: Option<Purpose>,
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
            ("--keep", self.keep.is_some()),
            ("--for", self.purpose.is_some()),
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
        if let Some(file) =
            self.recipe.as_deref().map(Path::new).filter(|name| name.extension().is_some_and(|e| e == "toml"))
        {
            self.recipe = Some(named(absolute(file)?)?);
        }
        Ok(self)
    }

    fn compute(&self, as_json: bool) -> Result<()> {
        let compute = self.compute.start()?;
        let model = self.model.as_ref().context("no --model")?;
        let base = ModelFolder::open(model.as_ref())?;
        let request = self.request()?;
        let adaptation = Adaptation::prepare(base, Corpus::open(&self.corpus)?, request, compute)?;
        for line in adaptation.notes() {
            match line {
                Note::Plain(line) => note(line),
                Note::Notice(line) => notice(line),
            }
        }
        // Until here, a signal just ends the command; from here on, there is a run to resume.
        let stop = Stop::on_signals()?;
        let mut progress: Option<Progress> = None;
        let before = adaptation.score_start(&self.out, &stop, &mut |done, total| {
            let progress =
                progress.get_or_insert_with(|| Progress::new(Some(total as u64), "sentences scored"));
            progress.set(done as u64, done as u64, "");
        });
        let before = before.map_err(|error| self.stopped(error))?;
        drop(progress);
        report::before(&before);
        let result = self.watch(&adaptation, &before, &stop)?;
        if as_json {
            return print_json(&json!({
                "model": RunFolder::new(&self.out).model(),
                "dev_spearman_before": before.dev(),
                "sts_average_before": before.sts(),
                "result": result,
            }));
        }
        self.report(&result, &before)
    }

    /// What these options ask for.
    fn request(&self) -> Result<Request> {
        let default = Request::default();
        let sts = self.sts.as_ref().map(|folder| Suite::load(folder.as_ref(), None)).transpose()?;
        let pairs = self.pairs.as_ref().map(|path| PairFile::open(path)?.into_task()).transpose()?;
        let minutes = |minutes: f64| Duration::from_secs_f64(60.0 * minutes);
        Ok(Request {
            recipe: self.recipe.clone(),
            published_settings: self.published_settings,
            steps: self.steps,
            size: self.size.unwrap_or(default.size),
            seed: self.seed.unwrap_or(default.seed),
            with: self.with.clone(),
            settings: self.settings.clone(),
            pairs,
            sts,
            keep: self.keep.unwrap_or_default(),
            purpose: self.purpose,
            chunk: self.chunk,
            checkpoint_steps: self.checkpoint_steps.map_or(default.checkpoint_steps, NonZeroUsize::get),
            checkpoint_time: self.checkpoint_minutes.map_or(default.checkpoint_time, minutes),
            allow_other_cpu: self.allow_other_cpu,
            card: CardFacts {
                name: self.name.clone(),
                languages: self.language.clone(),
                license: self.license.clone(),
                ..CardFacts::default()
            },
        })
    }
}

/// Parses the weights to keep.
fn kept(text: &str) -> Result<Kept, String> {
    match text {
        "best" => Ok(Kept::Best),
        "last" => Ok(Kept::Last),
        _ => Err("must be best or last".to_owned()),
    }
}

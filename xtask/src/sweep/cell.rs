//! One cell of a sweep, in a process of its own: its description comes in on standard input, its progress
//! goes out on standard output, a JSON object a line.

use std::fmt;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use micse_data::{Corpus, SplitSize, Suite};
use micse_eval::VectorEmbedder;
use micse_model::options::ComputeOptions;
use micse_model::{ModelFolder, Pooling};
use micse_report::GridCell;
use micse_train::run::CHECKPOINT_STEPS;
use micse_train::{Event, Recipe, RunInputs, RunResult, Terms, TrainText};
use micse_vectors::{Selection, WordVectors};
use serde::{Deserialize, Serialize};

/// Run one cell of a sweep (the sweep starts this)
#[derive(Args)]
pub(crate) struct SweepCell {}

/// Everything that a cell's process needs.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct CellSpec {
    pub(super) folder: PathBuf,
    pub(super) work: Work,
    pub(super) encoder: PathBuf,
    pub(super) sts: PathBuf,
    pub(super) compute: ComputeOptions,
    pub(super) chunk: Option<NonZeroUsize>,
    pub(super) keep_model: bool,
    pub(super) allow_other_cpu: bool,
}

/// What a cell does.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Work {
    /// Scores the encoder as it is, under a name.
    Untrained { method: String, pooling: Pooling },
    /// Scores the mean of word vectors from a file.
    Vectors { method: String, file: PathBuf },
    /// Trains, then scores.
    Train { recipe: Box<Recipe>, size: SplitSize, seed: u64, text: TextSpec },
}

/// Where a cell's sentences come from.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum TextSpec {
    Demo,
    Corpus(Vec<PathBuf>),
    SplitFile(PathBuf),
}

/// A line of a cell's progress.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Line {
    /// The share of the cell's work that is done, and what it is at.
    Progress { share: f64, doing: String },
    /// Something that the user should know.
    Notice(String),
}

/// The share of a cell's time that training takes, until its evaluation begins.
const TRAINING_SHARE: f64 = 0.85;

impl CellSpec {
    /// The cell in the sweep's file.
    pub(super) fn grid_cell(&self, sweep: &Path) -> Result<GridCell> {
        let (method, size, seed) = match &self.work {
            Work::Untrained { method, .. } | Work::Vectors { method, .. } => (method, None, None),
            Work::Train { recipe, size, seed, .. } => (&recipe.name, Some(size.to_string()), Some(*seed)),
        };
        Ok(GridCell {
            folder: self.folder.strip_prefix(sweep)?.to_path_buf(),
            method: method.clone(),
            size,
            seed,
            spec: serde_json::to_value(self)?,
        })
    }

    /// Where the result will stand.
    pub(super) fn result(&self) -> PathBuf {
        self.folder.join("result.json")
    }
}

impl fmt::Display for CellSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work {
            Work::Untrained { method, .. } | Work::Vectors { method, .. } => f.write_str(method),
            Work::Train { recipe, size, seed, .. } => write!(f, "{} {size} seed {seed}", recipe.name),
        }
    }
}

impl SweepCell {
    #[allow(clippy::unused_self)] // the command's options come on standard input
    pub(crate) fn run(&self) -> Result<()> {
        let spec: CellSpec = serde_json::from_reader(std::io::stdin().lock())
            .context("a cell's description on standard input")?;
        spec.run()
    }
}

impl CellSpec {
    fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let base = ModelFolder::open(&self.encoder)?;
        let suite = Suite::load(&self.sts, None)?;
        let mut lines = Lines::default();
        match &self.work {
            Work::Untrained { method, pooling } => {
                micse_train::untrained(&self.folder, method, &base, *pooling, &suite, &compute, &mut |e| {
                    lines.tell(&e, 0.0);
                })?;
            }
            Work::Vectors { method, file } => {
                let vectors = WordVectors::open(file)?;
                let embedder = VectorEmbedder::new(&vectors, Selection::default());
                micse_train::scored_file(
                    &self.folder,
                    method,
                    file,
                    &embedder,
                    &suite,
                    &compute,
                    &mut |e| {
                        lines.tell(&e, 0.0);
                    },
                )?;
            }
            Work::Train { recipe, size, seed, text } => {
                let text = match text {
                    TextSpec::Demo => TrainText::split(Corpus::demo(), *size, *seed)?,
                    TextSpec::Corpus(files) => TrainText::split(Corpus::open(files)?, *size, *seed)?,
                    TextSpec::SplitFile(file) => {
                        TrainText::whole(Corpus::open(std::slice::from_ref(file))?, &size.to_string())
                    }
                };
                let inputs = RunInputs {
                    recipe: Recipe::clone(recipe),
                    seed: *seed,
                    text: &text,
                    base: &base,
                    suite: &suite,
                    terms: Terms::none(),
                    compute,
                    chunk: self.chunk,
                    keep_model: self.keep_model,
                    allow_other_cpu: self.allow_other_cpu,
                    checkpoint_steps: CHECKPOINT_STEPS,
                };
                let _: RunResult =
                    micse_train::run(&self.folder, &inputs, &mut |e| lines.tell(&e, TRAINING_SHARE))?;
            }
        }
        Ok(())
    }
}

/// Writes progress a few times a second.
#[derive(Default)]
struct Lines {
    steps: usize,
    last: Option<Instant>,
}

impl Lines {
    fn tell(&mut self, event: &Event, training: f64) {
        let line = match event {
            Event::Started { steps, .. } => {
                self.steps = *steps;
                return;
            }
            Event::Step(report) => Line::Progress {
                share: training * report.step as f64 / self.steps.max(1) as f64,
                doing: format!("step {}/{}, loss {:.3}", report.step, self.steps, report.loss),
            },
            Event::Fitting { step, steps, bits } => Line::Progress {
                share: training * *step as f64 / (*steps).max(1) as f64,
                doing: format!("fit {step}/{steps}, {bits:.3} bits a dimension"),
            },
            Event::Evaluating { done, total } => Line::Progress {
                share: training + (1.0 - training) * *done as f64 / (*total).max(1) as f64,
                doing: "evaluating".into(),
            },
            Event::Development { .. } => return,
            Event::Notice(text) => Line::Notice(text.clone()),
        };
        let quiet = Duration::from_millis(200);
        if matches!(line, Line::Progress { .. }) && self.last.is_some_and(|last| last.elapsed() < quiet) {
            return;
        }
        self.last = Some(Instant::now());
        if let Ok(text) = serde_json::to_string(&line) {
            // A reader that went away is no reason to lose the run.
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        }
    }
}

//! One cell of a sweep: what it is, and its work.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use micse_data::{Corpus, SplitSize, Suite};
use micse_eval::VectorEmbedder;
use micse_model::options::ComputeOptions;
use micse_model::{ModelFolder, Pooling};
use micse_report::{Grid, GridCell};
use micse_train::{Event, Recipe, RunInputs, Stop, TrainText};
use micse_vectors::{Selection, WordVectors};
use serde::{Deserialize, Serialize};

/// How long a cell waits for a process that a killed sweep left behind: it ends after its step.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everything that a cell's process needs.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct CellSpec {
    /// Where it lies is the sweep's business: folders can be moved.
    #[serde(skip)]
    pub(super) folder: PathBuf,
    pub(super) work: Work,
    pub(super) encoder: PathBuf,
    pub(super) sts: PathBuf,
    pub(super) compute: ComputeOptions,
    pub(super) chunk: Option<NonZeroUsize>,
    pub(super) keep: Keep,
    pub(super) allow_other_cpu: bool,
    pub(super) checkpoint_steps: NonZeroUsize,
}

/// Which finished encoders stay on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(super) enum Keep {
    /// Those of all runs.
    All,
    /// Of each method and size that of the seed with the best score on the development pairs.
    Best,
    /// None.
    None,
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

impl fmt::Display for CellSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work {
            Work::Untrained { method, .. } | Work::Vectors { method, .. } => f.write_str(method),
            Work::Train { recipe, size, seed, .. } => write!(f, "{} {size} seed {seed}", recipe.name),
        }
    }
}

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

    /// A cell of the sweep's file.
    pub(super) fn of_grid(sweep: &Path, cell: &GridCell) -> Result<Self> {
        let spec: Self = serde_json::from_value(cell.spec.clone()).with_context(|| {
            format!(
                "{}: {cell} is not described as this version does; start the sweep again",
                sweep.join(Grid::FILE).display()
            )
        })?;
        Ok(Self { folder: sweep.join(&cell.folder), ..spec })
    }

    /// The recipe, where something is trained.
    pub(super) fn recipe(&self) -> Option<&Recipe> {
        match &self.work {
            Work::Train { recipe, .. } => Some(recipe),
            _ => None,
        }
    }

    /// Where the result will stand.
    pub(super) fn result(&self) -> PathBuf {
        self.folder.join("result.json")
    }

    /// How much work it is, in passes of a batch through the encoder; scoring counts for some of them.
    pub(super) fn weight(&self) -> f64 {
        const SCORING: f64 = 100.0;
        match &self.work {
            Work::Untrained { .. } | Work::Vectors { .. } => SCORING,
            Work::Train { recipe, .. } => SCORING + (recipe.steps * recipe.passes()) as f64,
        }
    }

    /// The share of the work that training is.
    pub(super) fn training_share(&self) -> f64 {
        match &self.work {
            Work::Untrained { .. } | Work::Vectors { .. } => 0.0,
            Work::Train { recipe, .. } => (recipe.steps * recipe.passes()) as f64 / self.weight(),
        }
    }

    /// Does the work, or goes on with it; what is done already is checked to be the same.
    pub(super) fn run(&self, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<()> {
        let compute = self.compute.start()?;
        let base = ModelFolder::open(&self.encoder)?;
        let suite = Suite::load(&self.sts, None)?;
        match &self.work {
            Work::Untrained { method, pooling } => {
                micse_train::untrained(&self.folder, method, &base, *pooling, &suite, &compute, tell)?;
            }
            Work::Vectors { method, file } => {
                let vectors = WordVectors::open(file)?;
                let embedder = VectorEmbedder::new(&vectors, Selection::default());
                micse_train::scored_file(&self.folder, method, file, &embedder, &suite, &compute, tell)?;
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
                    chunk: self.chunk,
                    keep_model: self.keep != Keep::None,
                    allow_other_cpu: self.allow_other_cpu,
                    checkpoint_steps: self.checkpoint_steps.get(),
                    stop: stop.clone(),
                    patience: PATIENCE,
                    ..RunInputs::new(Recipe::clone(recipe), *seed, &text, &base, &suite, compute)
                };
                micse_train::run(&self.folder, &inputs, tell)?;
            }
        }
        Ok(())
    }
}

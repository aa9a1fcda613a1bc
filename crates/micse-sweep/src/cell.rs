//! One cell of a sweep: its specification and its work.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use micse_cli::options::ComputeOptions;
use micse_data::{Corpus, SplitSize, StsCorpus, Suite, TransferSuite};
use micse_eval::VectorEmbedder;
use micse_files::RunFolder;
use micse_model::{ModelFolder, Pooling, StaticModel};
use micse_report::{Failure, GridCell};
use micse_train::{EvaluationSets, Event, Recipe, RunInputs, Stop, TrainText};
use micse_vectors::{Selection, WordVectors};
use serde::{Deserialize, Serialize};

/// How long a cell waits for a leftover process of a killed sweep, which ends after its current step.
const PATIENCE: Duration = Duration::from_mins(1);

/// All inputs of a cell's process.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CellSpec {
    /// The run folder. Not saved, because sweep folders can be moved.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    pub(crate) work: Work,
    pub(crate) encoder: PathBuf,
    /// The encoder's name in tables, if it is not the sweep's.
    #[serde(default)]
    pub(crate) own_encoder: Option<String>,
    /// The corpus's name in tables, if it is not the sweep's.
    #[serde(default)]
    pub(crate) own_corpus: Option<String>,
    /// Whether the recipe has other values than its own.
    #[serde(default)]
    pub(crate) changed: bool,
    pub(crate) sts: PathBuf,
    /// The folder of transfer tasks, if they are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<PathBuf>,
    pub(crate) compute: ComputeOptions,
    pub(crate) chunk: Option<NonZeroUsize>,
    pub(crate) keep: Keep,
    pub(crate) allow_other_cpu: bool,
    pub(crate) checkpoint_steps: NonZeroUsize,
    #[serde(default = "default_minutes")]
    pub(crate) checkpoint_minutes: f64,
}

fn default_minutes() -> f64 {
    micse_train::run::CHECKPOINT_MINUTES
}

/// Which finished models are kept on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Keep {
    /// The models of all runs
    All,
    /// Per method and size, the model of the seed with the best development score
    Best,
    /// No models
    None,
}

/// What a cell's process is to do.
#[derive(Clone, Copy)]
enum Ask {
    /// Compare its folder with its specification.
    Check,
    /// Run or resume it.
    Run,
}

/// The work of a cell.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Scores the untrained encoder, under this name.
    Untrained { method: String, pooling: Pooling },
    /// Scores the means of word vectors from a file.
    Vectors { method: String, file: PathBuf },
    /// Trains, then scores.
    Train { recipe: Box<Recipe>, size: SplitSize, seed: u64, text: TextSpec },
}

/// Where a cell's sentences come from.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum TextSpec {
    Demo,
    Corpus(Vec<PathBuf>),
    SplitFile(PathBuf),
    /// The sentences of STS sets in this folder.
    Sts(PathBuf, StsCorpus),
}

impl TextSpec {
    /// Reads or generates the corpus that splits are drawn from.
    pub(crate) fn corpus(&self) -> Result<Corpus> {
        Ok(match self {
            Self::Demo => Corpus::demo(),
            Self::Corpus(files) => Corpus::open(files)?,
            Self::SplitFile(file) => Corpus::open(std::slice::from_ref(file))?,
            Self::Sts(folder, sts) => sts.read(folder)?,
        })
    }

    /// The number of training sentences at this size. `corpus` keeps the number of all sentences for the next call.
    pub(crate) fn sentences(&self, size: SplitSize, corpus: &mut Option<usize>) -> Result<usize> {
        if let Self::SplitFile(_) = self {
            return Ok(self.corpus()?.len());
        }
        let all = match *corpus {
            Some(all) => all,
            None => self.corpus()?.len(),
        };
        *corpus = Some(all);
        Ok(size.resolve(all)?)
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

impl CellSpec {
    /// The cell's place in the grid of the sweep in this folder.
    pub(crate) fn grid_cell(&self, sweep: &Path) -> Result<GridCell> {
        let (method, size, seed) = match &self.work {
            Work::Untrained { method, .. } | Work::Vectors { method, .. } => (method, None, None),
            Work::Train { recipe, size, seed, .. } => (&recipe.name, Some(size.to_string()), Some(*seed)),
        };
        Ok(GridCell {
            folder: self.folder.strip_prefix(sweep)?.to_path_buf(),
            method: method.clone(),
            size,
            seed,
            encoder: self.own_encoder.clone(),
            corpus: self.own_corpus.clone(),
            changed: self.changed,
            vectors: matches!(self.work, Work::Vectors { .. }),
        })
    }

    /// The recipe, if the cell trains.
    pub(crate) fn recipe(&self) -> Option<&Recipe> {
        match &self.work {
            Work::Train { recipe, .. } => Some(recipe),
            _ => None,
        }
    }

    /// The run folder.
    pub(crate) fn run_folder(&self) -> RunFolder {
        RunFolder::new(&self.folder)
    }

    /// The recorded failure for which the cell is skipped. One that comes before `run.toml` is not tied to the inputs:
    /// the cell tries again, and fails at once if nothing has changed.
    pub(crate) fn failure(&self) -> Result<Option<Failure>> {
        let run = self.run_folder();
        Ok(if run.is_begun() { Failure::load(&run)? } else { None })
    }

    /// The amount of work, in passes of a batch through the encoder; scoring counts as a fixed number of passes.
    pub(crate) fn weight(&self) -> f64 {
        const SCORING: f64 = 100.0;
        match &self.work {
            Work::Untrained { .. } | Work::Vectors { .. } => SCORING,
            Work::Train { recipe, .. } => SCORING + (recipe.steps * recipe.passes()) as f64,
        }
    }

    /// The share of the work that is training.
    pub(crate) fn training_share(&self) -> f64 {
        match &self.work {
            Work::Untrained { .. } | Work::Vectors { .. } => 0.0,
            Work::Train { recipe, .. } => (recipe.steps * recipe.passes()) as f64 / self.weight(),
        }
    }

    /// Checks that the folder of a begun cell matches this specification. Without training, a cell that is not finished
    /// has nothing that could be of another run.
    pub(crate) fn check(&self, stop: &Stop) -> Result<()> {
        match self.work {
            Work::Train { .. } => self.start(Ask::Check, stop, &mut |_| {}),
            Work::Untrained { .. } | Work::Vectors { .. } => Ok(()),
        }
    }

    /// Runs or resumes the cell. If it is finished, checks that its folder matches this specification.
    pub(crate) fn run(&self, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<()> {
        self.start(Ask::Run, stop, tell)
    }

    fn start(&self, ask: Ask, stop: &Stop, tell: &mut dyn FnMut(Event)) -> Result<()> {
        let compute = self.compute.start()?;
        let base = ModelFolder::open(&self.encoder)?;
        let suite = Suite::load(&self.sts, None)?;
        let transfer = self.transfer.as_ref().map(|folder| TransferSuite::load(folder, None)).transpose()?;
        let transfer = transfer.as_ref();
        let sets = EvaluationSets { suite: &suite, transfer };
        match &self.work {
            Work::Untrained { method, pooling } => {
                micse_train::untrained(&self.folder, method, &base, *pooling, sets, &compute, tell)?;
            }
            Work::Vectors { method, file } if file.is_dir() => {
                let model = StaticModel::open(file)?;
                micse_train::scored_file(&self.folder, method, file, &model, sets, &compute, tell)?;
            }
            Work::Vectors { method, file } => {
                let vectors = WordVectors::open(file)?;
                let embedder = VectorEmbedder::new(&vectors, Selection::default());
                micse_train::scored_file(&self.folder, method, file, &embedder, sets, &compute, tell)?;
            }
            Work::Train { recipe, size, seed, text } => {
                let text = match text {
                    TextSpec::SplitFile(_) => TrainText::whole(text.corpus()?, &size.to_string()),
                    TextSpec::Demo | TextSpec::Corpus(_) | TextSpec::Sts(..) => {
                        TrainText::split(text.corpus()?, *size, *seed)?
                    }
                };
                let inputs = RunInputs {
                    transfer,
                    chunk: self.chunk,
                    keep_model: self.keep != Keep::None,
                    allow_other_cpu: self.allow_other_cpu,
                    checkpoint_steps: self.checkpoint_steps.get(),
                    checkpoint_time: Duration::from_secs_f64(60.0 * self.checkpoint_minutes),
                    stop: stop.clone(),
                    patience: PATIENCE,
                    ..RunInputs::new(Recipe::clone(recipe), *seed, &text, &base, &suite, compute)
                };
                match ask {
                    Ask::Check => micse_train::run::check_identity(&self.folder, &inputs)?,
                    Ask::Run => drop(micse_train::run(&self.folder, &inputs, tell)?),
                }
            }
        }
        Ok(())
    }
}

//! Options of a sweep: the grid, how to run it, and what the tables compare.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use micse_cli::options::ComputeOptions;
use micse_cli::{note, print, print_json};
use micse_data::locate::DEMO;
use micse_report::{Against, Comparisons, Grid, Results, TableOptions, Tables};

use crate::axis::Axis;
use crate::cell::Keep;
use crate::inputs::NamedValue;
use crate::preset::Scale;
use crate::slurm::Slurm;

/// Default number of steps between two checkpoints.
const CHECKPOINT_STEPS: NonZeroUsize = match NonZeroUsize::new(micse_train::run::CHECKPOINT_STEPS) {
    Some(steps) => steps,
    None => panic!("checkpoints are at least one step apart"),
};

/// The grid.
#[derive(Args, Debug)]
#[command(next_help_heading = "Grid")]
pub(crate) struct GridOptions {
    /// Named grid with settings: demo, quick, methods, low-shot, table-1, table-2, table-3, figure-2, ablation, or
    /// FILE.toml; other options override single values [default: demo; none with your own --model, --corpus or
    /// --split-files, so that the recipes' own settings apply]
    #[arg(long)]
    pub(crate) preset: Option<String>,
    /// Scale of the preset
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scale: Scale,
    /// Built-in recipes or file.toml, separated by commas [default: the preset's]
    #[arg(long, value_delimiter = ',')]
    pub(crate) methods: Option<Vec<String>>,
    /// Methods to omit, separated by commas
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Training-set sizes, as shares of the corpus or counts, separated by commas: 0.1%,1000,100% [default: the
    /// preset's, else 100%]
    #[arg(long, alias = "fractions")]
    pub(crate) sizes: Option<String>,
    /// Seeds: 48..52 (inclusive), or separated by commas: 48,49 [default: the preset's, else 48..52]
    #[arg(long)]
    pub(crate) seeds: Option<String>,
    /// Encoder to start from: model folder, run folder, Hub model ID, or `demo` for the shipped encoder [default: the
    /// preset's, else `MICSE_DATA`/bert-base-uncased]
    #[arg(long, alias = "encoder")]
    pub(crate) model: Option<String>,
    /// Encoder for a single method: --model-for vascl=roberta-base/ (repeatable)
    #[arg(long, value_name = "METHOD=MODEL")]
    pub(crate) model_for: Vec<NamedValue>,
    /// Text files, one sentence per line, plain, zstd or gzip; `demo` for generated sentences [default: the preset's,
    /// else the corpus in `MICSE_DATA`]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) corpus: Option<Vec<String>>,
    /// Corpus for a single method, or for a corpus that the preset names: a text file, demo, or the sentences of the STS
    /// sets without scores (sts, sts-b, sts-b-train): --corpus-for NLI=nli.txt (repeatable, for other names)
    #[arg(long, value_name = "NAME=CORPUS")]
    pub(crate) corpus_for: Vec<NamedValue>,
    /// Folder of existing split files, instead of splits of a corpus
    #[arg(long, value_name = "FOLDER", conflicts_with = "corpus")]
    pub(crate) split_files: Option<PathBuf>,
    /// Word vectors in GloVe's or word2vec's format; adds a row for their mean
    #[arg(long, value_name = "FILE")]
    pub(crate) vectors: Option<PathBuf>,
    /// Model of token vectors (StaticEmbedding, model2vec), by folder or Hub model ID; adds a row for it
    #[arg(long, value_name = "MODEL")]
    pub(crate) token_vectors: Option<String>,
    /// STS sets: a folder in SentEval's layout, or `demo` [default: the preset's, else `MICSE_DATA`/senteval, else
    /// demo]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sts: Option<String>,
    /// Also score transfer tasks in every cell, from the folder of the STS sets (a few minutes per cell on SentEval's)
    #[arg(long)]
    pub(crate) transfer: bool,
    /// Optimizer steps per run [default: the preset's, else the recipe's]
    #[arg(long)]
    pub(crate) steps: Option<usize>,
    /// Add terms to every recipe that trains, separated by commas: --with ami
    #[arg(long, value_name = "TERM", value_delimiter = ',')]
    pub(crate) with: Vec<String>,
    /// Change a value of every recipe that trains: --set optimizer.lr=1e-4 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Another axis over any recipe value: --axis objectives.ami.weight=1e-3,1e-2 (repeatable)
    #[arg(long = "axis", value_name = "KEY=V1,V2")]
    pub(crate) axes: Vec<Axis>,
    /// Encode N sentences at a time: less memory, but encodes each one twice
    #[arg(long, value_name = "N")]
    pub(crate) chunk: Option<NonZeroUsize>,
    #[command(flatten, next_help_heading = "Computation")]
    pub(crate) compute: ComputeOptions,
}

impl GridOptions {
    /// The requested preset; else `demo` if the encoder and the corpus are those of the demo, for which its settings
    /// were made; else none.
    pub(crate) fn preset(&self) -> Option<&str> {
        let others = |names: &[String]| names.iter().any(|name| name != DEMO);
        let own = self.model.as_deref().is_some_and(|name| name != DEMO)
            || self.corpus.as_deref().is_some_and(others)
            || self.split_files.is_some();
        self.preset.as_deref().or((!own).then_some(DEMO))
    }
}

/// How the sweep runs.
#[derive(Args, Debug)]
#[command(next_help_heading = "Running")]
pub(crate) struct HowOptions {
    /// Print the cells, their memory and an estimate of their time on this machine; train and write nothing
    #[arg(long, conflicts_with = "launcher")]
    pub(crate) dry_run: bool,
    /// Cells to run at a time, each with its share of the threads [default: one cell per thread]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Sweep folder [default: runs/PRESET, runs/PRESET-tiny with --scale tiny, or runs/own without a preset]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Which finished models to keep
    #[arg(long, value_name = "WHICH", value_enum, default_value = "none")]
    pub(crate) keep_models: Keep,
    /// Steps between two checkpoints
    #[arg(long, value_name = "N", default_value_t = CHECKPOINT_STEPS)]
    pub(crate) checkpoint_steps: NonZeroUsize,
    /// Minutes after which a checkpoint is saved in any case
    #[arg(long, value_name = "M", default_value_t = micse_train::run::CHECKPOINT_MINUTES,
        value_parser = micse_cli::options::minutes)]
    pub(crate) checkpoint_minutes: f64,
    /// Retry failed cells
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Resume from a checkpoint that a different kind of CPU wrote
    #[arg(long)]
    pub(crate) allow_other_cpu: bool,
    /// Where the cells run
    #[arg(long, value_enum, default_value = "local")]
    pub(crate) launcher: Launcher,
    #[command(flatten)]
    pub(crate) slurm: Slurm,
}

/// What the tables compare.
#[derive(Args, Debug)]
#[command(next_help_heading = "Tables")]
pub(crate) struct CompareOptions {
    /// Row to compare the others with, or method whose row at the same values of the axes is used [default: simcse-baseline
    /// or simcse, else the first row without training]
    #[arg(long, value_name = "METHOD")]
    pub(crate) baseline: Option<String>,
    /// Add tables that compare with published results: paper (all of the miCSE paper, and the methods' own
    /// publications), table-1, table-2, table-3, or none [default: the preset's, else none]
    #[arg(long, value_name = "WHAT", value_parser = published)]
    pub(crate) against: Option<Published>,
}

/// Which published results are compared, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published(Option<Against>);

fn published(name: &str) -> Result<Published, String> {
    if name == "none" {
        return Ok(Published(None));
    }
    name.parse().map(|against| Published(Some(against))).map_err(|error: String| format!("{error}, or none"))
}

impl CompareOptions {
    /// The published results to compare with: those that the command names, else these.
    pub(crate) fn against_or(&self, usual: Option<Against>) -> Option<Against> {
        self.against.map_or(usual, |Published(against)| against)
    }

    /// Rejects a comparison that cannot be made, before anything runs.
    pub(crate) fn check(&self, grid: &Grid) -> Result<()> {
        match &self.baseline {
            Some(baseline) => Ok(Comparisons::check_baseline(grid, baseline)?),
            None => Ok(()),
        }
    }

    /// The same options as arguments for another command.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let against =
            self.against.map(|Published(against)| against.map_or_else(|| "none".into(), |a| a.to_string()));
        let given = [("--baseline", self.baseline.clone()), ("--against", against)];
        given.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten().collect()
    }

    /// Writes the tables of the existing results, and prints them, or with `json` the summary over seeds.
    pub(crate) fn write_tables(&self, folder: &Path, grid: &Grid, json: bool) -> Result<()> {
        let against = self.against_or(grid.against);
        let options = TableOptions { baseline: self.baseline.clone(), against };
        let results = Results::collect(folder, grid)?;
        let tables = Tables::new(&results, grid, &options)?;
        // Printed first: a full disk may keep them from being written.
        if json {
            print_json(&results.summary_rows())?;
        } else {
            print(&tables.text)?;
        }
        tables.write(folder)?;
        note(format_args!(
            "wrote tables (txt, md, tex), results, summary and comparisons (csv, parquet) to {}",
            folder.display()
        ));
        Ok(())
    }
}

/// Where the cells run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Launcher {
    /// On this machine, --jobs at a time
    Local,
    /// On a Slurm cluster, as a job array with one task per cell
    Slurm,
    /// Nowhere: print the command for each unfinished cell, for any scheduler
    Print,
}

impl HowOptions {
    /// The maximum number of cells that run at a time.
    pub(crate) fn at_once(&self, jobs: usize) -> usize {
        match self.launcher {
            Launcher::Local => jobs,
            Launcher::Slurm => self.slurm.at_once.map_or(usize::MAX, |n| n as usize),
            Launcher::Print => usize::MAX,
        }
    }
}

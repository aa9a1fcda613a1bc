//! `cargo xtask sweep`: methods x training-set sizes x seeds, to a table of mean±std.
//!
//! A sweep is a folder of runs, one a cell; a cell whose `result.json` stands is done. Each cell runs in a
//! process of its own. Killing the sweep and starting it again goes on where it stopped.
//!
//! `plan` turns options into cells, `folder` takes the sweep's folder, `pool` runs cells here, `slurm` elsewhere,
//! `process` is a cell's process, `status` tells of what stands in a folder.

mod axis;
mod cell;
mod folder;
mod memory;
mod models;
mod plan;
mod pool;
mod preset;
mod process;
mod progress;
mod slurm;
mod status;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use micse_data::locate::DEMO;
use micse_model::options::ComputeOptions;
use micse_report::{Comparisons, Grid, Results, TableOptions, Tables};
use micse_train::Stop;

use axis::Axis;
use cell::Keep;
use memory::Budget;
use plan::Plan;
use pool::Pool;
pub(crate) use process::SweepCell;
use slurm::Slurm;

/// The usual distance of checkpoints.
const CHECKPOINT_STEPS: NonZeroUsize = match NonZeroUsize::new(micse_train::run::CHECKPOINT_STEPS) {
    Some(steps) => steps,
    None => panic!("checkpoints lie at least a step apart"),
};

/// Train methods x sizes x seeds and tabulate their scores; without arguments the preset `demo`, on shipped files
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Sweep {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    grid: GridOptions,
    #[command(flatten)]
    how: HowOptions,
    #[command(flatten)]
    compare: CompareOptions,
}

#[derive(Subcommand)]
enum Action {
    /// Which cells of a sweep's folder are done, running, failed or waiting
    Status(status::Status),
    /// Write the tables of a sweep's folder from the results that stand
    Collect(status::Collect),
}

/// What is swept.
#[derive(Args)]
#[command(next_help_heading = "Grid")]
struct GridOptions {
    /// Methods, sizes, seeds and settings under one name; other options change single values of it [default: demo; none
    /// with an --encoder, --corpus or --split-files of your own: then the recipes' own settings hold]
    #[arg(long, value_parser = ["demo", "quick", "methods", "low-shot", "paper"])]
    preset: Option<String>,
    /// Recipes: built-in names or files.toml
    #[arg(long, value_delimiter = ',')]
    methods: Option<Vec<String>>,
    /// Training-set sizes, by share of the corpus or by count: 0.1%,1000,100% [default: the preset's, else 100%]
    #[arg(long, alias = "fractions")]
    sizes: Option<String>,
    /// Seeds: 48..52 (52 included), or 48,49 [default: the preset's, else 48..52]
    #[arg(long)]
    seeds: Option<String>,
    /// The encoder that training starts from: a model folder, an id of the Hub, or `demo` for the shipped one
    #[arg(long)]
    encoder: Option<String>,
    /// Sentence files, one sentence a line, plain, zstd or gzip; `demo` for the generated corpus [default: `MICSE_DATA`]
    #[arg(long, num_args = 1..)]
    corpus: Option<Vec<String>>,
    /// A folder of split files that were drawn elsewhere, taken instead of splits of the corpus
    #[arg(long, conflicts_with = "corpus")]
    split_files: Option<PathBuf>,
    /// Word vectors (GloVe's or word2vec's form; `cargo xtask vectors` trains some): one more row, their mean
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
    /// A folder in SentEval's layout, or `demo` for the shipped pairs [default: `MICSE_DATA`]
    #[arg(long)]
    sts: Option<String>,
    /// Optimizer steps a run, instead of the recipes' own
    #[arg(long)]
    steps: Option<usize>,
    /// Add a term to every recipe that trains: `--with ami`
    #[arg(long, value_delimiter = ',')]
    with: Vec<String>,
    /// Change a value of every recipe that trains: --set optimizer.lr=1e-4
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// One more axis, of any recipe value: --axis objectives.ami.weight=1e-3,1e-2 (repeatable)
    #[arg(long = "axis", value_name = "KEY=V1,V2")]
    axes: Vec<Axis>,
    /// Encode batches in chunks of so many sentences: less memory, each sentence is encoded twice
    #[arg(long, value_name = "SENTENCES")]
    chunk: Option<NonZeroUsize>,
    #[command(flatten)]
    compute: ComputeOptions,
}

impl GridOptions {
    /// The preset that is named; `demo`, where encoder and text are the demo's, for which its settings were made; else none.
    fn preset(&self) -> Option<&str> {
        let others = |names: &[String]| names.iter().any(|name| name != DEMO);
        let own = self.encoder.as_deref().is_some_and(|name| name != DEMO)
            || self.corpus.as_deref().is_some_and(others)
            || self.split_files.is_some();
        self.preset.as_deref().or((!own).then_some(DEMO))
    }
}

/// How it is run.
#[derive(Args)]
#[command(next_help_heading = "Running")]
struct HowOptions {
    /// Cells that run at a time, each with its share of the threads [default: one a thread]
    #[arg(long)]
    jobs: Option<usize>,
    /// The sweep's folder [default: runs/PRESET, or runs/own without one]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Which finished encoders stay on disk; the best is that of a method's and size's seeds with the best development
    /// score
    #[arg(long, value_enum, default_value = "none")]
    keep_models: Keep,
    /// Steps between two checkpoints of a cell; five minutes make one too
    #[arg(long, value_name = "STEPS", default_value_t = CHECKPOINT_STEPS)]
    checkpoint_steps: NonZeroUsize,
    /// Try cells again that failed
    #[arg(long)]
    retry_failed: bool,
    /// Go on with checkpoints of another kind of processor
    #[arg(long)]
    allow_other_cpu: bool,
    /// Who runs the cells
    #[arg(long, value_enum, default_value = "local")]
    launcher: Launcher,
    #[command(flatten)]
    slurm: Slurm,
}

/// What the tables compare.
#[derive(Args)]
#[command(next_help_heading = "Tables")]
struct CompareOptions {
    /// The method that the others are compared with, by seed and by pair [default: simcse, or the first row without
    /// training]
    #[arg(long, value_name = "METHOD")]
    baseline: Option<String>,
    /// One more table: beside the miCSE paper's figures
    #[arg(long, value_name = "WHAT", value_parser = ["paper"])]
    against: Option<String>,
}

impl CompareOptions {
    /// Refuses a comparison that cannot be made, before anything runs.
    fn check(&self, grid: &Grid) -> Result<()> {
        match &self.baseline {
            Some(baseline) => Ok(Comparisons::check_baseline(grid, baseline)?),
            None => Ok(()),
        }
    }

    /// The same options for a command of its own.
    fn arguments(&self) -> Vec<String> {
        let given = [("--baseline", &self.baseline), ("--against", &self.against)];
        given
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]))
            .flatten()
            .collect()
    }

    /// Prints the tables of the results that stand, and writes them.
    fn write_tables(&self, folder: &Path, grid: &Grid) -> Result<()> {
        let options = TableOptions { baseline: self.baseline.clone(), against_paper: self.against.is_some() };
        let tables = Tables::new(&Results::collect(folder, grid)?, grid, &options)?;
        // Before they are written, which a full disk may keep from happening.
        println!("{}", tables.text);
        tables.write(folder)?;
        println!(
            "tables (txt, md, tex), results, summary and comparisons (csv, parquet) are in {}",
            folder.display()
        );
        Ok(())
    }
}

/// Who runs the cells.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Launcher {
    /// This machine, --jobs at a time.
    Local,
    /// A Slurm cluster: one job array, one task a cell.
    Slurm,
    /// Nobody: the command of each open cell is printed, for any scheduler.
    Print,
}

impl HowOptions {
    /// Cells that may run at a time.
    fn at_once(&self, jobs: usize) -> usize {
        match self.launcher {
            Launcher::Local => jobs,
            Launcher::Slurm => self.slurm.at_once.map_or(usize::MAX, |n| n as usize),
            Launcher::Print => usize::MAX,
        }
    }
}

impl Sweep {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match &self.action {
            None => self.sweep(),
            Some(Action::Status(status)) => status.run(),
            Some(Action::Collect(collect)) => collect.run(),
        }
    }

    fn sweep(&self) -> Result<ExitCode> {
        // Before anything is started: what comes with an order to stop ends cleanly from here on.
        let stop = Stop::on_signals()?;
        // Started here too, so that what does not go together is refused before anything runs.
        self.grid.compute.start()?;
        let plan = Plan::new(&self.grid, &self.how)?;
        for note in &plan.notes {
            eprintln!("{note}");
        }
        self.compare.check(&plan.grid()?)?;
        let (_lock, grid) = folder::take(&plan)?;
        match self.how.launcher {
            Launcher::Local => self.run_here(&plan, &grid, &stop),
            Launcher::Slurm => {
                self.pool(&plan, &stop).check(&plan.cells)?;
                self.how.slurm.submit(&plan, self.how.retry_failed, &self.compare.arguments())
            }
            Launcher::Print => {
                self.pool(&plan, &stop).check(&plan.cells)?;
                for line in slurm::commands(&plan, self.how.retry_failed)? {
                    println!("{line}");
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    fn pool<'a>(&self, plan: &'a Plan, stop: &'a Stop) -> Pool<'a> {
        Pool {
            sweep: &plan.out,
            jobs: plan.jobs,
            budget: Budget::of_machine(),
            stop,
            retry_failed: self.how.retry_failed,
        }
    }

    fn run_here(&self, plan: &Plan, grid: &Grid, stop: &Stop) -> Result<ExitCode> {
        let pool = self.pool(plan, stop);
        plan.say_memory(&pool.budget)?;
        let ended = pool.run(&plan.cells)?;
        // Before the tables, which may not be written on a full disk.
        for (cell, reason) in &ended.failed {
            eprintln!("failed: {cell}: {reason}");
        }
        if ended.stopped {
            // Whoever asked may not wait for tables: `sweep collect` writes them.
            eprintln!("stopped as asked; the same command goes on");
            return Ok(ExitCode::from(Stop::STATUS));
        }
        self.compare.write_tables(&plan.out, grid)?;
        if !ended.failed.is_empty() {
            let recorded = "; --retry-failed tries again those that would fail the same way";
            bail!("{} of {} cells failed{recorded}", ended.failed.len(), plan.cells.len());
        }
        // Whatever became of its process, a cell is done when its result stands.
        let holes = plan.cells.iter().filter(|cell| !cell.result().is_file()).count();
        if holes > 0 {
            bail!("{holes} of {} cells have no result; the same command runs them", plan.cells.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

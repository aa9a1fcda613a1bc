//! `cargo xtask sweep`: methods x training-set sizes x seeds, to a table of mean±std.
//!
//! A sweep is a folder of runs, one a cell; a cell whose `result.json` stands is done. Each cell runs in a
//! process of its own. Killing the sweep and starting it again goes on where it stopped.

mod cell;
mod pool;
mod preset;
mod progress;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_data::locate::CorpusSource;
use micse_data::{Locator, SplitSize, parse_seeds, parse_sizes};
use micse_model::Pooling;
use micse_model::options::ComputeOptions;
use micse_report::{Grid, Results};
use micse_train::Recipe;

pub(crate) use cell::SweepCell;
use cell::{CellSpec, Work};
use preset::Preset;

/// Train methods x sizes x seeds and tabulate their scores; without arguments the preset `demo`, on shipped files
#[derive(Args)]
pub(crate) struct Sweep {
    /// Methods, sizes, seeds and settings under one name; other options change single values of it
    #[arg(long, default_value = "demo", value_parser = ["demo", "quick", "methods", "paper"])]
    preset: String,
    /// Recipes: built-in names or files.toml
    #[arg(long, value_delimiter = ',')]
    methods: Option<Vec<String>>,
    /// Training-set sizes, by share of the corpus or by count: 0.1%,1000,100%
    #[arg(long, alias = "fractions")]
    sizes: Option<String>,
    /// Seeds: 48..52 (52 included), or 48,49
    #[arg(long)]
    seeds: Option<String>,
    /// The encoder that training starts from: a model folder, or `demo` for the shipped one
    #[arg(long)]
    encoder: Option<String>,
    /// Sentence files, one sentence a line, plain or zstd; `demo` for the generated corpus [default: `MICSE_DATA`]
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
    /// Cells that run at a time, each with its share of the threads [default: one a thread]
    #[arg(long)]
    jobs: Option<usize>,
    /// The sweep's folder [default: runs/PRESET]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Which finished encoders stay on disk
    #[arg(long, default_value = "none", value_parser = ["all", "none"])]
    keep_models: String,
    /// Encode batches in chunks of so many sentences: less memory, each sentence is encoded twice
    #[arg(long, value_name = "SENTENCES")]
    chunk: Option<NonZeroUsize>,
    #[command(flatten)]
    compute: ComputeOptions,
    /// Go on with checkpoints of another kind of processor
    #[arg(long)]
    allow_other_cpu: bool,
}

/// The row of averaged word vectors.
const GLOVE: &str = "glove-avg";

/// What a sweep does, with every default filled in.
struct Plan {
    preset: String,
    out: PathBuf,
    cells: Vec<CellSpec>,
    notes: Vec<String>,
    /// What differs from the recipes as they stand.
    settings: String,
    jobs: usize,
}

impl Plan {
    fn grid(&self) -> Result<Grid> {
        let cells = self.cells.iter().map(|cell| cell.grid_cell(&self.out)).collect::<Result<_>>()?;
        Ok(Grid {
            preset: self.preset.clone(),
            settings: self.settings.clone(),
            notes: self.notes.clone(),
            cells,
        })
    }
}

impl Sweep {
    pub(crate) fn run(&self) -> Result<()> {
        // Started here too, so that what does not go together is refused before anything runs.
        self.compute.start()?;
        let plan = self.plan()?;
        for note in &plan.notes {
            eprintln!("{note}");
        }
        std::fs::create_dir_all(&plan.out).with_context(|| {
            format!("{}: cannot make the sweep's folder; give another --out", plan.out.display())
        })?;
        let grid = plan.grid()?;
        grid.save(&plan.out)?;
        let failures = pool::run(&plan.cells, plan.jobs)?;
        micse_report::write_tables(&plan.out, &Results::collect(&plan.out, &grid)?, &plan.settings)?;
        if failures.is_empty() {
            return Ok(());
        }
        for (cell, reason) in &failures {
            eprintln!("failed: {cell}: {reason}");
        }
        bail!("{} of {} cells failed; the same command tries them again", failures.len(), plan.cells.len())
    }

    fn plan(&self) -> Result<Plan> {
        let preset = Preset::load(&self.preset)?;
        let locator = Locator::from_env()?;
        let methods = self.methods.clone().unwrap_or(preset.methods.clone());
        let sizes = parse_sizes(self.sizes.as_ref().unwrap_or(&preset.sizes))?;
        let seeds = parse_seeds(self.seeds.as_ref().unwrap_or(&preset.seeds))?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&self.preset));

        let encoder = locator.encoder(self.encoder.as_deref().or(preset.encoder.as_deref()))?;
        let sts = locator.sts(self.sts.as_deref().or(preset.sts.as_deref()))?;
        let mut notes = vec![encoder.note.clone(), sts.note.clone()];
        let text = if let Some(folder) = &self.split_files {
            notes.push(format!("train text: split files in {}", folder.display()));
            Text::SplitFiles(folder.clone())
        } else {
            let corpus = locator.corpus(self.corpus.as_deref().unwrap_or(&preset.corpus))?;
            notes.push(corpus.note.clone());
            match corpus.place {
                CorpusSource::Demo => Text::Demo,
                CorpusSource::Files(files) => Text::Files(files),
            }
        };

        let mut recipes = Vec::new();
        for method in &methods {
            let recipe = self.recipe(method, &preset)?;
            if self.chunk.is_some() {
                recipe.check_chunks()?;
            }
            recipes.push(recipe);
        }
        let settings = self.settings(&preset, &methods);
        notes.push(settings.clone());
        // A cell's threads are its share of all, given by the environment.
        let mut cell_compute = self.compute.clone();
        cell_compute.engine.threads = None;
        let spec = |work: Work, folder: PathBuf| CellSpec {
            folder: out.join("cells").join(folder),
            work,
            encoder: encoder.place.clone(),
            sts: sts.place.clone(),
            compute: cell_compute.clone(),
            chunk: self.chunk,
            keep_model: self.keep_models == "all",
            allow_other_cpu: self.allow_other_cpu,
        };
        let mut cells = Vec::new();
        if let Some(file) = &self.vectors {
            let work = Work::Vectors { method: GLOVE.into(), file: file.clone() };
            cells.push(spec(work, PathBuf::from(GLOVE)));
        } else if self.preset == "methods" {
            notes.push(format!("{GLOVE}: left out, since there is no --vectors FILE"));
        }
        // What neither trains nor fits anything has one row, whatever the size and seed.
        let (fixed, recipes): (Vec<Recipe>, Vec<Recipe>) =
            recipes.into_iter().partition(|r| r.steps == 0 && r.post.is_none());
        let mut poolings: Vec<_> = recipes.iter().map(|r| r.pooling.test).collect();
        poolings.sort_by_key(|pooling| pooling.name());
        poolings.dedup();
        // Padding says nothing to an encoder that nobody trained for it.
        poolings.retain(|p| *p != Pooling::MeanWithPads && fixed.iter().all(|r| r.pooling.test != *p));
        for pooling in poolings {
            let method = format!("untrained ({pooling})");
            cells.push(spec(
                Work::Untrained { method, pooling },
                PathBuf::from(format!("untrained-{pooling}")),
            ));
        }
        for recipe in fixed {
            let (method, pooling) = (recipe.name.clone(), recipe.pooling.test);
            cells.push(spec(Work::Untrained { method, pooling }, PathBuf::from(recipe.name)));
        }
        // Seed by seed, so that a sweep which is stopped early has whole columns.
        for &seed in &seeds {
            for recipe in &recipes {
                for &size in &sizes {
                    let folder =
                        PathBuf::from(&recipe.name).join(folder_name(size)).join(format!("seed-{seed}"));
                    let text = text.of(size, seed)?;
                    cells.push(spec(
                        Work::Train { recipe: Box::new(recipe.clone()), size, seed, text },
                        folder,
                    ));
                }
            }
        }
        let mut folders = BTreeSet::new();
        if let Some(twice) = cells.iter().find(|cell| !folders.insert(cell.folder.clone())) {
            bail!("{twice} is asked for twice; name each method, size and seed once");
        }
        let threads = micse_model::threads();
        let jobs = self.jobs.unwrap_or(threads).clamp(1, cells.len());
        if jobs > threads && self.compute.engine.threads.is_some() {
            bail!(
                "--jobs {jobs} needs a thread each, but --threads is {threads}; use fewer jobs, or more threads"
            );
        }
        Ok(Plan { preset: self.preset.clone(), out, cells, notes, settings, jobs })
    }

    fn recipe(&self, method: &str, preset: &Preset) -> Result<Recipe> {
        let plain = Recipe::load(method, &[])?;
        let with: &[String] = if plain.steps > 0 { &self.with } else { &[] };
        let mut settings = preset.settings(method, &Recipe::load_with(method, with, &[])?);
        if plain.steps > 0 {
            settings.extend(self.settings.iter().cloned());
        }
        Ok(Recipe::load_for(method, with, &settings, self.steps.or(preset.steps))?)
    }

    /// One line on what differs from the recipes as they stand: tables of changed methods have to say so.
    fn settings(&self, preset: &Preset, methods: &[String]) -> String {
        let steps = self.steps.or(preset.steps).map(|steps| format!("steps={steps}"));
        let mut parts: Vec<String> = steps.into_iter().chain(preset.set.iter().cloned()).collect();
        parts.extend(preset.set_ami.iter().map(|setting| format!("{setting} (methods with AMI)")));
        for (method, settings) in preset.set_method.iter().filter(|(method, _)| methods.contains(method)) {
            parts.extend(settings.iter().map(|setting| format!("{setting} ({method})")));
        }
        parts.extend(self.settings.iter().cloned());
        if parts.is_empty() {
            "settings: the recipes' own".into()
        } else {
            format!("settings: {}", parts.join(", "))
        }
    }
}

/// Where the sentences of all cells come from.
enum Text {
    Demo,
    Files(Vec<PathBuf>),
    SplitFiles(PathBuf),
}

impl Text {
    fn of(&self, size: SplitSize, seed: u64) -> Result<cell::TextSpec> {
        Ok(match self {
            Self::Demo => cell::TextSpec::Demo,
            Self::Files(files) => cell::TextSpec::Corpus(files.clone()),
            Self::SplitFiles(folder) => {
                cell::TextSpec::SplitFile(micse_data::SplitFiles::open(folder)?.find(size, seed)?)
            }
        })
    }
}

/// A size as a folder's name: `0.1%` is `0.1pct`.
fn folder_name(size: SplitSize) -> String {
    size.to_string().replace('%', "pct")
}

//! From options to cells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use micse_cli::data::{locate_sts, locate_transfer};
use micse_cli::model::locate_model;
use micse_cli::note;
use micse_data::locate::CorpusSource;
use micse_data::{Locator, SplitSize, TransferSuite, parse_seeds, parse_sizes};
use micse_model::Pooling;
use micse_train::Recipe;

use crate::axis::{self, Axis};
use crate::cell::{CellSpec, Keep, TextSpec, Work};
use crate::file::{PlannedCell, SweepFile};
use crate::memory::{Budget, estimate};
use crate::options::{GridOptions, HowOptions};
use crate::preset::Preset;

/// The row of averaged word vectors.
const GLOVE: &str = "glove-avg";

/// A sweep with all defaults filled in.
pub(crate) struct Plan {
    pub(crate) preset: String,
    pub(crate) out: PathBuf,
    pub(crate) cells: Vec<CellSpec>,
    pub(crate) notes: Vec<String>,
    /// One line that lists the differences from the recipes.
    pub(crate) settings: String,
    pub(crate) jobs: usize,
    /// The maximum number of cells that run at a time, here or on a cluster.
    pub(crate) at_once: usize,
    axes: Vec<String>,
}

impl Plan {
    pub(crate) fn new(options: &GridOptions, how: &HowOptions) -> Result<Self> {
        let (name, preset) = match options.preset() {
            Some(name) => (name, Preset::load(name)?),
            None => (Preset::NONE, Preset::none(options.methods.as_deref())?),
        };
        let out = how.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(name));
        let locator = Locator::from_env()?;
        let encoder = locate_model(&locator, options.model.as_deref().or(preset.model.as_deref()))?;
        let sts = locate_sts(&locator, options.sts.as_deref().or(preset.sts.as_deref()))?;
        let mut notes = vec![encoder.note.clone(), sts.note.clone()];
        let transfer = options.transfer_folder(&locator, &preset, &mut notes)?;
        if options.preset().is_some() && options.preset.is_none() {
            notes.push(format!(
                "preset: {name}, the default; its settings apply unless options override them"
            ));
        }
        if options.preset().is_none() {
            notes.push(format!(
                "no preset: the recipes' own settings, with sizes {} and seeds {} unless --sizes and --seeds are given",
                preset.sizes, preset.seeds
            ));
        }
        let text = Text::new(options, &preset, &locator, &mut notes)?;
        let methods = options.methods.as_ref().unwrap_or(&preset.methods);
        let recipes = options.recipes(&preset, methods, &mut notes)?;
        let settings = options.settings_line(&preset, methods);
        notes.push(settings.clone());
        if how.keep_models == Keep::Best && !has_dev(&sts.place)? {
            bail!(
                "--keep-models best selects by development pairs, but {} has none; pass all or none",
                sts.place.display()
            );
        }

        // The environment passes each cell its share of the threads.
        let mut compute = options.compute.clone();
        compute.engine.threads = None;
        let (encoder, sts) = (absolute(&encoder.place)?, absolute(&sts.place)?);
        let spec = |work: Work, folder: PathBuf| CellSpec {
            folder: out.join("cells").join(folder),
            work,
            encoder: encoder.clone(),
            sts: sts.clone(),
            transfer: transfer.clone(),
            compute: compute.clone(),
            chunk: options.chunk,
            keep: how.keep_models,
            allow_other_cpu: how.allow_other_cpu,
            checkpoint_steps: how.checkpoint_steps,
            checkpoint_minutes: how.checkpoint_minutes,
        };
        let mut cells = Vec::new();
        if let Some(file) = &options.vectors {
            let work = Work::Vectors { method: GLOVE.into(), file: absolute(file)? };
            cells.push(spec(work, PathBuf::from(GLOVE)));
        } else if name == "methods" {
            notes.push(format!("{GLOVE}: skipped, because --vectors is not given"));
        }
        let (fixed, recipes) = untrained(recipes);
        for (method, pooling, folder) in fixed {
            cells.push(spec(Work::Untrained { method, pooling }, folder));
        }
        let sizes = parse_sizes(options.sizes.as_ref().unwrap_or(&preset.sizes))?;
        let seeds = parse_seeds(options.seeds.as_ref().unwrap_or(&preset.seeds))?;
        let mut corpus_sentences = None;
        // Seed by seed, so that a sweep that is stopped early has results for every method and size.
        for &seed in &seeds {
            for recipe in &recipes {
                for &size in &sizes {
                    let folder = PathBuf::from(folder_name(&recipe.name))
                        .join(folder_name(&size.to_string()))
                        .join(format!("seed-{seed}"));
                    let text = text.of(size, seed)?;
                    let mut recipe = recipe.clone();
                    if recipe.depends_on_size() {
                        recipe = recipe.for_sentences(text.sentences(size, &mut corpus_sentences)?);
                    }
                    cells.push(spec(Work::Train { recipe: Box::new(recipe), size, seed, text }, folder));
                }
            }
        }
        let mut folders = BTreeSet::new();
        if let Some(twice) = cells.iter().find(|cell| !folders.insert(cell.folder.clone())) {
            bail!("{twice} is requested twice; pass each method, size and seed once");
        }
        let axes = options.axes.iter().map(ToString::to_string).collect();
        let threads = micse_model::threads();
        let jobs = how.jobs.unwrap_or(threads).clamp(1, cells.len().max(1));
        let at_once = how.at_once(jobs).min(cells.len().max(1));
        if jobs > threads && options.compute.engine.threads.is_some() {
            bail!(
                "--jobs {jobs} needs one thread per job, but --threads is {threads}; use fewer jobs or more threads"
            );
        }
        Ok(Self { preset: name.to_owned(), out, cells, notes, settings, jobs, at_once, axes })
    }

    /// The content of `sweep.json`.
    pub(crate) fn file(&self) -> Result<SweepFile> {
        let planned =
            |spec: &CellSpec| Ok(PlannedCell { cell: spec.grid_cell(&self.out)?, spec: spec.clone() });
        Ok(SweepFile {
            preset: self.preset.clone(),
            settings: self.settings.clone(),
            notes: self.notes.clone(),
            axes: self.axes.clone(),
            cells: self.cells.iter().map(planned).collect::<Result<_>>()?,
        })
    }

    /// Prints a note if cells must wait for each other's memory.
    pub(crate) fn say_memory(&self, budget: &Budget) -> Result<()> {
        let mut largest: Vec<u64> = self
            .cells
            .iter()
            .filter(|c| !c.run_folder().is_finished())
            .map(estimate)
            .collect::<Result<_>>()?;
        largest.sort_unstable_by(|a, b| b.cmp(a));
        let together: u64 = largest.iter().take(self.jobs).sum();
        if together > budget.bytes() {
            note(format_args!(
                "memory: {} cells at a time would need about {} MiB, but {} MiB are free; cells will wait for others",
                self.jobs,
                together >> 20,
                budget.bytes() >> 20
            ));
        }
        Ok(())
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}", path.display()))
}

fn has_dev(sts: &Path) -> Result<bool> {
    Ok(micse_data::Suite::load(sts, None)?.dev.is_some())
}

/// Separates the rows that neither train nor fit anything (name, pooling and folder of each) from the remaining
/// recipes. Every pooling with which a trained method is tested gets such a row.
fn untrained(recipes: Vec<Recipe>) -> (Vec<(String, Pooling, PathBuf)>, Vec<Recipe>) {
    let (fixed, recipes): (Vec<Recipe>, Vec<Recipe>) =
        recipes.into_iter().partition(|r| r.steps == 0 && r.post.is_none());
    let mut poolings: Vec<_> = recipes.iter().map(Recipe::test_pooling).collect();
    poolings.sort_by_key(|pooling| pooling.name());
    poolings.dedup();
    // Pooling over padding is meaningless for an encoder that was not trained with it.
    poolings.retain(|p| *p != Pooling::MeanWithPads && fixed.iter().all(|r| r.test_pooling() != *p));
    let mut rows: Vec<_> = poolings
        .into_iter()
        .map(|pooling| {
            (format!("untrained ({pooling})"), pooling, PathBuf::from(format!("untrained-{pooling}")))
        })
        .collect();
    rows.extend(
        fixed.into_iter().map(|r| (r.name.clone(), r.test_pooling(), PathBuf::from(folder_name(&r.name)))),
    );
    (rows, recipes)
}

/// A size or a method as a folder name: `0.1%` becomes `0.1pct`, a space `_`.
fn folder_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.@=".contains(c) { c } else { '_' };
    name.replace('%', "pct").chars().map(plain).collect()
}

impl GridOptions {
    /// The folder of transfer tasks, if they are requested; its files are read once, to fail before anything runs.
    fn transfer_folder(
        &self,
        locator: &Locator,
        preset: &Preset,
        notes: &mut Vec<String>,
    ) -> Result<Option<PathBuf>> {
        if !self.transfer {
            return Ok(None);
        }
        let located = locate_transfer(locator, self.sts.as_deref().or(preset.sts.as_deref()))?;
        notes.push(located.note);
        TransferSuite::load(&located.place, None)?;
        Ok(Some(absolute(&located.place)?))
    }

    /// The recipes of the methods, at every point of the axes.
    fn recipes(&self, preset: &Preset, methods: &[String], notes: &mut Vec<String>) -> Result<Vec<Recipe>> {
        let mut recipes = Vec::new();
        let mut used = vec![false; self.axes.len()];
        for method in methods {
            let mut missing = Vec::new();
            let variants = axis::variants(
                &self.axes,
                &|further| self.recipe(method, preset, further),
                &mut |axis, _| missing.push(axis.clone()),
            )?;
            for (axis, used) in self.axes.iter().zip(&mut used) {
                *used |= !missing.contains(axis);
            }
            notes.extend(
                missing
                    .iter()
                    .map(|axis: &Axis| format!("{method}: --axis {axis} does not apply, so it runs once")),
            );
            for recipe in &variants {
                if self.chunk.is_some() {
                    recipe.check_chunks()?;
                }
            }
            recipes.extend(variants);
        }
        axis::check_used(&self.axes, |axis| self.axes.iter().zip(&used).any(|(a, used)| a == axis && !used))?;
        Ok(recipes)
    }

    fn recipe(&self, method: &str, preset: &Preset, further: &[String]) -> Result<Recipe> {
        let plain = Recipe::load(method, &[])?;
        let with: &[String] = if plain.steps > 0 { &self.with } else { &[] };
        let mut settings = preset.settings(method, &Recipe::load_with(method, with, &[])?);
        if plain.steps > 0 {
            settings.extend(self.settings.iter().cloned());
        }
        settings.extend(further.iter().cloned());
        Ok(Recipe::load_for(method, with, &settings, self.steps.or(preset.steps))?)
    }

    /// One line that lists the differences from the recipes, for the tables.
    fn settings_line(&self, preset: &Preset, methods: &[String]) -> String {
        let steps = self.steps.or(preset.steps).map(|steps| format!("steps={steps}"));
        let mut parts: Vec<String> = steps.into_iter().chain(preset.set.iter().cloned()).collect();
        parts.extend(preset.set_ami.iter().map(|setting| format!("{setting} (methods with AMI)")));
        for (method, settings) in preset.set_method.iter().filter(|(method, _)| methods.contains(method)) {
            parts.extend(settings.iter().map(|setting| format!("{setting} ({method})")));
        }
        parts.extend(self.settings.iter().cloned());
        parts.extend(self.with.iter().map(|term| format!("with {term}")));
        parts.extend(self.axes.iter().map(|axis| format!("axis {axis}")));
        if self.compute.engine.precision != micse_model::Precision::default() {
            parts.push(format!("precision={}", self.compute.engine.precision));
        }
        parts.extend(self.compute.engine.engine.map(|engine| format!("engine={engine}")));
        parts.extend(self.chunk.map(|sentences| format!("chunk={sentences}")));
        if parts.is_empty() {
            "settings: the recipes' own".into()
        } else {
            format!("settings: {}", parts.join(", "))
        }
    }
}

/// The corpus of all cells.
enum Text {
    Demo,
    Files(Vec<PathBuf>),
    SplitFiles(PathBuf),
}

impl Text {
    fn new(
        options: &GridOptions,
        preset: &Preset,
        locator: &Locator,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        if let Some(folder) = &options.split_files {
            notes.push(format!("corpus: split files in {}", folder.display()));
            return Ok(Self::SplitFiles(absolute(folder)?));
        }
        let corpus = locator.corpus(options.corpus.as_deref().unwrap_or(&preset.corpus))?;
        notes.push(corpus.note.clone());
        Ok(match corpus.place {
            CorpusSource::Demo => Self::Demo,
            CorpusSource::Files(files) => {
                Self::Files(files.iter().map(|file| absolute(file)).collect::<Result<_>>()?)
            }
        })
    }

    fn of(&self, size: SplitSize, seed: u64) -> Result<TextSpec> {
        Ok(match self {
            Self::Demo => TextSpec::Demo,
            Self::Files(files) => TextSpec::Corpus(files.clone()),
            Self::SplitFiles(folder) => {
                TextSpec::SplitFile(micse_data::SplitFiles::open(folder)?.find(size, seed)?)
            }
        })
    }
}

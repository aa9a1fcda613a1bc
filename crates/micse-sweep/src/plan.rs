//! From options to cells.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use micse_cli::data::{locate_sts, locate_transfer};
use micse_cli::model::locate_model;
use micse_cli::note;
use micse_data::{Locator, Suite, TransferSuite, parse_seeds, parse_sizes};
use micse_model::{ModelFolder, Pooling, StaticFolder};
use micse_report::Against;
use micse_train::Recipe;
use micse_vectors::WordVectors;

use crate::cell::{CellSpec, Keep, Work};
use crate::file::{PlannedCell, SweepFile};
use crate::inputs::{Inputs, MethodCorpus, MethodEncoder, absolute, reads_corpus};
use crate::memory::{Budget, estimate};
use crate::options::{GridOptions, HowOptions};
use crate::preset::{Preset, short_name};
use crate::recipes::is_changed;

/// The row of averaged word vectors.
const GLOVE: &str = "glove-avg";
/// The row of a model of token vectors.
const TOKEN_VECTORS: &str = "token-vectors";

/// A sweep with all defaults filled in.
pub(crate) struct Plan {
    pub(crate) preset: String,
    pub(crate) out: PathBuf,
    pub(crate) cells: Vec<CellSpec>,
    pub(crate) notes: Vec<String>,
    /// What a reader of the tables should know of the preset and of single methods.
    pub(crate) remarks: Vec<String>,
    /// One line that lists the differences from the recipes.
    pub(crate) settings: String,
    pub(crate) jobs: usize,
    /// The maximum number of cells that run at a time, here or on a cluster.
    pub(crate) at_once: usize,
    axes: Vec<String>,
    /// The published results that the tables compare with.
    pub(crate) against: Option<Against>,
}

impl Plan {
    pub(crate) fn new(options: &GridOptions, how: &HowOptions) -> Result<Self> {
        let (name, preset) = match options.preset() {
            Some(name) => (name, Preset::load(name)?),
            None => (Preset::NONE, Preset::none(options.methods.as_deref())?),
        };
        let (name, preset) = (short_name(name, options.scale), preset.at(options.scale)?);
        let out = how.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&name));
        let locator = Locator::from_env()?;
        let encoder = locate_model(&locator, options.model.as_deref().or(preset.model.as_deref()))?;
        let sts = locate_sts(&locator, options.sts.as_deref().or(preset.sts.as_deref()))?;
        // Fails here, before anything runs, if it has no sets.
        let suite = Suite::load(&sts.place, None)?;
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
        let mut inputs = Inputs::new(options, &preset, &locator, &encoder.place, &sts.place, &mut notes)?;
        let mut remarks = preset.notes.clone();
        let methods = options.methods(&preset)?;
        let recipes = options.recipes(&preset, &methods, &mut notes)?;
        inputs.check_names(&methods, &recipes)?;
        let mut planned = Vec::new();
        for (method, recipes) in methods.iter().zip(recipes) {
            let encoder = inputs.encoder(method, &mut notes)?;
            // A method that neither trains nor fits anything reads no corpus.
            let reads = recipes.iter().any(reads_corpus);
            let corpus = if reads { Some(inputs.corpus(method, &mut notes)?) } else { None };
            let own = preset.method.get(method);
            if let (false, Some(corpus)) = (reads, own.and_then(|own| own.corpus.as_ref())) {
                bail!(
                    "{method} reads no corpus; remove `corpus = \"{corpus}\"` from its settings in the preset"
                );
            }
            remarks.extend(own.and_then(|own| own.note.as_ref()).map(|note| format!("{method}: {note}")));
            for recipe in recipes {
                let changed = is_changed(method, &recipe)?;
                let keep = keep(&recipe, how.keep_models, &mut notes);
                planned.push(Row { recipe, encoder: encoder.clone(), corpus: corpus.clone(), changed, keep });
            }
        }
        let settings = options.settings_line(&preset, &methods);
        notes.push(settings.clone());
        if how.keep_models == Keep::Best && suite.dev.is_none() {
            bail!(
                "--keep-models best selects by development pairs, but {} has none; pass all or none",
                sts.place.display()
            );
        }

        // The environment passes each cell its share of the threads.
        let mut compute = options.compute.clone();
        compute.engine.threads = None;
        let sts = absolute(&sts.place)?;
        let spec = |work: Work, encoder: &MethodEncoder, folder: PathBuf| CellSpec {
            folder: out.join("cells").join(folder),
            work,
            encoder: encoder.place.clone(),
            own_encoder: encoder.name.clone(),
            own_corpus: None,
            changed: false,
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
            let cell = spec(work, inputs.sweep_encoder(), PathBuf::from(GLOVE));
            if !cell.run_folder().is_finished() {
                // Fails here, before anything runs, if a line of it is not valid.
                WordVectors::open(file)?;
            }
            cells.push(cell);
        } else if preset.vectors {
            notes.push(format!("{GLOVE}: skipped, because --vectors is not given"));
        }
        if let Some(model) = &options.token_vectors {
            let place = locate_model(&locator, Some(model))?.place;
            // Fails here, before anything runs, if it is another kind of model.
            StaticFolder::open(&place)?;
            let work = Work::Vectors { method: TOKEN_VECTORS.into(), file: absolute(&place)? };
            cells.push(spec(work, inputs.sweep_encoder(), PathBuf::from(TOKEN_VECTORS)));
        }
        let (fixed, rows) = untrained(planned);
        for Untrained { method, pooling, folder, encoder, changed } in fixed {
            let work = Work::Untrained { method, pooling };
            cells.push(CellSpec { changed, ..spec(work, &encoder, folder) });
        }
        let sizes = parse_sizes(options.sizes.as_ref().unwrap_or(&preset.sizes))?;
        let seeds = parse_seeds(options.seeds.as_ref().unwrap_or(&preset.seeds))?;
        let mut counts = vec![None; rows.len()];
        // Seed by seed, so that a sweep that is stopped early has results for every method and size.
        for &seed in &seeds {
            for (Row { recipe, encoder, corpus, changed, keep }, count) in rows.iter().zip(&mut counts) {
                let Some(corpus) = corpus else { bail!("{}: no corpus", recipe.name) };
                for &size in &sizes {
                    let folder = PathBuf::from(folder_name(&recipe.name))
                        .join(folder_name(&size.to_string()))
                        .join(format!("seed-{seed}"));
                    let text = corpus.place.of(size, seed)?;
                    // Fails here, before anything runs, if the corpus is too small for the size.
                    let of = || corpus.name.clone().unwrap_or_else(|| "the corpus".into());
                    let sentences = text.sentences(size, count).with_context(of)?;
                    let recipe = Box::new(recipe.clone().for_sentences(sentences));
                    // Fails here, and not in every cell.
                    if seed == seeds[0] {
                        let base = ModelFolder::open(&encoder.place)?;
                        recipe.check_inputs(&base, &suite).with_context(|| {
                            format!("{} cannot be run with {size} sentences", recipe.name)
                        })?;
                    }
                    let work = Work::Train { recipe, size, seed, text };
                    let (own_corpus, changed, keep) = (corpus.name.clone(), *changed, *keep);
                    cells.push(CellSpec { own_corpus, changed, keep, ..spec(work, encoder, folder) });
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
        Ok(Self {
            preset: name,
            out,
            cells,
            notes,
            remarks,
            settings,
            jobs,
            at_once,
            axes,
            against: preset.against,
        })
    }

    /// The content of `sweep.json`.
    pub(crate) fn file(&self) -> Result<SweepFile> {
        let planned =
            |spec: &CellSpec| Ok(PlannedCell { cell: spec.grid_cell(&self.out)?, spec: spec.clone() });
        Ok(SweepFile {
            preset: self.preset.clone(),
            settings: self.settings.clone(),
            notes: self.notes.clone(),
            remarks: self.remarks.clone(),
            axes: self.axes.clone(),
            against: self.against,
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

/// Which of a recipe's models are kept: none, with a note, if they cannot be saved.
fn keep(recipe: &Recipe, asked: Keep, notes: &mut Vec<String>) -> Keep {
    match recipe.unsaved_pooling() {
        Some(pooling) if asked != Keep::None && reads_corpus(recipe) => {
            notes.push(format!(
                "{}: its models are not kept, because a saved model supports only the poolings cls and mean, not \
                 {pooling}",
                recipe.name
            ));
            Keep::None
        }
        _ => asked,
    }
}

/// A method's recipe at one point of the axes, with its encoder and its corpus. A method that neither trains nor fits
/// anything has no corpus.
struct Row {
    recipe: Recipe,
    encoder: MethodEncoder,
    corpus: Option<MethodCorpus>,
    /// Whether it has other values than the recipe's own.
    changed: bool,
    /// Which of its models are kept.
    keep: Keep,
}

/// A row that neither trains nor fits anything.
struct Untrained {
    method: String,
    pooling: Pooling,
    folder: PathBuf,
    encoder: MethodEncoder,
    changed: bool,
}

/// Separates the rows that neither train nor fit anything from the others. Every pooling with which a trained method is
/// tested gets such a row, for each encoder.
fn untrained(rows: Vec<Row>) -> (Vec<Untrained>, Vec<Row>) {
    let (fixed, rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| row.recipe.steps == 0 && row.recipe.post.is_none());
    // Pooling over padding is meaningless for an encoder that was not trained with it.
    let scored: Vec<_> = rows.iter().map(|row| (&row.encoder, row.recipe.test_pooling())).collect();
    let mut wanted: Vec<_> = scored.into_iter().filter(|(_, p)| *p != Pooling::MeanWithPads).collect();
    wanted.sort_by_key(|(encoder, pooling)| (encoder.name.clone(), pooling.name()));
    wanted.dedup_by_key(|(encoder, pooling)| (encoder.name.clone(), pooling.name()));
    wanted.retain(|(encoder, pooling)| {
        fixed.iter().all(|row| row.encoder.name != encoder.name || row.recipe.test_pooling() != *pooling)
    });
    let row = |(encoder, pooling): (&MethodEncoder, Pooling)| {
        let (of, folder) = match &encoder.name {
            Some(name) => (format!("{pooling}, {name}"), format!("untrained-{pooling}-{name}")),
            None => (pooling.to_string(), format!("untrained-{pooling}")),
        };
        Untrained {
            method: format!("untrained ({of})"),
            pooling,
            folder: folder_name(&folder).into(),
            encoder: encoder.clone(),
            changed: false,
        }
    };
    let mut all: Vec<_> = wanted.into_iter().map(row).collect();
    all.extend(fixed.into_iter().map(|row| Untrained {
        method: row.recipe.name.clone(),
        pooling: row.recipe.test_pooling(),
        folder: folder_name(&row.recipe.name).into(),
        encoder: row.encoder,
        changed: row.changed,
    }));
    (all, rows)
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
}

//! `--dry-run`: the cells of a sweep, their memory, and an estimate of their time on this machine.
//!
//! The time is extrapolated from a short measurement: how long the encoder takes for a sentence of the corpus. A pass
//! with a backward pass counts as three without.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use micse_cli::progress::duration;
use micse_cli::{note, print, print_json};
use micse_data::{Corpus, Suite};
use micse_eval::Embedder;
use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};
use micse_report::Sheet;
use micse_train::Recipe;
use micse_train::recipe::{Post, SecondKind, Tower};
use serde::Serialize;

use crate::cell::{CellSpec, Work};
use crate::memory::estimate;
use crate::plan::Plan;

/// Sentences of the corpus that are encoded for the measurement.
const SAMPLE: usize = 64;
/// Passes over the sample, after one to warm up; the fastest counts.
const ROUNDS: usize = 3;
/// The cost of a pass with its backward pass, in passes without: each matrix product becomes three.
const WITH_BACKWARD: f64 = 3.0;

/// The unfinished cells of one method and size.
#[derive(Serialize)]
struct Row {
    method: String,
    size: Option<String>,
    cells: usize,
    steps: usize,
    batch_size: usize,
    mebibytes: u64,
    /// Estimated, with all threads.
    seconds_per_cell: f64,
}

#[derive(Serialize)]
struct Totals<'a> {
    rows: &'a [Row],
    cells: usize,
    finished: usize,
    steps: usize,
    seconds: f64,
}

/// Prints the table.
pub(crate) fn print_plan(plan: &Plan, compute: &Compute, json: bool) -> Result<()> {
    let open: Vec<&CellSpec> = plan.cells.iter().filter(|cell| !cell.run_folder().is_finished()).collect();
    let mut clock = Clock { compute, encoders: BTreeMap::new(), scored: None };
    let mut rows: Vec<Row> = Vec::new();
    for cell in &open {
        let (method, size) = match &cell.work {
            Work::Untrained { method, .. } | Work::Vectors { method, .. } => (method.clone(), None),
            Work::Train { recipe, size, .. } => (recipe.name.clone(), Some(size.to_string())),
        };
        if let Some(row) = rows.iter_mut().find(|row| row.method == method && row.size == size) {
            row.cells += 1;
            continue;
        }
        let recipe = cell.recipe();
        rows.push(Row {
            method,
            size,
            cells: 1,
            steps: recipe.map_or(0, |recipe| recipe.steps),
            batch_size: recipe.and_then(|r| r.optimizer.as_ref()).map_or(0, |optimizer| optimizer.batch_size),
            mebibytes: estimate(cell)? >> 20,
            seconds_per_cell: clock.seconds(cell)?,
        });
    }
    let of_all = |of: &dyn Fn(&Row) -> f64| rows.iter().map(|row| row.cells as f64 * of(row)).sum::<f64>();
    let totals = Totals {
        rows: &rows,
        cells: open.len(),
        finished: plan.cells.len() - open.len(),
        steps: of_all(&|row| row.steps as f64) as usize,
        seconds: of_all(&|row| row.seconds_per_cell),
    };
    if json {
        return print_json(&totals);
    }
    print(sheet(plan, &totals).text().trim_end())?;
    note(format_args!(
        "dry run: nothing was run; {} cells with {} steps would take about {} on this machine, {} at a time",
        totals.cells,
        totals.steps,
        span(totals.seconds),
        plan.jobs
    ));
    Ok(())
}

fn sheet(plan: &Plan, totals: &Totals<'_>) -> Sheet {
    let header = ["method", "size", "cells", "steps", "batch", "MiB", "time per cell"];
    let or_dash = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
    let row = |row: &Row| {
        vec![
            row.method.clone(),
            row.size.clone().unwrap_or_else(|| "-".into()),
            row.cells.to_string(),
            or_dash(row.steps),
            or_dash(row.batch_size),
            row.mebibytes.to_string(),
            span(row.seconds_per_cell),
        ]
    };
    let mut notes = vec![
        "MiB: the memory of one cell, estimated".to_owned(),
        format!(
            "time per cell: estimated for one cell with all {} threads, from the time that its encoder takes for {SAMPLE} \
             sentences; other programs on the machine, and short runs, make it longer",
            micse_model::threads()
        ),
    ];
    if totals.finished > 0 {
        notes.push(format!("{} finished cells are not listed", totals.finished));
    }
    Sheet {
        title: format!("Cells of {} without a result", plan.preset),
        header: header.map(str::to_owned).to_vec(),
        rows: totals.rows.iter().map(row).collect(),
        notes,
    }
}

/// `3 days 4 h` for long times, else as progress lines show times.
fn span(seconds: f64) -> String {
    let hours = (seconds / 3600.0).round() as u64;
    match hours {
        0..=47 => duration(Duration::from_secs_f64(seconds.max(1.0))),
        _ => format!("{} days {} h", hours / 24, hours % 24),
    }
}

/// Measures each encoder once.
struct Clock<'a> {
    compute: &'a Compute,
    /// Seconds per sentence, by encoder folder.
    encoders: BTreeMap<&'a Path, f64>,
    /// Sentences that scoring encodes, of all tasks and of the development pairs alone.
    scored: Option<(usize, usize)>,
}

impl<'a> Clock<'a> {
    fn seconds(&mut self, cell: &'a CellSpec) -> Result<f64> {
        if matches!(cell.work, Work::Vectors { .. }) {
            return Ok(0.0);
        }
        let sentence = match self.encoders.get(cell.encoder.as_path()) {
            Some(seconds) => *seconds,
            None => {
                let seconds = self.measure(cell)?;
                self.encoders.insert(&cell.encoder, seconds);
                seconds
            }
        };
        let (all, dev) = match self.scored {
            Some(counts) => counts,
            None => *self.scored.insert(count(&cell.sts)?),
        };
        let trained = cell.recipe().map_or(0.0, |recipe| passes(recipe) + selections(recipe) * dev as f64);
        Ok(sentence * (all as f64 + trained))
    }

    /// Seconds that the cell's encoder takes for a sentence of its corpus.
    fn measure(&self, cell: &CellSpec) -> Result<f64> {
        note(format_args!("measuring {}", cell.encoder.display()));
        let folder = ModelFolder::open(&cell.encoder)?;
        let corpus = match &cell.work {
            Work::Train { text, .. } => text.corpus()?,
            // Rows without training have no corpus: sentences of the evaluation set serve as well.
            _ => sentences_of(&cell.sts)?,
        };
        let model = SentenceModel::load(&folder, Some(Pooling::Mean), self.compute)?;
        let last = corpus.len().saturating_sub(1);
        // Training truncates to a number of tokens, and a word is at least one.
        let words = cell.recipe().map_or(usize::MAX, Recipe::token_limit);
        let cut = |i: usize| {
            corpus.get(i * last / SAMPLE).split_whitespace().take(words).collect::<Vec<_>>().join(" ")
        };
        let cut: Vec<String> = (0..SAMPLE).map(cut).collect();
        let sample: Vec<&str> = cut.iter().map(String::as_str).collect();
        let mut fastest = f64::INFINITY;
        for _ in 0..=ROUNDS {
            let start = Instant::now();
            model.embed(&sample).map_err(|error| anyhow::anyhow!("{error}"))?;
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
        Ok(fastest / sample.len() as f64)
    }
}

/// Passes of a single sentence through the encoder that training or fitting takes, in passes without a backward pass.
fn passes(recipe: &Recipe) -> f64 {
    let fitted = match &recipe.post {
        Some(Post::Flow { steps, batch_size, .. }) => (steps * batch_size) as f64,
        // Whitening reads a low-shot split once, which costs little beside scoring.
        Some(Post::Whitening { .. }) | None => 0.0,
    };
    let Some(optimizer) = &recipe.optimizer else { return fitted };
    let second = match recipe.second.map(|second| second.kind) {
        Some(SecondKind::Trained) => WITH_BACKWARD,
        _ => 1.0,
    };
    let view = |tower| match tower {
        Tower::Online => WITH_BACKWARD,
        Tower::Second => second,
        Tower::Both => WITH_BACKWARD + second,
        Tower::Momentum => 1.0,
    };
    let views: f64 = recipe.views.iter().map(|v| v.copies as f64 * view(v.tower)).sum();
    // The queue's rows, a pass with masked tokens, and the discriminator of replaced tokens with its generator.
    let queue = if recipe.momentum.is_some_and(|momentum| momentum.queue > 0) { 1.0 } else { 0.0 };
    let masked = if recipe.masked_lm().is_some() { WITH_BACKWARD } else { 0.0 };
    let replaced = if recipe.replaced_tokens().is_some() { 2.0 * (1.0 + WITH_BACKWARD) } else { 0.0 };
    fitted + (recipe.steps * optimizer.batch_size) as f64 * (views + queue + masked + replaced)
}

/// How often the weights are scored on the development pairs.
fn selections(recipe: &Recipe) -> f64 {
    recipe.development_interval().map_or(0.0, |every| (recipe.steps / every.max(1)) as f64)
}

/// Distinct sentences of all tasks with the development pairs, and of the development pairs alone.
fn count(sts: &Path) -> Result<(usize, usize)> {
    let suite = Suite::load(sts, None)?;
    let distinct = |tasks: &[&micse_data::Task]| {
        let pairs = tasks.iter().flat_map(|task| task.pairs());
        let all: std::collections::BTreeSet<&str> =
            pairs.flat_map(|p| [p.first.as_str(), p.second.as_str()]).collect();
        all.len()
    };
    let dev: Vec<_> = suite.dev.iter().collect();
    let all: Vec<_> = suite.tasks.iter().chain(&suite.dev).collect();
    Ok((distinct(&all), distinct(&dev)))
}

fn sentences_of(sts: &Path) -> Result<Corpus> {
    let suite = Suite::load(sts, None)?;
    let task = suite.tasks.first().with_context(|| format!("{}: no task", sts.display()))?;
    Ok(Corpus::from_sentences("evaluation", task.pairs().map(|pair| pair.first.clone())))
}

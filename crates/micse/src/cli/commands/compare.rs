//! `micse compare`: nearest neighbours under two models, for example before and after training.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::eval::uniformity;
use crate::random::permutation;
use crate::search::{Hit, Index};
use crate::train::Stop;
use anyhow::{Result, bail};
use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::cut;
use crate::cli::embed::{check_rereadable, embed_into_index, sentences_at};
use micse_cli::model::{Computation, load_model, model_folder};
use micse_cli::{note, print, print_json};

/// Show nearest neighbours under two models side by side, without labels
///
/// For a sample of sentences, shows their neighbours in the corpus under A and under B, and how many neighbours both
/// models find. Also shows the uniformity of both models (Wang & Isola 2020): lower is more spread out, 0 is a single
/// point.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse compare demo runs/notes --corpus notes.txt --top 3")]
pub(crate) struct Compare {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder
    #[arg(value_name = "A")]
    first: String,
    /// Second model, in any of these forms
    #[arg(value_name = "B")]
    second: String,
    /// Text file, one sentence per line, plain, zstd or gzip
    #[arg(long, value_name = "FILE", alias = "sentences")]
    corpus: PathBuf,
    /// Neighbours per sentence
    #[arg(long, value_name = "K", default_value = "10")]
    top: NonZeroUsize,
    /// Sentences to show
    #[arg(long, value_name = "N", default_value = "20")]
    sample: NonZeroUsize,
    /// Seed of the sample
    #[arg(long, default_value_t = 48)]
    seed: u64,
    #[command(flatten)]
    how: Computation,
}

/// Number of sentences whose pairs estimate uniformity.
const UNIFORMITY_SENTENCES: usize = 2000;

#[derive(Serialize)]
struct Report {
    models: [String; 2],
    sentences: usize,
    top: usize,
    /// The share of neighbours that both models find, over the sample.
    common: f64,
    uniformity: [Option<f64>; 2],
    sample: Vec<Sampled>,
}

/// A sentence and its neighbours under both models, best first.
#[derive(Serialize)]
struct Sampled {
    row: usize,
    sentence: String,
    neighbours: [Vec<Neighbour>; 2],
    common: usize,
}

#[derive(Serialize)]
struct Neighbour {
    row: usize,
    cosine: f64,
    sentence: String,
}

impl Compare {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        check_rereadable(&self.corpus)?;
        let compute = self.how.compute.start()?;
        let models = [&self.first, &self.second];
        let folders = [model_folder(&self.first)?, model_folder(&self.second)?];
        // Until here, a signal just ends the command: a download goes on with the next one.
        let stop = Stop::on_signals()?;
        let encoded = |model: &str, folder: &Path| -> Result<Index> {
            note(format_args!("encoding with {model}"));
            let model = load_model(folder, self.how.pooling, self.how.truncate_dim, &compute)?;
            embed_into_index(&model, &self.corpus, None, &stop)
        };
        let indices = [encoded(&self.first, &folders[0])?, encoded(&self.second, &folders[1])?];
        let count = indices[0].len();
        if indices[1].len() != count {
            bail!("{}: the file changed while it was read; rerun the command", self.corpus.display());
        }
        if count < 2 {
            bail!("{}: a single sentence has no neighbours; pass a larger corpus", self.corpus.display());
        }
        let order = permutation(count, self.seed);
        let sample: Vec<usize> = order.iter().take(self.sample.get()).map(|&row| row as usize).collect();
        let spread: Vec<usize> = order.iter().take(UNIFORMITY_SENTENCES).map(|&row| row as usize).collect();
        let [a, b] = &indices;
        let hits = [self.neighbours(a, &sample)?, self.neighbours(b, &sample)?];
        let wanted: BTreeSet<usize> =
            hits.iter().flatten().flatten().map(|hit| hit.row).chain(sample.iter().copied()).collect();
        let texts = sentences_at(&self.corpus, &wanted, count, &stop)?;
        let uniformity = [uniformity_of(a, &spread)?, uniformity_of(b, &spread)?];
        let sample = sampled(&sample, hits, &texts);
        let found: usize = sample.iter().map(|s| s.neighbours[0].len()).sum();
        let common = sample.iter().map(|s| s.common).sum::<usize>() as f64 / found as f64;
        let report = Report {
            models: models.map(Clone::clone),
            sentences: count,
            top: self.top.get().min(count - 1),
            common,
            uniformity,
            sample,
        };
        if as_json { print_json(&report) } else { print(&report.text()) }
    }

    /// The neighbours of these rows, without the rows themselves.
    fn neighbours(&self, index: &Index, rows: &[usize]) -> Result<Vec<Vec<Hit>>> {
        let queries = rows.iter().map(|&row| index.row(row)).collect::<Result<Vec<_>, _>>()?;
        let top = self.top.get().min(index.len() - 1);
        let mut found = index.search(&queries, top + 1)?;
        for (hits, &row) in found.iter_mut().zip(rows) {
            // The row itself is not among the hits if more sentences than places are equal to it.
            hits.retain(|hit| hit.row != row);
            hits.truncate(top);
        }
        Ok(found)
    }
}

/// The uniformity of these rows, scaled to unit length; `None` for fewer than two.
fn uniformity_of(index: &Index, rows: &[usize]) -> Result<Option<f64>> {
    let unit = |row: &usize| -> Result<Vec<f32>> {
        let row = index.row(*row)?;
        let norm = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        Ok(row.into_iter().map(|v| (f64::from(v) * scale) as f32).collect())
    };
    Ok(uniformity(&rows.iter().map(unit).collect::<Result<Vec<_>>>()?))
}

fn sampled(rows: &[usize], hits: [Vec<Vec<Hit>>; 2], texts: &BTreeMap<usize, String>) -> Vec<Sampled> {
    let text = |row: usize| texts.get(&row).cloned().unwrap_or_default();
    let [first, second] = hits;
    rows.iter()
        .zip(first.into_iter().zip(second))
        .map(|(&row, (a, b))| {
            let common = a.iter().filter(|hit| b.iter().any(|other| other.row == hit.row)).count();
            let neighbours = [a, b].map(|hits| {
                let neighbour = |Hit { row, cosine }| Neighbour { row, cosine, sentence: text(row) };
                hits.into_iter().map(neighbour).collect()
            });
            Sampled { row, sentence: text(row), neighbours, common }
        })
        .collect()
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        let [a, b] = &self.models;
        for (number, sampled) in self.sample.iter().enumerate() {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "[{}] {}", number + 1, cut(&sampled.sentence, 110));
            let mut table = Table::new();
            table.load_preset(presets::NOTHING);
            table.set_header([format!("A: {a}"), format!("B: {b}")]);
            let [left, right] = &sampled.neighbours;
            for (left, right) in left.iter().zip(right) {
                table.add_row([left.cell(), right.cell()]);
            }
            let places = left.len();
            let _ = writeln!(text, "{}\n{} of {places} in both\n", table.trim_fmt(), sampled.common);
        }
        let figure = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
        let _ = writeln!(
            text,
            "neighbours in both: {:.0} % ({} sentences of {}, {} neighbours each)\nuniformity: A {}, B {}",
            100.0 * self.common,
            self.sample.len(),
            self.sentences,
            self.top,
            figure(self.uniformity[0]),
            figure(self.uniformity[1])
        );
        text
    }
}

impl Neighbour {
    fn cell(&self) -> String {
        format!("{:.3} {}", self.cosine, cut(&self.sentence, 50))
    }
}

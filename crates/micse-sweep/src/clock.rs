//! An estimate of the time that a cell takes on this machine.
//!
//! It is extrapolated from a short measurement: how long the encoder takes for a sentence, of the corpus and of the
//! evaluation sets. A pass with a backward pass counts as three without.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, anyhow};
use micse_cli::note;
use micse_data::Suite;
use micse_eval::Embedder;
use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};
use micse_train::Recipe;
use micse_train::recipe::{Post, SecondKind, Tower};

use crate::cell::{CellSpec, Work};

/// Sentences that are encoded for a measurement.
const SAMPLE: usize = 64;
/// Passes over the sample, after one to warm up; the fastest counts.
const ROUNDS: usize = 3;
/// The cost of a pass with its backward pass, in passes without: each matrix product becomes three.
const WITH_BACKWARD: f64 = 3.0;

/// Measures encoders, each once for each corpus and length.
pub(crate) struct Clock<'a> {
    compute: &'a Compute,
    /// Seconds per sentence, by encoder, corpus (none: the evaluation sets) and longest sentence in tokens.
    measured: BTreeMap<(PathBuf, Option<String>, usize), f64>,
    /// The sentences that scoring encodes: all of them, and how many the development pairs have.
    scored: Option<(Vec<String>, usize)>,
}

impl<'a> Clock<'a> {
    pub(crate) fn new(compute: &'a Compute) -> Self {
        Self { compute, measured: BTreeMap::new(), scored: None }
    }

    /// The estimated seconds of a cell with all threads; 0 for word vectors.
    pub(crate) fn seconds(&mut self, cell: &CellSpec) -> Result<f64> {
        if matches!(cell.work, Work::Vectors { .. }) {
            return Ok(0.0);
        }
        let (all, dev) = match self.scored.take() {
            Some(scored) => scored,
            None => evaluation_sentences(&cell.sts)?,
        };
        let scoring =
            self.per_sentence(cell, None, usize::MAX, || Ok(sample(all.len(), |i| all[i].clone())))?;
        let mut seconds = scoring * all.len() as f64;
        if let Work::Train { recipe, text, .. } = &cell.work {
            let corpus = serde_json::to_string(text)?;
            let training = self.per_sentence(cell, Some(corpus), recipe.token_limit(), || {
                let corpus = text.corpus()?;
                Ok(sample(corpus.len(), |i| corpus.get(i).to_owned()))
            })?;
            seconds += training * passes(recipe) + scoring * selections(recipe) * dev as f64;
        }
        self.scored = Some((all, dev));
        Ok(seconds)
    }

    /// Seconds that a cell's encoder takes for a sentence of at most `limit` tokens.
    fn per_sentence(
        &mut self,
        cell: &CellSpec,
        corpus: Option<String>,
        limit: usize,
        sentences: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<f64> {
        let key = (cell.encoder.clone(), corpus, limit);
        if let Some(seconds) = self.measured.get(&key) {
            return Ok(*seconds);
        }
        if self.measured.keys().all(|(encoder, ..)| *encoder != cell.encoder) {
            note(format_args!("measuring {}", cell.encoder.display()));
        }
        // A word is at least one token.
        let cut = |sentence: String| sentence.split_whitespace().take(limit).collect::<Vec<_>>().join(" ");
        let sentences: Vec<String> = sentences()?.into_iter().map(cut).collect();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let folder = ModelFolder::open(&cell.encoder)?;
        let model = SentenceModel::load(&folder, Some(Pooling::Mean), self.compute)?;
        let mut fastest = f64::INFINITY;
        for _ in 0..=ROUNDS {
            let start = Instant::now();
            model.embed(&sentences).map_err(|error| anyhow!("{error}"))?;
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
        let seconds = fastest / sentences.len().max(1) as f64;
        self.measured.insert(key, seconds);
        Ok(seconds)
    }
}

/// Evenly spaced sentences of a list of this length.
fn sample(count: usize, get: impl Fn(usize) -> String) -> Vec<String> {
    let number = SAMPLE.min(count);
    (0..number).map(|i| get(i * count / number)).collect()
}

/// The distinct sentences of all tasks and of the development pairs, and how many the development pairs have.
fn evaluation_sentences(sts: &Path) -> Result<(Vec<String>, usize)> {
    let suite = Suite::load(sts, None)?;
    let distinct = |tasks: &[&micse_data::Task]| {
        let pairs = tasks.iter().flat_map(|task| task.pairs());
        let all: std::collections::BTreeSet<String> =
            pairs.flat_map(|p| [p.first.clone(), p.second.clone()]).collect();
        all
    };
    let dev: Vec<_> = suite.dev.iter().collect();
    let all: Vec<_> = suite.tasks.iter().chain(&suite.dev).collect();
    Ok((distinct(&all).into_iter().collect(), distinct(&dev).len()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_count_networks_views_and_the_queue() {
        let of = |name: &str| {
            let recipe = Recipe::load(name, &[]).expect(name);
            let batches = recipe.optimizer.as_ref().map_or(1, |o| o.batch_size) * recipe.steps.max(1);
            passes(&recipe) / batches as f64
        };
        // Two trained views; one more without gradient for the queue; CT trains both towers; SG-OPT's guide is frozen.
        assert_eq!((of("simcse"), of("micse"), of("ct"), of("sg-opt")), (6.0, 7.0, 6.0, 4.0));
        assert_eq!(of("bert-whitening"), 0.0);
        let flow = Recipe::load("bert-flow", &[]).expect("a recipe");
        assert_eq!(passes(&flow), 64_000.0);
    }

    #[test]
    fn a_sample_is_spread_evenly() {
        assert_eq!(sample(3, |i| i.to_string()), ["0", "1", "2"]);
        let spread = sample(6400, |i| i.to_string());
        assert_eq!((spread.len(), spread[1].as_str(), spread[63].as_str()), (64, "100", "6300"));
    }
}

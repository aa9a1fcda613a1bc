//! Rows of a table without training.

use std::path::Path;
use std::time::{Duration, Instant};

use micse_eval::{Embedder, Evaluation, HubSnapshot, Named, PairScores};
use micse_files::{RunFolder, remove_leftovers, write_json};
use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};

use super::scoring::score;
use super::{EvaluationSets, Event, Lock, Manifest, OtherCpu, RunResult, claim, save_cosines};
use crate::Result;

/// How long a row without training waits for another process that uses its folder.
const PATIENCE: Duration = Duration::from_secs(5);

/// Scores an untrained model, with all parts of its folder after the pooling, into a run folder. `method` is its name
/// in tables.
///
/// # Errors
/// The folder is not a model, or scoring fails.
pub fn untrained<'a>(
    folder: &Path,
    method: &str,
    base: &ModelFolder,
    pooling: Pooling,
    sets: impl Into<EvaluationSets<'a>>,
    compute: &Compute,
    tell: &mut dyn FnMut(Event),
) -> Result<RunResult> {
    let sets = sets.into();
    let manifest = Manifest::of_encoder(base, pooling, sets, compute)?;
    let score = |tell: &mut dyn FnMut(Event)| {
        let model = SentenceModel::load(base, Some(pooling), compute)?;
        score(&model, sets, tell)
    };
    scored(folder, &manifest, score, tell, |scores, time| {
        RunResult::untrained(method, pooling, sets.suite, scores, time)
    })
}

/// Scores an embedder in a single file, word vectors, or in a folder with token vectors, into a run folder. `method` is its name in tables.
///
/// # Errors
/// The file cannot be read, or scoring fails.
pub fn scored_file<'a>(
    folder: &Path,
    method: &str,
    file: &Path,
    embedder: &dyn Embedder,
    sets: impl Into<EvaluationSets<'a>>,
    compute: &Compute,
    tell: &mut dyn FnMut(Event),
) -> Result<RunResult> {
    let sets = sets.into();
    let manifest = Manifest::of_file(file, sets, compute)?;
    let score = |tell: &mut dyn FnMut(Event)| score(embedder, sets, tell);
    scored(folder, &manifest, score, tell, |scores, time| {
        let result = RunResult::untrained(method, Pooling::Mean, sets.suite, scores, time);
        let own = || file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = HubSnapshot::of(file).map_or_else(own, |snapshot| snapshot.id);
        RunResult { train_text: name, ..result }
    })
}

/// A run folder with scores only, or its result if it exists.
fn scored(
    folder: &Path,
    manifest: &Manifest,
    score: impl FnOnce(&mut dyn FnMut(Event)) -> Result<(Evaluation, Named<PairScores>)>,
    tell: &mut dyn FnMut(Event),
    result: impl FnOnce(Evaluation, Duration) -> RunResult,
) -> Result<RunResult> {
    let run = RunFolder::new(folder);
    let lock = Lock::take(folder, PATIENCE)?;
    claim(folder, manifest, OtherCpu::Ignore)?;
    remove_leftovers(folder)?;
    if run.is_finished() {
        return RunResult::load(&run);
    }
    let started = Instant::now();
    let (scores, pairs) = score(tell)?;
    lock.check()?;
    save_cosines(&run, &pairs)?;
    let result = result(scores, started.elapsed());
    lock.check()?;
    write_json(&run.result(), &result)?;
    Ok(result)
}

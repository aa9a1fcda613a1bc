//! The bootstrap over sentence pairs, for all cells of a sweep at once.

use std::collections::HashMap;

use micse_random::Stream;
use micse_stats::{BootstrapDifference, Ranking, Resampling, bootstrap_difference, resampled_spearman};
use micse_train::run::load_cosines;

use crate::results::{FinishedCell, Results};
use crate::{Error, Result};

/// Resamples of each task's sentence pairs.
pub const RESAMPLES: usize = 2000;

/// The seed of the resamples.
const SEED: u64 = 0;

/// How far a task's score may be from that of the cosines beside it: both are the same formula.
const TOLERANCE: f64 = 1e-6;

/// Correlations of every cell in every resample.
pub(super) struct Resampled {
    /// By task, then by the cell's place.
    tasks: HashMap<String, HashMap<usize, Vec<f64>>>,
    /// Places of the cells without cosines.
    missing: Vec<usize>,
}

/// A task's score vectors before they are resampled.
struct TaskRankings {
    /// The human scores.
    human: Vec<f64>,
    /// The cells' places and rankings.
    cells: Vec<(usize, Ranking)>,
}

impl Resampled {
    /// Reads the cosines of all cells and resamples each task, all cells on the same resamples.
    pub(super) fn of(results: &Results) -> Result<Self> {
        let mut tasks: Vec<(&str, TaskRankings)> = Vec::new();
        let mut missing = Vec::new();
        for (place, cell) in results.cells.iter().enumerate() {
            let names: Vec<&str> = cell.result.scores.tasks.iter().map(|(name, _)| name).collect();
            let Some(cosines) = load_cosines(&cell.run, names.iter().copied())? else {
                missing.push(place);
                continue;
            };
            for name in names {
                let Some(pairs) = cosines.get(name) else { continue };
                let found = pairs.spearman();
                if cell.score(name).is_some_and(|score| (score - found).abs() > TOLERANCE) {
                    return Err(damaged(cell, name, "they do not give the score that result.json has"));
                }
                // Without a score there is nothing to compare.
                if !found.is_finite() {
                    continue;
                }
                let human: Vec<f64> = pairs.human.iter().map(|&score| f64::from(score)).collect();
                let cosines: Vec<f64> = pairs.cosines.iter().map(|&cosine| f64::from(cosine)).collect();
                let at = tasks.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    tasks.push((name, TaskRankings { human: human.clone(), cells: Vec::new() }));
                    tasks.len() - 1
                });
                let task = &mut tasks[at].1;
                if task.human != human {
                    return Err(damaged(cell, name, "its pairs are not those of the sweep's other runs"));
                }
                task.cells.push((place, Ranking::of(&cosines)?));
            }
        }
        let mut resampled = HashMap::new();
        for (number, (name, task)) in tasks.into_iter().enumerate() {
            let stream = Stream::new(SEED).with(number as u64);
            let rankings: Vec<&Ranking> = task.cells.iter().map(|(_, ranking)| ranking).collect();
            let resampling = Resampling { count: RESAMPLES, stream };
            let values = resampled_spearman(&Ranking::of(&task.human)?, &rankings, &resampling)?;
            let places = task.cells.iter().map(|(place, _)| *place);
            resampled.insert(name.to_owned(), places.zip(values).collect());
        }
        Ok(Self { tasks: resampled, missing })
    }

    /// The bootstrap of the mean difference over pairs of cells (method, baseline), given by their places; none for what
    /// is no task, and where cosines of a cell are missing.
    pub(super) fn difference(
        &self,
        task: &str,
        cells: &[(usize, usize)],
    ) -> Result<Option<BootstrapDifference>> {
        let Some(values) = self.tasks.get(task) else { return Ok(None) };
        let of = |place: usize| values.get(&place).map(Vec::as_slice);
        let sides: Option<Vec<(&[f64], &[f64])>> =
            cells.iter().map(|&(one, other)| Some((of(one)?, of(other)?))).collect();
        let Some(sides) = sides else { return Ok(None) };
        let (method, baseline): (Vec<&[f64]>, Vec<&[f64]>) = sides.into_iter().unzip();
        Ok(bootstrap_difference(&method, &baseline, 100.0)?)
    }

    /// Methods with cells that have no cosines, each once.
    pub(super) fn without_cosines(&self, results: &Results) -> Vec<String> {
        let missing =
            |name: &str| self.missing.iter().any(|&place| results.cells[place].result.method == name);
        results.methods.iter().map(|method| method.name.clone()).filter(|name| missing(name)).collect()
    }
}

fn damaged(cell: &FinishedCell, task: &str, what: &str) -> Error {
    let reason = format!("the cosines of {task}: {what}; delete the run's folder to run it again");
    Error::file(&cell.run.cosines(), reason)
}

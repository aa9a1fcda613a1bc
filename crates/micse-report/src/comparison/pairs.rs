//! The bootstrap over sentence pairs, for all cells of a sweep at once.

use std::collections::HashMap;

use micse_random::Stream;
use micse_stats::{BootstrapDifference, Ranking, Resampling, bootstrap_difference, resampled_spearman};
use micse_train::run::load_cosines;

use crate::results::{FinishedCell, Results};
use crate::{Error, Result};

/// Number of resamples of each task's sentence pairs.
pub const RESAMPLES: usize = 2000;

/// The seed of the resamples.
const SEED: u64 = 0;

/// Allowed difference between a task's score and the one recomputed from its cosines by the same formula.
const TOLERANCE: f64 = 1e-6;

/// The correlations of every cell in every resample.
pub(super) struct Resampled {
    /// By task, then by cell index.
    tasks: HashMap<String, HashMap<usize, Vec<f64>>>,
    /// Indices of the cells without cosines.
    missing: Vec<usize>,
}

/// The score vectors of a task, before resampling.
struct TaskRankings {
    /// The human scores.
    human: Vec<f64>,
    /// Cell indices and rankings.
    cells: Vec<(usize, Ranking)>,
}

impl Resampled {
    /// Reads the cosines of all cells and resamples each task, with the same resamples for all cells.
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
                    return Err(damaged(cell, name, "they do not match the score in result.json"));
                }
                // An undefined score cannot be compared.
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
                    return Err(damaged(cell, name, "its pairs differ from the other runs of the sweep"));
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

    /// The bootstrap of the mean difference over pairs of cells (method, baseline), given by index. `None` for the
    /// average, and if a cell has no cosines.
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

    /// The methods that have cells without cosines.
    pub(super) fn without_cosines(&self, results: &Results) -> Vec<String> {
        let missing =
            |name: &str| self.missing.iter().any(|&place| results.cells[place].result.method == name);
        results.methods.iter().map(|method| method.name.clone()).filter(|name| missing(name)).collect()
    }
}

fn damaged(cell: &FinishedCell, task: &str, what: &str) -> Error {
    let reason = format!("cosines of {task}: {what}; delete the run folder and rerun the sweep");
    Error::file(&cell.run.cosines(), reason)
}

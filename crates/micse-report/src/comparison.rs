//! Compares every method with one baseline, at each size.
//!
//! Two sources of chance are tested separately. Seeds: a paired t test over the seeds that both methods have, with
//! Holm's correction over the methods of a size. Sentence pairs: a paired bootstrap over the pairs of a task, for the
//! models of these seeds.

mod pairs;
mod setup;

use std::collections::BTreeMap;

use micse_stats::{BootstrapDifference, Interval, holm, paired_difference};
use polars::prelude::*;

use crate::axes::{base, reference_row};
use crate::results::{FinishedCell, NO_SIZE, Results};
use crate::{Error, Grid, Result};
pub use pairs::RESAMPLES;
use pairs::Resampled;
pub use setup::Setup;

/// The default baseline: the first of these in the sweep. With miCSE's own settings, `simcse-baseline` isolates its
/// components.
pub const USUAL_BASELINES: [&str; 2] = ["simcse-baseline", "simcse"];

/// Differences with a corrected p below this are marked.
pub const SIGNIFICANCE: f64 = 0.05;

/// One method compared with the baseline, at one size, on one task or on average.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The method.
    pub method: String,
    /// The row that it is compared with: the baseline, or the baseline's row with the same values on the sweep's axes.
    pub baseline: String,
    /// The training-set size; for a method without training, the size of the other one; empty if the sweep trains
    /// nothing.
    pub size: String,
    /// The task, or [`AVERAGE`](crate::AVERAGE).
    pub task: String,
    /// The mean over common seeds of the method's Spearman x 100 minus the baseline's; NaN if a score is undefined.
    pub difference: f64,
    /// The 95 % interval of the difference by Student's t over seeds. `None` for fewer than two seeds, or if the
    /// differences of all seeds agree to 0.01, as for methods without randomness.
    pub interval: Option<Interval>,
    /// The two-sided p of the paired t test over seeds; `None` where [`interval`](Self::interval) is.
    pub p: Option<f64>,
    /// [`p`](Self::p) after Holm's correction over the methods of this size and task.
    pub p_holm: Option<f64>,
    /// The number of common seeds. If only one method trains, the number of its seeds; 1 if neither trains.
    pub n: usize,
    /// The paired bootstrap over the task's sentence pairs, with the same resamples for both methods and all seeds.
    /// `None` for the average, and if a run's cosines were not stored.
    pub pairs: Option<BootstrapDifference>,
    /// What else the sweep plans differently for the two methods.
    pub differs_in: Setup,
}

impl Comparison {
    /// Whether the corrected p is below [`SIGNIFICANCE`].
    pub fn is_significant(&self) -> bool {
        self.p_holm.is_some_and(|p| p < SIGNIFICANCE)
    }
}

/// All comparisons of a sweep with its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparisons {
    /// The baseline's name: a row, or a method whose rows all have values on the sweep's axes. Then each method is
    /// compared with the row that has the same values.
    pub baseline: String,
    /// Whether the baseline is such a method.
    pub has_points: bool,
    /// By size, then method, then task, in sweep order. Methods without a common seed with the baseline at a size are
    /// omitted.
    pub all: Vec<Comparison>,
    /// Methods with runs by an older version, which did not store cosines. Their comparisons have no
    /// [`pairs`](Comparison::pairs); if the baseline is one of them, no comparison does.
    pub without_cosines: Vec<String>,
}

/// The runs of a method at a size.
enum Side<'a> {
    /// Without training: one result for all seeds.
    Constant(usize, &'a FinishedCell),
    /// By seed.
    Seeds(BTreeMap<u64, (usize, &'a FinishedCell)>),
}

impl Comparisons {
    /// Compares every method with `baseline`. The default is the first of [`USUAL_BASELINES`] in the sweep, else the
    /// sweep's first method without training; `None` if the sweep has neither.
    ///
    /// The bootstrap resamples each task [`RESAMPLES`] times for all cells of the sweep, which takes a few seconds.
    ///
    /// # Errors
    /// The sweep has no method of that name; a run's cosines cannot be read, or do not match its scores.
    pub fn new(results: &Results, baseline: Option<&str>) -> Result<Option<Self>> {
        let Some(baseline) = choose(results, baseline)? else { return Ok(None) };
        let names = || results.planned.iter().map(|(name, _)| name.as_str());
        let has_points = names().all(|name| name != baseline);
        let row_for = |method: &str| {
            let is_baseline = if has_points { base(method) } else { method } == baseline;
            reference_row(names(), &baseline, method).filter(|_| !is_baseline)
        };
        let resampled = Resampled::of(results)?;
        let mut all = Vec::new();
        for size in results.compared_sizes() {
            let mut of_size = Vec::new();
            for method in &results.methods {
                let Some(row) = row_for(&method.name) else { continue };
                if let (Some(one), Some(other)) =
                    (side(results, &method.name, size), side(results, row, size))
                {
                    let common = common(&one, &other);
                    let setup = Setup::between(results, &method.name, row);
                    let places: Vec<(usize, usize)> =
                        common.iter().map(|((a, _), (b, _))| (*a, *b)).collect();
                    for task in &results.tasks {
                        let Some(mut comparison) = compare([&method.name, row], size, task, &common, setup)?
                        else {
                            continue;
                        };
                        if comparison.difference.is_finite() {
                            comparison.pairs = resampled.difference(task, &places)?;
                        }
                        of_size.push(comparison);
                    }
                }
            }
            for task in &results.tasks {
                correct(&mut of_size, task)?;
            }
            all.extend(of_size);
        }
        Ok(Some(Self { baseline, has_points, all, without_cosines: resampled.without_cosines(results) }))
    }

    /// Checks, before a sweep runs, that the baseline is one of its methods.
    ///
    /// # Errors
    /// The sweep has no method of that name.
    pub fn check_baseline(grid: &Grid, baseline: &str) -> Result<()> {
        check(baseline, grid.cells.iter().map(|cell| cell.method.as_str()))
    }

    /// The comparison of a method at a size on a task, or on [`AVERAGE`](crate::AVERAGE).
    pub fn get(&self, method: &str, size: &str, task: &str) -> Option<&Comparison> {
        self.all.iter().find(|c| c.method == method && c.size == size && c.task == task)
    }

    /// Whether a row is the baseline, or the baseline at a point of the axes.
    pub(crate) fn is_baseline(&self, row: &str) -> bool {
        if self.has_points { base(row) == self.baseline } else { row == self.baseline }
    }

    /// The baseline's name, for a sentence about several methods.
    pub(crate) fn baseline_words(&self) -> String {
        let same = if self.has_points { " with the same values on the axes" } else { "" };
        format!("{}{same}", self.baseline)
    }

    /// The comparisons as a data frame: baseline, method, size, task, difference, n, the interval over seeds (low,
    /// high), p, p_holm, the interval over pairs (pairs_low, pairs_high), pairs_p, resamples, differs_in ([`Setup`]).
    pub(crate) fn frame(comparisons: Option<&Self>) -> Result<DataFrame> {
        let all: &[Comparison] = comparisons.map_or(&[], |c| &c.all);
        let text = |of: fn(&Comparison) -> &String| all.iter().map(of).cloned().collect::<Vec<_>>();
        let optional = |of: &dyn Fn(&Comparison) -> Option<f64>| all.iter().map(of).collect::<Vec<_>>();
        Ok(df!(
            "baseline" => text(|c| &c.baseline),
            "method" => text(|c| &c.method),
            "size" => all.iter().map(|c| (c.size != NO_SIZE).then(|| c.size.clone())).collect::<Vec<_>>(),
            "task" => text(|c| &c.task),
            "difference" => all.iter().map(|c| c.difference).collect::<Vec<_>>(),
            "n" => all.iter().map(|c| c.n as u32).collect::<Vec<_>>(),
            "low" => optional(&|c| c.interval.map(|i| i.low)),
            "high" => optional(&|c| c.interval.map(|i| i.high)),
            "p" => optional(&|c| c.p),
            "p_holm" => optional(&|c| c.p_holm),
            "pairs_low" => optional(&|c| c.pairs.map(|b| b.interval.low)),
            "pairs_high" => optional(&|c| c.pairs.map(|b| b.interval.high)),
            "pairs_p" => optional(&|c| c.pairs.map(|b| b.p)),
            "resamples" => all.iter().map(|c| c.pairs.map(|b| b.resamples as u32)).collect::<Vec<_>>(),
            "differs_in" => all.iter().map(|c| c.differs_in.to_string()).collect::<Vec<_>>(),
        )?)
    }
}

/// The named baseline, or the default one.
fn choose(results: &Results, named: Option<&str>) -> Result<Option<String>> {
    let planned = || results.planned.iter();
    let Some(name) = named else {
        let usual = USUAL_BASELINES.iter().find(|usual| planned().any(|(name, _)| base(name) == **usual));
        let untrained = || planned().find(|(_, trains)| !trains).map(|(name, _)| name.clone());
        return Ok(usual.map(|name| (*name).to_owned()).or_else(untrained));
    };
    check(name, planned().map(|(method, _)| method.as_str()))?;
    Ok(Some(name.to_owned()))
}

/// Checks that a baseline is one of these methods.
fn check<'a>(name: &str, methods: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut known: Vec<&str> = Vec::new();
    for method in methods {
        if method == name || base(method) == name {
            return Ok(());
        }
        if !known.contains(&method) {
            known.push(method);
        }
    }
    Err(Error::Baseline { name: name.to_owned(), methods: known.join(", ") })
}

/// The finished runs of a method at a size; `None` without any.
fn side<'a>(results: &'a Results, method: &str, size: &str) -> Option<Side<'a>> {
    let mut seeds = BTreeMap::new();
    for (place, cell) in results.cells.iter().enumerate().filter(|(_, cell)| cell.result.method == method) {
        match (&cell.result.size, cell.result.seed) {
            (None, _) => return Some(Side::Constant(place, cell)),
            (Some(of), Some(seed)) if of == size => {
                seeds.insert(seed, (place, cell));
            }
            _ => {}
        }
    }
    (!seeds.is_empty()).then_some(Side::Seeds(seeds))
}

/// A cell with its index in the results.
type Placed<'a> = (usize, &'a FinishedCell);

/// Pairs of runs of the method and the baseline with the same seed.
fn common<'a>(method: &Side<'a>, baseline: &Side<'a>) -> Vec<(Placed<'a>, Placed<'a>)> {
    match (method, baseline) {
        (&Side::Constant(a, one), &Side::Constant(b, other)) => vec![((a, one), (b, other))],
        (Side::Seeds(seeds), &Side::Constant(b, other)) => {
            seeds.values().map(|&cell| (cell, (b, other))).collect()
        }
        (&Side::Constant(a, one), Side::Seeds(seeds)) => {
            seeds.values().map(|&cell| ((a, one), cell)).collect()
        }
        (Side::Seeds(seeds), Side::Seeds(others)) => {
            seeds.iter().filter_map(|(seed, &cell)| Some((cell, *others.get(seed)?))).collect()
        }
    }
}

/// Compares two methods over seeds only, at a size, on a task or on [`AVERAGE`](crate::AVERAGE). `None` without a
/// common seed.
pub(crate) fn over_seeds(
    results: &Results,
    method: &str,
    other: &str,
    size: &str,
    task: &str,
) -> Result<Option<Comparison>> {
    let (Some(one), Some(two)) = (side(results, method, size), side(results, other, size)) else {
        return Ok(None);
    };
    compare([method, other], size, task, &common(&one, &two), Setup::between(results, method, other))
}

/// One comparison, before Holm's correction and without the bootstrap; `None` without a common seed.
fn compare(
    [method, baseline]: [&str; 2],
    size: &str,
    task: &str,
    common: &[(Placed<'_>, Placed<'_>)],
    differs_in: Setup,
) -> Result<Option<Comparison>> {
    let scores =
        common.iter().filter_map(|((_, one), (_, other))| Some((one.score(task)?, other.score(task)?)));
    let (first, second): (Vec<f64>, Vec<f64>) = scores.unzip();
    if first.is_empty() {
        return Ok(None);
    }
    let mut comparison = Comparison {
        method: method.to_owned(),
        baseline: baseline.to_owned(),
        size: size.to_owned(),
        task: task.to_owned(),
        difference: f64::NAN,
        interval: None,
        p: None,
        p_holm: None,
        n: first.len(),
        pairs: None,
        differs_in,
    };
    if first.iter().chain(&second).all(|score| score.is_finite()) {
        let over_seeds = paired_difference(&first, &second)?;
        comparison.difference = over_seeds.mean;
        if !seeds_agree(&first, &second) {
            comparison.interval = over_seeds.interval;
            comparison.p = over_seeds.p;
        }
    }
    Ok(Some(comparison))
}

/// Whether seeds differ only by rounding: with so small a spread, any difference would test as significant.
fn seeds_agree(first: &[f64], second: &[f64]) -> bool {
    const ROUNDING: f64 = 0.01;
    let differences = || first.iter().zip(second).map(|(a, b)| a - b);
    let (low, high) =
        (differences().fold(f64::INFINITY, f64::min), differences().fold(f64::NEG_INFINITY, f64::max));
    first.len() > 1 && high - low < ROUNDING
}

/// Applies Holm's correction over the comparisons of one size on a task.
fn correct(comparisons: &mut [Comparison], task: &str) -> Result<()> {
    let (tested, p): (Vec<usize>, Vec<f64>) = comparisons
        .iter()
        .enumerate()
        .filter(|(_, comparison)| comparison.task == task)
        .filter_map(|(place, comparison)| Some((place, comparison.p?)))
        .unzip();
    for (place, p) in tested.into_iter().zip(holm(&p)?) {
        comparisons[place].p_holm = Some(p);
    }
    Ok(())
}

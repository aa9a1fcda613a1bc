//! The paired bootstrap over sentence pairs (Efron & Tibshirani 1993): how much of a difference in correlation is
//! due to the particular pairs in a test set.

use micse_random::Stream;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::paired::Interval;
use crate::ranking::Ranking;

/// Which resamples to draw. Resample b draws from `stream.with(b)`. The same stream thus produces the same
/// resamples, for any number of threads, and all models scored on a test set can share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// Number of resamples.
    pub count: usize,
    /// The stream for the draws.
    pub stream: Stream,
}

impl Resampling {
    /// How often each of `pairs` pairs occurs in resample `number`: `pairs` draws with replacement.
    pub fn multiplicities(&self, number: usize, pairs: usize) -> Vec<u32> {
        let mut draws = self.stream.with(number as u64).draws();
        let mut multiplicities = vec![0; pairs];
        for _ in 0..pairs {
            multiplicities[draws.below(pairs as u64) as usize] += 1;
        }
        multiplicities
    }
}

/// Spearman correlation of each of `models` with `human` in each resample: `[model][resample]`, NaN if it is
/// undefined in a resample. All models are scored on the same resamples.
///
/// The cost is one linear pass per model and resample.
///
/// # Errors
/// A model has a different number of scores than `human`.
pub fn resampled_spearman(
    human: &Ranking,
    models: &[&Ranking],
    resampling: &Resampling,
) -> Result<Vec<Vec<f64>>> {
    if let Some(model) = models.iter().find(|model| model.len() != human.len()) {
        return Err(Error::Length { what: "a model's scores", expected: human.len(), found: model.len() });
    }
    let one = |number| -> Vec<f64> {
        let ranks = human.resampled(&resampling.multiplicities(number, human.len()));
        models.iter().map(|model| model.correlation(&ranks)).collect()
    };
    let resamples: Vec<Vec<f64>> = (0..resampling.count).into_par_iter().map(one).collect();
    Ok((0..models.len()).map(|model| resamples.iter().map(|values| values[model]).collect()).collect())
}

/// The bootstrap result for a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapDifference {
    /// The 95 % percentile interval: the 2.5th and the 97.5th percentile of the resamples' differences.
    pub interval: Interval,
    /// The two-sided p: twice the smaller share of differences on one side of 0, `2 (1 + count) / (1 + resamples)`,
    /// at most 1. A difference of 0 counts on both sides.
    pub p: f64,
    /// Number of resamples in which all correlations are defined.
    pub resamples: usize,
}

/// The difference of two methods over resamples. In each resample, it is the mean over seeds of
/// `method[seed][resample] - baseline[seed][resample]`, times `scale` (100 for scores x 100).
///
/// `method` and `baseline` contain resampled correlations, one vector per seed, from one [`Resampling`]. Resamples
/// with an undefined correlation are skipped; the result is `None` if none remains.
///
/// # Errors
/// The sides differ in seeds or resamples, or there are no seeds.
pub fn bootstrap_difference(
    method: &[&[f64]],
    baseline: &[&[f64]],
    scale: f64,
) -> Result<Option<BootstrapDifference>> {
    if method.len() != baseline.len() {
        let what = "seeds of the baseline";
        return Err(Error::Length { what, expected: method.len(), found: baseline.len() });
    }
    let Some(first) = method.first() else {
        return Err(Error::Empty { what: "seeds to compare" });
    };
    if let Some(other) = method.iter().chain(baseline).find(|values| values.len() != first.len()) {
        return Err(Error::Length { what: "resamples", expected: first.len(), found: other.len() });
    }
    let difference = |resample: usize| {
        let seeds = method.iter().zip(baseline).map(|(a, b)| a[resample] - b[resample]);
        scale * seeds.sum::<f64>() / method.len() as f64
    };
    let mut differences: Vec<f64> =
        (0..first.len()).map(difference).filter(|value| value.is_finite()).collect();
    if differences.is_empty() {
        return Ok(None);
    }
    differences.sort_by(f64::total_cmp);
    let resamples = differences.len();
    let beyond = |side: &dyn Fn(f64) -> bool| differences.iter().filter(|&&value| side(value)).count();
    let smaller = beyond(&|value| value <= 0.0).min(beyond(&|value| value >= 0.0));
    Ok(Some(BootstrapDifference {
        interval: Interval { low: quantile(&differences, 0.025), high: quantile(&differences, 0.975) },
        p: (2.0 * (1 + smaller) as f64 / (1 + resamples) as f64).min(1.0),
        resamples,
    }))
}

/// The quantile of sorted values, with linear interpolation between the two surrounding values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

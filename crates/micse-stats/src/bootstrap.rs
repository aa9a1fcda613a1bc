//! The paired bootstrap over sentence pairs (Efron & Tibshirani 1993): how much of a difference of correlations
//! is owed to the pairs that happen to be in a test set.

use micse_random::Stream;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::paired::Interval;
use crate::ranking::Ranking;

/// Which resamples are drawn. Resample b draws from `stream.with(b)`: the same stream gives the same resamples,
/// whatever the number of threads, so that all models scored on a test set can share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// How many resamples.
    pub count: usize,
    /// The place that they are drawn at.
    pub stream: Stream,
}

impl Resampling {
    /// How often each of `pairs` pairs stands in resample `number`: `pairs` draws with replacement.
    pub fn multiplicities(&self, number: usize, pairs: usize) -> Vec<u32> {
        let mut draws = self.stream.with(number as u64).draws();
        let mut multiplicities = vec![0; pairs];
        for _ in 0..pairs {
            multiplicities[draws.below(pairs as u64) as usize] += 1;
        }
        multiplicities
    }
}

/// Spearman's correlations with `human` of each of `models` in each resample: `[model][resample]`, NaN where a
/// resample has none. All models are scored on the same resamples.
///
/// The work is one linear walk for each model and resample.
///
/// # Errors
/// A model has another number of scores than `human`.
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

/// What the resamples say of a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapDifference {
    /// The 95 % percentile interval: the 2.5th and the 97.5th percentile of the resamples' differences.
    pub interval: Interval,
    /// The two-sided p: twice the smaller share of differences on one side of 0, `2 (1 + count) / (1 + resamples)`,
    /// at most 1. A difference of 0 counts on both sides.
    pub p: f64,
    /// The resamples in which all correlations are defined.
    pub resamples: usize,
}

/// The difference of two methods over resamples: in each, the mean over seeds of `method[seed][resample] -
/// baseline[seed][resample]`, times `scale` (100 for the field's units).
///
/// `method` and `baseline` hold resampled correlations, a vector a seed, from one [`Resampling`]. Resamples in which
/// a correlation is not defined are left out; none if no other is left.
///
/// # Errors
/// The sides differ in seeds or resamples, or there is no seed.
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

/// The quantile of sorted values, by linear interpolation between the two that surround it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

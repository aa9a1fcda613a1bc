//! Which two cells of a sweep are compared in the figures about models.
//!
//! In this order, at the largest size where both methods qualify:
//!
//! 1. simcse-baseline (else simcse) and micse;
//! 2. the baseline of the comparisons and the method with the best mean score;
//! 3. the two methods with the best mean scores.
//!
//! Methods with an undefined score are not among the best. Of each method, the lowest seed that both have, else its lowest
//! seed. The weaker or reference method comes first.

use micse_files::RunFolder;

use super::data::Sweep;
use crate::USUAL_BASELINES;

/// The two methods of a rule at a size, if both qualify.
type Rule<'a> = dyn Fn(&str) -> Option<[String; 2]> + 'a;

/// A finished cell of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedCell {
    /// Its method, also the name in the figures.
    pub method: String,
    /// Its run folder.
    pub run: RunFolder,
    /// Its place among the sweep's runs.
    pub(super) place: usize,
}

/// The cells of two methods, of those that `qualify`.
pub(super) fn two_cells(sweep: &Sweep, qualifies: &dyn Fn(&RunFolder) -> bool) -> Option<[ComparedCell; 2]> {
    let places = |method: &str, size: &str| -> Vec<usize> {
        let runs = sweep.runs.iter().enumerate();
        let of_cell = runs.filter(|(place, run)| {
            run.result.method == method
                && run.result.size.as_deref() == Some(size)
                && qualifies(&sweep.results.cells[*place].run)
        });
        let mut places: Vec<usize> = of_cell.map(|(place, _)| place).collect();
        places.sort_by_key(|place| sweep.runs[*place].result.seed);
        places
    };
    let best = |size: &str, takes: &dyn Fn(&str) -> bool| -> Vec<String> {
        let scored = sweep.methods.iter().filter(|method| takes(method)).filter_map(|method| {
            let mean = sweep.summary(method, size)?.mean;
            (mean.is_finite() && !places(method, size).is_empty()).then(|| (mean, method.clone()))
        });
        let mut scored: Vec<(f64, String)> = scored.collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().map(|(_, method)| method).collect()
    };
    let of_paper = |size: &str| {
        let usual = USUAL_BASELINES.iter().find(|usual| !places(usual, size).is_empty())?;
        Some([(*usual).to_owned(), "micse".to_owned()])
    };
    let with_baseline = |size: &str| {
        let method = best(size, &|method| !sweep.is_baseline(method)).into_iter().next()?;
        Some([sweep.baseline_row(&method)?.to_owned(), method])
    };
    let two_best = |size: &str| {
        let mut names = best(size, &|_| true).into_iter();
        let (first, second) = (names.next()?, names.next()?);
        Some([second, first])
    };
    let rules: [&Rule<'_>; 3] = [&of_paper, &with_baseline, &two_best];
    rules.into_iter().find_map(|rule| {
        sweep.sizes.iter().rev().find_map(|size| {
            let methods = rule(&size.name)?;
            let [one, other] = methods.each_ref().map(|method| places(method, &size.name));
            let seed = |place: usize| sweep.runs[place].result.seed;
            let common = one.iter().find_map(|&a| Some((a, *other.iter().find(|&&b| seed(b) == seed(a))?)));
            let (a, b) = common.or_else(|| Some((*one.first()?, *other.first()?)))?;
            let [first, second] = methods;
            let cell = |method, place: usize| ComparedCell {
                method,
                run: sweep.results.cells[place].run.clone(),
                place,
            };
            Some([cell(first, a), cell(second, b)])
        })
    })
}

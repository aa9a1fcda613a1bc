//! Reference values of SciPy and statsmodels, from `fixtures/statistics.json` (see the script next to it).

use micse_random::Stream;
use micse_stats::{Ranking, Resampling, bootstrap_difference, holm, paired_difference, resampled_spearman};
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    paired: Vec<Paired>,
    resamples: Vec<Resampled>,
    bootstrap: Vec<Bootstrap>,
    percentiles: Vec<Percentiles>,
    holm: Vec<Holm>,
}

#[derive(Deserialize)]
struct Paired {
    first: Vec<f64>,
    second: Vec<f64>,
    mean: f64,
    low: f64,
    high: f64,
    p: f64,
}

#[derive(Deserialize)]
struct Resampled {
    human: Vec<f64>,
    cosines: Vec<f64>,
    rho: f64,
    drawn: Vec<Drawn>,
}

#[derive(Deserialize)]
struct Drawn {
    index: Vec<usize>,
    rho: f64,
}

#[derive(Deserialize)]
struct Bootstrap {
    human: Vec<f64>,
    method: Vec<Vec<f64>>,
    baseline: Vec<Vec<f64>>,
    low: f64,
    high: f64,
    deviation: f64,
}

#[derive(Deserialize)]
struct Percentiles {
    values: Vec<f64>,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Holm {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

fn references() -> References {
    serde_json::from_str(include_str!("fixtures/statistics.json")).unwrap()
}

/// Fails unless two values agree to `tolerance` relative to their size or 1e-3, whichever is larger.
fn close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs().max(1e-3);
    assert!(error <= tolerance, "{what}: {found} is not {expected}, off by {error:e}");
}

/// ```python
/// result = scipy.stats.ttest_rel(first, second)
/// result.pvalue, result.confidence_interval(0.95)
/// ```
#[test]
fn the_paired_t_test_is_that_of_scipy() {
    for case in references().paired {
        let found = paired_difference(&case.first, &case.second).unwrap();
        let interval = found.interval.unwrap();
        assert_eq!(found.n, case.first.len());
        close("mean", found.mean, case.mean, 1e-12);
        close("low", interval.low, case.low, 1e-9);
        close("high", interval.high, case.high, 1e-9);
        close("p", found.p.unwrap(), case.p, 1e-9);
        assert_eq!(interval.excludes_zero(), case.p < 0.05, "the interval and the test must agree");
    }
}

/// ```python
/// scipy.stats.spearmanr(human, cosines).statistic
/// scipy.stats.spearmanr(human[index], cosines[index]).statistic
/// ```
#[test]
fn correlations_of_resamples_are_those_of_scipy() {
    for case in references().resamples {
        let (human, cosines) = (Ranking::of(&case.human).unwrap(), Ranking::of(&case.cosines).unwrap());
        let plain = human.spearman(&cosines, &vec![1; human.len()]).unwrap();
        close("rho", plain, case.rho, 1e-12);
        for drawn in case.drawn {
            let mut multiplicities = vec![0; human.len()];
            drawn.index.iter().for_each(|&i| multiplicities[i] += 1);
            close("resampled rho", human.spearman(&cosines, &multiplicities).unwrap(), drawn.rho, 1e-12);
            close("other way round", cosines.spearman(&human, &multiplicities).unwrap(), drawn.rho, 1e-12);
        }
    }
}

/// ```python
/// scipy.stats.bootstrap((human, *method, *baseline), difference, paired=True, method="percentile")
/// ```
/// The two implementations draw different resamples, so each end of an interval is only known to a few hundredths
/// of the standard deviation (the standard error of the 2.5th percentile of 4,000 normal values is 0.042 of it).
#[test]
fn the_bootstrap_interval_is_that_of_scipy() {
    for case in references().bootstrap {
        let human = Ranking::of(&case.human).unwrap();
        let rankings: Vec<Ranking> =
            case.method.iter().chain(&case.baseline).map(|model| Ranking::of(model).unwrap()).collect();
        let resampling = Resampling { count: 4000, stream: Stream::new(5) };
        let rho = resampled_spearman(&human, &rankings.iter().collect::<Vec<_>>(), &resampling).unwrap();
        let rho: Vec<&[f64]> = rho.iter().map(Vec::as_slice).collect();
        let (method, baseline) = rho.split_at(case.method.len());
        let found = bootstrap_difference(method, baseline, 100.0).unwrap().unwrap();
        let bound = 0.25 * case.deviation;
        assert!((found.interval.low - case.low).abs() < bound, "{found:?}, not {}", case.low);
        assert!((found.interval.high - case.high).abs() < bound, "{found:?}, not {}", case.high);
        assert_eq!(found.resamples, 4000);
        assert_eq!(found.interval.excludes_zero(), found.p < 0.05, "{found:?}");
    }
}

/// ```python
/// numpy.percentile(values, [2.5, 97.5])
/// 2 * (1 + min((values <= 0).sum(), (values >= 0).sum())) / (1 + len(values))
/// ```
#[test]
fn percentiles_are_those_of_numpy() {
    for case in references().percentiles {
        let zeros = vec![0.0; case.values.len()];
        let found = bootstrap_difference(&[&case.values], &[&zeros], 1.0).unwrap().unwrap();
        close("2.5th percentile", found.interval.low, case.low, 1e-12);
        close("97.5th percentile", found.interval.high, case.high, 1e-12);
        let below = case.values.iter().filter(|&&value| value <= 0.0).count();
        let smaller = below.min(case.values.len() - below);
        let p = 2.0 * (1 + smaller) as f64 / (1 + case.values.len()) as f64;
        close("p", found.p, p.min(1.0), 1e-12);
    }
}

/// ```python
/// statsmodels.stats.multitest.multipletests(p, method="holm")[1]
/// ```
#[test]
fn holms_correction_is_that_of_statsmodels() {
    for case in references().holm {
        let found = holm(&case.p).unwrap();
        found.iter().zip(&case.adjusted).for_each(|(&a, &b)| close("adjusted p", a, b, 1e-12));
    }
}

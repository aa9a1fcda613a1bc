//! The distance between two groups against NumPy and SciPy (`fixtures/separation.py`).

use micse_random::Stream;
use micse_stats::{Resampling, separation};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    groups: [Vec<[f64; 2]>; 2],
    centroids: [[f64; 2]; 2],
    /// Both differences, then the distance.
    values: [f64; 3],
    intervals: [[f64; 2]; 3],
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("fixtures/separation.json")).expect("the fixture")
}

#[test]
fn centroids_and_intervals_are_those_of_numpy_and_scipy() {
    for case in cases() {
        let resampling = Resampling { count: 20_000, stream: Stream::new(48) };
        let found = separation([&case.groups[0], &case.groups[1]], &resampling).expect("points");
        for (found, expected) in found.centroids.as_flattened().iter().zip(case.centroids.as_flattened()) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
        let estimates = [found.parts[0], found.parts[1], found.distance];
        for ((estimate, value), [low, high]) in estimates.iter().zip(case.values).zip(case.intervals) {
            assert!((estimate.value - value).abs() < 1e-12, "{} is not {value}", estimate.value);
            // Both are random: 20,000 and 100,000 resamples put a percentile within about a hundredth of the interval.
            let tolerance = 0.03 * (high - low);
            assert!((estimate.interval.low - low).abs() < tolerance, "{estimate:?}: {low}");
            assert!((estimate.interval.high - high).abs() < tolerance, "{estimate:?}: {high}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_intervals() {
    let case = &cases()[0];
    let resampling = Resampling { count: 300, stream: Stream::new(1) };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| separation([&case.groups[0], &case.groups[1]], &resampling).expect("points"))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn groups_that_have_no_interval_are_rejected() {
    let points = [[0.0, 1.0], [1.0, 0.0]];
    let resampling = Resampling { count: 10, stream: Stream::new(1) };
    let error = separation([&points, &points[..1]], &resampling).expect_err("one point").to_string();
    assert!(error.contains("points of a group"), "{error}");
    let bad = [[0.0, 1.0], [f64::NAN, 0.0]];
    let error = separation([&points, &bad], &resampling).expect_err("NaN").to_string();
    assert!(error.contains("NaN"), "{error}");
    let none = Resampling { count: 0, ..resampling };
    assert!(separation([&points, &points], &none).is_err());
}

//! Properties of all scores and resamples.

use micse_random::Stream;
use micse_stats::{
    Error, Ranking, Resampling, bootstrap_difference, holm, paired_difference, resampled_spearman,
};
use proptest::prelude::*;

/// Spearman correlation by definition: ranks counted pair by pair, Pearson's formula.
fn by_definition(x: &[f64], y: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |v: &f64| {
            let below = values.iter().filter(|w| *w < v).count() as f64;
            let equal = values.iter().filter(|w| *w == v).count() as f64;
            below + 0.5 * (equal + 1.0)
        };
        values.iter().map(rank).collect()
    };
    let (x, y) = (ranks(x), ranks(y));
    let mean = 0.5 * (x.len() as f64 + 1.0);
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    sum(&x, &y) / (sum(&x, &x) * sum(&y, &y)).sqrt()
}

/// Scores with many ties, and multiplicities.
fn resample() -> impl Strategy<Value = Vec<(i32, i32, u32)>> {
    prop::collection::vec((-4..4_i32, -9..9_i32, 0..4_u32), 1..40)
}

proptest! {
    #[test]
    fn multiplicities_stand_for_pairs_written_out(rows in resample()) {
        let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (f64::from(r.0), f64::from(r.1))).unzip();
        let multiplicities: Vec<u32> = rows.iter().map(|r| r.2).collect();
        let found = Ranking::of(&x).unwrap().spearman(&Ranking::of(&y).unwrap(), &multiplicities).unwrap();
        let written = |of: &[f64]| -> Vec<f64> {
            of.iter().zip(&multiplicities).flat_map(|(&v, &w)| std::iter::repeat_n(v, w as usize)).collect()
        };
        let expected = by_definition(&written(&x), &written(&y));
        prop_assert!(found.is_nan() == expected.is_nan(), "{} and {}", found, expected);
        prop_assert!(found.is_nan() || (found - expected).abs() < 1e-12, "{} and {}", found, expected);
    }

    #[test]
    fn the_paired_difference_changes_sign_with_its_sides(
        pairs in prop::collection::vec((-50.0..50.0_f64, -50.0..50.0_f64), 2..12)
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let (there, back) = (paired_difference(&a, &b).unwrap(), paired_difference(&b, &a).unwrap());
        let (one, other) = (there.interval.unwrap(), back.interval.unwrap());
        prop_assert!((there.mean + back.mean).abs() < 1e-12 && there.p == back.p);
        prop_assert!((one.low + other.high).abs() < 1e-9 && (one.high + other.low).abs() < 1e-9);
        prop_assert!(one.low <= there.mean && there.mean <= one.high);
    }

    #[test]
    fn holm_lowers_no_p_and_keeps_their_order(p in prop::collection::vec(0.0..=1.0_f64, 0..30)) {
        let adjusted = holm(&p).unwrap();
        for i in 0..p.len() {
            prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= (p.len() as f64 * p[i]).min(1.0));
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
            }
        }
    }
}

/// A few models on pairs with ties.
fn models() -> (Ranking, Vec<Ranking>) {
    let mut draws = Stream::new(3).draws();
    let human: Vec<f64> = (0..300).map(|_| draws.below(11) as f64).collect();
    let mut model = |noise: f64| -> Ranking {
        Ranking::of(&human.iter().map(|h| h + noise * draws.normal()).collect::<Vec<_>>()).unwrap()
    };
    let models = vec![model(2.0), model(2.5), model(4.0)];
    (Ranking::of(&human).unwrap(), models)
}

#[test]
fn resamples_do_not_depend_on_threads() {
    let (human, models) = models();
    let models: Vec<&Ranking> = models.iter().collect();
    let resampling = Resampling { count: 200, stream: Stream::new(48) };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| resampled_spearman(&human, &models, &resampling).unwrap())
    };
    let one = on(1);
    assert_eq!(one, on(3));
    // Each model's row must equal its row computed alone, and resample 7 must match its multiplicities.
    assert_eq!(resampled_spearman(&human, &models[1..2], &resampling).unwrap()[0], one[1]);
    let seventh = resampling.multiplicities(7, 300);
    assert_eq!(seventh.iter().sum::<u32>(), 300);
    assert_eq!(human.spearman(models[2], &seventh).unwrap(), one[2][7]);
    assert_ne!(one, {
        let other = Resampling { stream: Stream::new(49), ..resampling };
        resampled_spearman(&human, &models, &other).unwrap()
    });
}

#[test]
fn a_method_does_not_differ_from_itself_and_does_from_a_worse_one() {
    let (human, models) = models();
    let resampling = Resampling { count: 500, stream: Stream::new(1) };
    let rho = resampled_spearman(&human, &models.iter().collect::<Vec<_>>(), &resampling).unwrap();
    let same = bootstrap_difference(&[&rho[0]], &[&rho[0]], 100.0).unwrap().unwrap();
    assert_eq!((same.interval.low, same.interval.high, same.p), (0.0, 0.0, 1.0));
    let worse = bootstrap_difference(&[&rho[0], &rho[1]], &[&rho[2], &rho[2]], 100.0).unwrap().unwrap();
    assert!(worse.interval.low > 0.0 && worse.p < 0.01, "{worse:?}");
}

#[test]
fn resamples_without_a_correlation_are_left_out() {
    let nan = f64::NAN;
    let found = bootstrap_difference(&[&[0.5, nan, 0.7]], &[&[0.4, 0.3, 0.4]], 10.0).unwrap().unwrap();
    assert_eq!(found.resamples, 2);
    assert!(
        (found.interval.low - 1.05).abs() < 1e-12 && (found.interval.high - 2.95).abs() < 1e-12,
        "{found:?}"
    );
    assert_eq!(bootstrap_difference(&[&[nan]], &[&[0.1]], 1.0).unwrap(), None);
    // All human scores equal: no resample has a correlation.
    let (flat, steep) = (Ranking::of(&[1.0, 1.0]).unwrap(), Ranking::of(&[1.0, 2.0]).unwrap());
    assert!(flat.spearman(&steep, &[1, 1]).unwrap().is_nan());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (two, three) = (Ranking::of(&[1.0, 2.0]).unwrap(), Ranking::of(&[1.0, 2.0, 3.0]).unwrap());
    assert!(matches!(two.spearman(&three, &[1, 1]), Err(Error::Length { .. })));
    assert!(matches!(two.spearman(&two, &[1]), Err(Error::Length { .. })));
    assert!(matches!(Ranking::of(&[]), Err(Error::Empty { .. })));
    assert!(matches!(Ranking::of(&[0.0, f64::NAN]), Err(Error::Value { index: 1, .. })));
    let resampling = Resampling { count: 1, stream: Stream::new(1) };
    assert!(matches!(resampled_spearman(&two, &[&three], &resampling), Err(Error::Length { .. })));
    assert!(matches!(bootstrap_difference(&[&[0.1]], &[], 1.0), Err(Error::Length { .. })));
    assert!(matches!(bootstrap_difference(&[], &[], 1.0), Err(Error::Empty { .. })));
    assert!(matches!(bootstrap_difference(&[&[0.1]], &[&[0.1, 0.2]], 1.0), Err(Error::Length { .. })));
    for p in [1.5, -0.1, f64::NAN] {
        assert!(matches!(holm(&[0.5, p]), Err(Error::Value { index: 1, .. })), "{p}");
    }
}

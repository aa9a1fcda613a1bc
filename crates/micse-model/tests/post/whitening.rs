//! Whitening: comparison with numpy, and its defining properties.

use crate::common::{correlated_rows, covariance, fixture, normal_rows, relative_error};
use micse_model::post::{Error, Whitening};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    rows: Vec<Vec<f32>>,
    components: usize,
    mean: Vec<f64>,
    whitened: Vec<Vec<f64>>,
    whitened_by_n_minus_1: Vec<Vec<f64>>,
}

/// One component of all rows.
fn column(rows: &[Vec<f64>], c: usize) -> Vec<f64> {
    rows.iter().map(|row| row[c]).collect()
}

/// `values` with the sign that makes their product with `like` positive.
fn with_sign_of(mut values: Vec<f64>, like: &[f64]) -> Vec<f64> {
    if values.iter().zip(like).map(|(a, b)| a * b).sum::<f64>() < 0.0 {
        for v in &mut values {
            *v = -*v;
        }
    }
    values
}

#[test]
fn agrees_with_numpy_up_to_signs() {
    for case in fixture::<Vec<Case>>("whitening.json") {
        let whitening = Whitening::fit(&case.rows, Some(case.components)).unwrap();
        assert!(relative_error(whitening.mean(), &case.mean) < 1e-14, "{}", case.name);
        let found = whitening.transform(&case.rows).unwrap();
        let found: Vec<Vec<f64>> =
            found.iter().map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
        let n = case.rows.len() as f64;
        for c in 0..case.components {
            let expected = column(&case.whitened, c);
            let error = relative_error(&with_sign_of(column(&found, c), &expected), &expected);
            // The result is f32.
            assert!(error < 1e-6, "{}, component {c}: {error:e}", case.name);

            // The unbiased covariance only scales everything by a constant, as documented.
            let unbiased = column(&case.whitened_by_n_minus_1, c);
            let scaled: Vec<f64> = column(&found, c).iter().map(|v| v * ((n - 1.0) / n).sqrt()).collect();
            assert!(relative_error(&with_sign_of(scaled, &unbiased), &unbiased) < 1e-6, "{}", case.name);
        }
    }
}

#[test]
fn rows_of_the_fit_get_mean_zero_and_covariance_one() {
    // More than one block of rows, and not a multiple of the block size.
    for (n, dimension) in [(1000, 7), (515, 64)] {
        let rows = correlated_rows(3, n, dimension);
        let whitened = Whitening::fit(&rows, None).unwrap().transform(&rows).unwrap();
        for (d, line) in covariance(&whitened).iter().enumerate() {
            let mean = whitened.iter().map(|row| f64::from(row[d])).sum::<f64>() / n as f64;
            assert!(mean.abs() < 1e-6, "mean {mean:e}");
            for (e, &entry) in line.iter().enumerate() {
                let expected = if d == e { 1.0 } else { 0.0 };
                assert!((entry - expected).abs() < 1e-5, "{n} rows: covariance [{d}][{e}] is {entry}");
            }
        }
    }
}

#[test]
fn components_come_by_variance_and_are_prefixes() {
    let rows = correlated_rows(5, 200, 6);
    let all = Whitening::fit(&rows, None).unwrap();
    assert_eq!((all.output_dimension(), all.dropped(), all.rows()), (6, 0, 200));
    let few = Whitening::fit(&rows, Some(2)).unwrap();
    assert_eq!((few.input_dimension(), few.output_dimension()), (6, 2));
    let (all, few) = (all.transform(&rows).unwrap(), few.transform(&rows).unwrap());
    for (all, few) in all.iter().zip(&few) {
        assert_eq!(all[..2], few[..]);
    }

    // Independent coordinates with standard deviations 1, 4, 2: the components are coordinates 1, 2, 0.
    let scaled: Vec<Vec<f32>> =
        normal_rows(9, 20_000, 3).iter().map(|r| vec![r[0], 4.0 * r[1], 2.0 * r[2]]).collect();
    let unit = |d: usize| (0..3).map(|e| if d == e { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let whitening = Whitening::fit(&scaled, None).unwrap();
    let images = whitening.transform(&[unit(0), unit(1), unit(2), vec![0.0; 3]]).unwrap();
    for (coordinate, component, deviation) in [(1, 0, 4.0), (2, 1, 2.0), (0, 2, 1.0)] {
        // The largest entry of an eigenvector is positive.
        let image = images[coordinate][component] - images[3][component];
        assert!((image * deviation - 1.0).abs() < 0.03, "coordinate {coordinate}: {image}");
    }
}

#[test]
fn fewer_rows_than_dimensions_drop_what_has_no_variance() {
    let rows = correlated_rows(7, 20, 64);
    let whitening = Whitening::fit(&rows, None).unwrap();
    assert_eq!((whitening.output_dimension(), whitening.dropped()), (19, 45));

    // With all directions of n <= D + 1 rows, the rows become the corners of a regular simplex.
    let whitened = whitening.transform(&rows).unwrap();
    for (i, a) in whitened.iter().enumerate() {
        for b in &whitened[..i] {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
            assert!((cosine + 1.0 / 19.0).abs() < 1e-4, "{cosine}");
        }
    }

    let error = Whitening::fit(&rows, Some(32)).unwrap_err();
    assert!(matches!(error, Error::Components { asked: 32, left: 19, rows: 20, dimension: 64 }), "{error}");
    assert!(error.to_string().contains("request 1 to 19"), "{error}");
}

#[test]
fn a_coordinate_that_is_a_sum_of_others_is_dropped_and_a_small_one_is_not() {
    let rows: Vec<Vec<f32>> =
        normal_rows(2, 500, 3).iter().map(|r| vec![r[0], r[1], r[0] + r[1], 1e-3 * r[2], 7.5]).collect();
    let whitening = Whitening::fit(&rows, None).unwrap();
    // The sum is rounded to f32, so its own variance is about 1e-15, not 0.
    assert_eq!((whitening.output_dimension(), whitening.dropped()), (3, 2));
}

#[test]
fn same_rows_same_bits() {
    let rows = correlated_rows(11, 300, 24);
    let whitening = Whitening::fit(&rows, Some(10)).unwrap();
    assert_eq!(whitening, Whitening::fit(&rows, Some(10)).unwrap());
}

#[test]
fn bad_input_is_refused() {
    let rows = correlated_rows(1, 10, 3);
    let refused = |rows: &[Vec<f32>], components| Whitening::fit(rows, components).unwrap_err();
    assert!(matches!(refused(&[], None), Error::TooFewRows { found: 0, needed: 2, .. }));
    assert!(matches!(refused(&rows[..1], None), Error::TooFewRows { found: 1, needed: 2, .. }));
    assert!(matches!(refused(&rows, Some(0)), Error::Components { asked: 0, left: 3, .. }));
    assert!(matches!(refused(&rows, Some(4)), Error::Components { asked: 4, left: 3, .. }));
    assert!(matches!(refused(&vec![vec![0.1, 0.7]; 9], None), Error::NoVariance { rows: 9 }));
    assert!(matches!(refused(&vec![vec![]; 9], None), Error::NoVariance { rows: 9 }));

    let ragged = [rows[0].clone(), vec![1.0, 2.0]];
    assert!(matches!(refused(&ragged, None), Error::Dimension { row: 1, found: 2, expected: 3 }));
    for value in [f32::NAN, f32::INFINITY] {
        let mut broken = rows.clone();
        broken[4][2] = value;
        assert!(matches!(refused(&broken, None), Error::NotFinite { row: 4, coordinate: 2, .. }));
        let whitening = Whitening::fit(&rows, None).unwrap();
        let error = whitening.transform(&broken).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 4, coordinate: 2, .. }));
    }

    let small: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().map(|v| v * 1e-8).collect()).collect();
    let whitening = Whitening::fit(&small, None).unwrap();
    assert!(matches!(whitening.transform(&ragged[1..]), Err(Error::Dimension { row: 0, found: 2, .. })));
    assert!(matches!(whitening.transform(&[vec![3e38; 3]]), Err(Error::Overflow { row: 0, .. })));
    assert!(whitening.transform(&[]).unwrap().is_empty());
}

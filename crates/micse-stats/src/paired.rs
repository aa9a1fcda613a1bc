//! The paired t test: two methods over the same seeds.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::error::{Error, Result, finite};

/// The share of samples whose interval contains the true value.
const CONFIDENCE: f64 = 0.95;

/// The two ends of a confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether 0 is outside: the difference has the same sign over the entire interval.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The difference of two methods over n pairs of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// The mean of the differences.
    pub mean: f64,
    /// The 95 % confidence interval of the mean by Student's t; `None` for a single pair.
    pub interval: Option<Interval>,
    /// The two-sided p of the paired t test against a mean of 0; `None` for a single pair.
    pub p: Option<f64>,
    /// Number of pairs.
    pub n: usize,
}

/// The mean of `d[i] = first[i] - second[i]`, with Student's interval and test: `t = mean / (s / sqrt(n))` with
/// n - 1 degrees of freedom, where s is the standard deviation of the differences (n - 1).
///
/// A pair is two scores with the same seed. For a method without seeds, repeat its one score: the test is then
/// that of one sample against a constant.
///
/// Equal differences have no spread: their interval is a point, and p is 0, or 1 if the difference is 0.
///
/// # Errors
/// The sides differ in length or are empty, or a score is not finite.
pub fn paired_difference(first: &[f64], second: &[f64]) -> Result<PairedDifference> {
    let what = "scores to compare";
    if first.len() != second.len() {
        return Err(Error::Length { what, expected: first.len(), found: second.len() });
    }
    if first.is_empty() {
        return Err(Error::Empty { what });
    }
    finite(what, first)?;
    finite(what, second)?;
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let n = differences.len();
    let mean = differences.iter().sum::<f64>() / n as f64;
    if n == 1 {
        return Ok(PairedDifference { mean, interval: None, p: None, n });
    }
    // Compared, not computed: rounding the mean would leave small residues for equal differences.
    let (half, p) = if differences.iter().all(|&d| d == differences[0]) {
        (0.0, if differences[0] == 0.0 { 1.0 } else { 0.0 })
    } else {
        let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
        let error = (squares / (n - 1) as f64 / n as f64).sqrt();
        student(mean / error, n - 1).map_or((f64::NAN, f64::NAN), |(quantile, p)| (quantile * error, p))
    };
    let interval = Interval { low: mean - half, high: mean + half };
    Ok(PairedDifference { mean, interval: Some(interval), p: Some(p), n })
}

/// The quantile that bounds the central 95 %, and the two-sided p of `t`; `None` without a degree of freedom.
fn student(t: f64, freedom: usize) -> Option<(f64, f64)> {
    let distribution = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some((distribution.inverse_cdf(0.5 + CONFIDENCE / 2.0), 2.0 * distribution.sf(t.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_differences_have_no_spread() {
        let found = paired_difference(&[3.5, 2.5, 8.0], &[3.0, 2.0, 7.5]).unwrap();
        assert_eq!((found.mean, found.p), (0.5, Some(0.0)));
        assert_eq!(found.interval, Some(Interval { low: 0.5, high: 0.5 }));
        let found = paired_difference(&[3.5, 2.5], &[3.5, 2.5]).unwrap();
        assert_eq!((found.mean, found.p), (0.0, Some(1.0)));
        assert!(!found.interval.unwrap().excludes_zero());
    }

    #[test]
    fn a_single_pair_has_a_difference_only() {
        let found = paired_difference(&[3.0], &[1.0]).unwrap();
        assert_eq!(found, PairedDifference { mean: 2.0, interval: None, p: None, n: 1 });
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        assert!(matches!(paired_difference(&[1.0], &[]), Err(Error::Length { .. })));
        assert!(matches!(paired_difference(&[], &[]), Err(Error::Empty { .. })));
        let error = paired_difference(&[1.0, 2.0], &[1.0, f64::NAN]).unwrap_err();
        assert!(error.to_string().contains("value 1 is NaN"), "{error}");
    }
}

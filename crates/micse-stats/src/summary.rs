//! Mean, standard deviation and range of a few values.

/// What a table shows of the scores of several seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The mean; NaN if any value is NaN.
    pub mean: f64,
    /// The sample standard deviation, with n - 1 in the denominator; `None` for a single value.
    pub std: Option<f64>,
    /// Number of values.
    pub n: usize,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Summary {
    /// Summarises values; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            mean,
            std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()),
            n,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_that_of_numpy() {
        // x = np.array([53.46, 51.02, 54.9, 52.8])
        // print(x.mean(), x.std(ddof=1), x.min(), x.max())
        let found = Summary::of(&[53.46, 51.02, 54.9, 52.8]).unwrap();
        assert!((found.mean - 53.045).abs() < 1e-12, "{found:?}");
        assert!((found.std.unwrap() - 1.609_751_533_622_501_2).abs() < 1e-12, "{found:?}");
        assert_eq!((found.n, found.min, found.max), (4, 51.02, 54.9));
    }

    #[test]
    fn one_value_has_no_deviation_and_none_no_summary() {
        assert_eq!(Summary::of(&[2.0]), Some(Summary { mean: 2.0, std: None, n: 1, min: 2.0, max: 2.0 }));
        assert_eq!(Summary::of(&[]), None);
        assert!(Summary::of(&[1.0, f64::NAN]).unwrap().mean.is_nan());
    }
}

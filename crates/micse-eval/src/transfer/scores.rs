//! The scores of transfer tasks.

use serde::{Deserialize, Serialize};

use crate::Named;

/// The scores of transfer tasks. Accuracies and F1 are percentages, rounded to two decimals as `SentEval` reports them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferScores {
    /// The mean accuracy over tasks, not rounded.
    pub average: f64,
    /// The mean over tasks of the accuracy on held-out examples, not rounded.
    pub dev_average: f64,
    /// The tasks, in the suite's order.
    pub tasks: Named<TransferTaskScores>,
}

/// The scores of one transfer task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransferTaskScores {
    /// Correct predictions, in percent: on the test part, or the mean over the folds of a cross-validation.
    pub accuracy: f64,
    /// Correct predictions on held-out examples, in percent, with the chosen penalty.
    pub dev_accuracy: f64,
    /// F1 of the positive class on the test part, times 100; `None`, and absent in JSON, for tasks of single
    /// sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    /// Examples of all parts.
    pub examples: usize,
    /// Tested examples: those of the test part, or all of a task with cross-validation.
    pub tested: usize,
    /// The chosen L2 penalty, of each fold in order if the task has no test part.
    pub l2: Vec<f64>,
}

impl TransferScores {
    pub(super) fn new(tasks: Named<TransferTaskScores>) -> Self {
        let mean = |of: fn(&TransferTaskScores) -> f64| {
            tasks.iter().map(|(_, task)| of(task)).sum::<f64>() / tasks.len() as f64
        };
        Self { average: mean(|task| task.accuracy), dev_average: mean(|task| task.dev_accuracy), tasks }
    }
}

/// F1 of class 1: the harmonic mean of precision and recall; 0 without a true positive.
///
/// ```
/// // Precision 2/3, recall 1/2.
/// let f1 = micse_eval::f1(&[1, 1, 1, 1, 0, 0], &[1, 1, 0, 0, 1, 0]);
/// assert!((f1 - 4.0 / 7.0).abs() < 1e-12);
/// ```
///
/// # Panics
/// The slices differ in length.
pub fn f1(gold: &[u8], predicted: &[u8]) -> f64 {
    assert_eq!(gold.len(), predicted.len(), "one prediction per example");
    let count = |gold_is: bool, predicted_is: bool| {
        let both = |(&g, &p): (&u8, &u8)| (g == 1) == gold_is && (p == 1) == predicted_is;
        gold.iter().zip(predicted).filter(|&pair| both(pair)).count() as f64
    };
    let hits = count(true, true);
    if hits == 0.0 { 0.0 } else { 2.0 * hits / (2.0 * hits + count(true, false) + count(false, true)) }
}

/// The mean of up to 15 values, added in numpy's order: the mean of ten two-decimal accuracies is often halfway between
/// two such numbers, and its last bit then decides how it is rounded.
pub(super) fn mean(values: &[f64]) -> f64 {
    let sum = match values {
        [a, b, c, d, e, f, g, h, rest @ ..] if rest.len() < 8 => {
            let first = ((a + b) + (c + d)) + ((e + f) + (g + h));
            rest.iter().fold(first, |sum, value| sum + value)
        }
        _ => values.iter().sum(),
    };
    sum / values.len() as f64
}

/// Two decimals, as numpy rounds them.
pub(super) fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round_ties_even() / 100.0
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn means_are_numpys() {
        // np.mean; added from the first to the last, they give 78.22500000000001, which rounds to 78.23.
        let found = mean(&[81.15, 78.47, 74.08, 76.05, 79.23, 85.98, 83.12, 70.82, 79.63, 73.72]);
        assert_eq!((found, rounded(found)), (78.225, 78.22));
        assert_eq!(mean(&[1.0, 2.0]), 1.5);
    }

    #[test]
    fn f1_agrees_with_scikit_learn() {
        for case in Fixture::read().f1 {
            let found = f1(&case.gold, &case.predicted);
            assert!((found - case.f1).abs() < 1e-12, "{found} and {}", case.f1);
        }
        assert_eq!(f1(&[1, 0], &[0, 0]), 0.0);
    }
}

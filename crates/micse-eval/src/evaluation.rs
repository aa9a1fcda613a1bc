//! The result of an evaluation, as `micse-eval --format json` writes it.

use serde::{Deserialize, Serialize};

use crate::named::Named;
use crate::{Result, TransferScores};

/// The scores of one model. Correlations are multiplied by 100; an undefined one is NaN here and `null` in JSON.
///
/// ```
/// use micse_eval::Evaluation;
/// let text = r#"{"model": "m", "pooling": "cls", "average": 70.5, "alignment": 0.2, "uniformity": null,
///     "tasks": {"STS12": {"pairs": 2, "spearman": {"all": 70.5, "mean": 70.5, "wmean": 70.5},
///                         "pearson": {"all": 71, "mean": 71, "wmean": 71},
///                         "subsets": {"MSRpar": {"pairs": 2, "spearman": 70.5, "pearson": 71}}}}}"#;
/// let evaluation = Evaluation::from_json(text)?;
/// assert_eq!(evaluation.tasks.get("STS12").unwrap().spearman.all, 70.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The model's name, folder or Hub ID, set by the caller with [`of_model`](Self::of_model).
    pub model: String,
    /// The pooling, set by the caller with [`of_model`](Self::of_model).
    pub pooling: String,
    /// Entries of an embedding; `None` in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// The number of entries to which embeddings were truncated (the dimension, unless the model has fewer); `None`
    /// without truncation. Absent in JSON then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate_dim: Option<usize>,
    /// The mean over tasks of Spearman's correlation over all pairs ([`Aggregates::all`]), not rounded before.
    #[serde(with = "number")]
    pub average: f64,
    /// Spearman's correlation on the development pairs, times 100, by which settings are selected; `None`
    /// without a development set.
    #[serde(default)]
    pub dev_spearman: Option<f64>,
    /// Mean squared distance between the unit vectors of development pairs with a score of at least 4; `None`
    /// without such pairs.
    pub alignment: Option<f64>,
    /// Uniformity (`t = 2`) of the unit vectors of all development sentences; `None` without a development set.
    pub uniformity: Option<f64>,
    /// The tasks, in the suite's order.
    pub tasks: Named<TaskScores>,
    /// The scores on transfer tasks; `None` if they were not scored. Absent in JSON then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferScores>,
}

/// The scores of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskScores {
    /// Scored pairs in all subsets.
    pub pairs: usize,
    /// Spearman's correlation of cosine and human score, times 100.
    pub spearman: Aggregates,
    /// Pearson's correlation of cosine and human score, times 100.
    pub pearson: Aggregates,
    /// The subsets, in the task's order.
    pub subsets: Named<SubsetScores>,
}

/// The three aggregates in use for a task with several subsets. They agree if there is only one subset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregates {
    /// One correlation over the pairs of all subsets together, as in published tables.
    #[serde(with = "number")]
    pub all: f64,
    /// The mean of the subsets' correlations.
    #[serde(with = "number")]
    pub mean: f64,
    /// The mean weighted by the number of pairs in each subset.
    #[serde(with = "number")]
    pub wmean: f64,
}

impl Aggregates {
    /// Aggregates the (pairs, correlation) of each subset; `all` is the correlation over all pairs.
    pub(crate) fn new(all: f64, subsets: &[(usize, f64)]) -> Self {
        let total: usize = subsets.iter().map(|&(pairs, _)| pairs).sum();
        let mean = subsets.iter().map(|&(_, value)| value).sum::<f64>() / subsets.len() as f64;
        let wmean = subsets.iter().map(|&(pairs, value)| value * (pairs as f64 / total as f64)).sum();
        Self { all, mean, wmean }
    }
}

/// The scores of one subset, times 100.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubsetScores {
    /// Scored pairs.
    pub pairs: usize,
    /// Spearman's correlation.
    #[serde(with = "number")]
    pub spearman: f64,
    /// Pearson's correlation.
    #[serde(with = "number")]
    pub pearson: f64,
}

impl Evaluation {
    /// The same scores with the names of model and pooling.
    #[must_use]
    pub fn of_model(mut self, model: impl Into<String>, pooling: impl Into<String>) -> Self {
        self.model = model.into();
        self.pooling = pooling.into();
        self
    }

    /// The evaluation as indented JSON.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Reads the JSON that [`to_json`](Self::to_json) writes.
    pub fn from_json(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }
}

/// Writes NaN as `null`, because JSON has no NaN.
pub(crate) mod number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }

    /// The same for two numbers.
    pub(crate) mod pair {
        use super::{Deserialize, Deserializer, Serialize, Serializer};

        #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
        pub(crate) fn serialize<S: Serializer>(values: &[f64; 2], serializer: S) -> Result<S::Ok, S::Error> {
            values.map(|value| value.is_finite().then_some(value)).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[f64; 2], D::Error> {
            Ok(<[Option<f64>; 2]>::deserialize(deserializer)?.map(|value| value.unwrap_or(f64::NAN)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_agree_with_a_reference() {
        // Spearman's correlations of all-MiniLM-L6-v2 on the subsets of STS12, from sentence-transformers and
        // SciPy, with their mean and weighted mean.
        let subsets =
            [(750, 0.578_373), (750, 0.936_085), (459, 0.637_112), (750, 0.690_194), (399, 0.658_463)];
        let found = Aggregates::new(0.723_659, &subsets);
        assert!((found.mean - 0.700_045).abs() < 1e-6, "{found:?}");
        assert!((found.wmean - 0.710_634).abs() < 1e-6, "{found:?}");
    }
}

//! The inputs of a task's correlation: the cosine and the human score of each pair.

/// Cosines and human scores of a task, in the order of its subsets and their pairs.
///
/// Both are f32: cosines are computed in f32, and human scores, which have few digits, keep their order and ties.
/// Spearman's correlation of the two therefore equals the task's, without rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct PairScores {
    /// The cosine of each pair.
    pub cosines: Vec<f32>,
    /// The human score of each pair.
    pub human: Vec<f32>,
}

impl PairScores {
    /// Converts the columns that correlations are computed from.
    pub(crate) fn new(cosines: &[f64], human: &[f64]) -> Self {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        Self { cosines: narrow(cosines), human: narrow(human) }
    }

    /// Spearman's correlation of the two, times 100.
    pub fn spearman(&self) -> f64 {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        100.0 * crate::spearman(&wide(&self.cosines), &wide(&self.human))
    }
}

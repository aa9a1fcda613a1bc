//! Two models compared by the judge's measures.

use micse_stats::{Interval, paired_difference};
use serde::{Deserialize, Serialize};

use super::Measures;
use crate::Result;
use crate::correlation::spearman;
use crate::evaluation::number;

/// A mean before and after, with the interval of the difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The mean of the first model.
    pub before: f64,
    /// The mean of the second model.
    pub after: f64,
    /// The 95 % interval of the mean difference over sentences, by Student's t.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Difference {
    /// `None` for fewer than two sentences, whose difference has no interval.
    fn of(before: &[f64], after: &[f64]) -> Result<Option<Self>> {
        if before.len() < 2 && before.len() == after.len() {
            return Ok(None);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let found = paired_difference(after, before)?.interval;
        Ok(found.map(|Interval { low, high }| Self { before: mean(before), after: mean(after), low, high }))
    }

    /// The standard error of the mean difference, from its interval.
    pub fn standard_error(&self) -> f64 {
        // The quantile of the normal distribution: that of Student's t is larger by 2 % for 60 sentences.
        (self.high - self.low) / (2.0 * 1.959_964)
    }

    /// The mean difference, after minus before.
    pub fn change(&self) -> f64 {
        self.after - self.before
    }
}

/// What changed from one model to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Half-sentence search; `None` if fewer than two sentences are long enough to be halved.
    pub halves: Option<Difference>,
    /// Search by noisy copies.
    pub noise: Option<Difference>,
    /// Search for the next sentence; `None` if sentences were left out between those that are judged on.
    pub order: Option<Difference>,
    /// Uniformity of both.
    #[serde(with = "number::pair")]
    pub uniformity: [f64; 2],
    /// Alignment of both.
    #[serde(with = "number::pair")]
    pub alignment: [f64; 2],
    /// The mean share of a sentence's ten nearest neighbours that both models have.
    #[serde(with = "number")]
    pub kept_neighbours: f64,
    /// Spearman's correlation of the cosines of random pairs under both models.
    #[serde(with = "number")]
    pub kept_order: f64,
    /// The root mean square of the difference of these cosines.
    #[serde(with = "number")]
    pub cosine_change: f64,
}

impl Measures {
    /// Compares with the measures of another model by the same judge.
    ///
    /// # Errors
    /// The measures are of different judges.
    pub fn change_to(&self, after: &Self) -> Result<Change> {
        if self.neighbours.len() != after.neighbours.len() || self.cosines.len() != after.cosines.len() {
            return Err(micse_stats::Error::Length {
                what: "judged sentences",
                expected: self.neighbours.len(),
                found: after.neighbours.len(),
            }
            .into());
        }
        let shared = |(a, b): (&Vec<u32>, &Vec<u32>)| {
            let both = a.iter().filter(|i| b.contains(i)).count();
            both as f64 / a.len().max(1) as f64
        };
        let kept: f64 = self.neighbours.iter().zip(&after.neighbours).map(shared).sum();
        let squares: f64 = self.cosines.iter().zip(&after.cosines).map(|(a, b)| (a - b).powi(2)).sum();
        Ok(Change {
            halves: Difference::of(&self.halves, &after.halves)?,
            noise: Difference::of(&self.noise, &after.noise)?,
            order: Difference::of(&self.order, &after.order)?,
            uniformity: [self.uniformity, after.uniformity],
            alignment: [self.alignment, after.alignment],
            kept_neighbours: kept / self.neighbours.len() as f64,
            kept_order: spearman(&self.cosines, &after.cosines),
            cosine_change: (squares / self.cosines.len() as f64).sqrt(),
        })
    }
}

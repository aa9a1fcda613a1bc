//! Spearman correlation of a resample, from score vectors sorted once.
//!
//! A resample of n pairs with replacement is a vector of multiplicities: pair i occurs `w[i]` times. Its ranks
//! need no sorting. Visit the groups of equal scores in ascending order. In a group of weight `W = sum of w[i]`
//! that follows a weight of `B`, all members have the mean rank `r = B + (W + 1) / 2`. With N the resample's size,
//! the mean of all ranks is `(N + 1) / 2` regardless of ties, and with centred ranks `a` and `b` of two vectors
//!
//! `rho = sum(w a b) / sqrt(sum(w a²) sum(w b²))`,
//!
//! which is the Pearson correlation of the ranks, the same as for the resample written out.

use crate::error::{Error, Result, finite};

/// The order of a score vector, computed once for all resamples.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Indices of the scores in ascending order.
    order: Vec<u32>,
    /// Where in `order` each group of equal scores ends.
    ends: Vec<u32>,
}

/// The ranks of one vector in one resample: each pair's contribution to a sum of products.
pub(crate) struct ResampledRanks {
    /// Multiplicity of each pair, and multiplicity times centred rank.
    pairs: Vec<(u32, f64)>,
    /// The resample's size.
    size: u64,
    /// Sum of squares of the centred ranks.
    squares: f64,
}

impl Ranking {
    /// Sorts a score vector.
    ///
    /// # Errors
    /// No scores, or a score that is not finite.
    ///
    /// # Panics
    /// If there are 2^32 scores or more.
    pub fn of(scores: &[f64]) -> Result<Self> {
        let what = "scores to rank";
        if scores.is_empty() {
            return Err(Error::Empty { what });
        }
        finite(what, scores)?;
        let count = u32::try_from(scores.len()).expect("fewer than 2^32 scores");
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by(|&a, &b| scores[a as usize].total_cmp(&scores[b as usize]));
        let value = |place: u32| scores[order[place as usize] as usize];
        // By `==`, so that 0 and -0 are equal.
        let ends = (1..=count).filter(|&end| end == count || value(end) != value(end - 1)).collect();
        Ok(Self { order, ends })
    }

    /// Number of scores.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no scores; never true.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Spearman correlation of two vectors in the resample that contains pair i `multiplicities[i]` times. With
    /// all ones, it is the correlation of the original vectors. NaN if the resample contains fewer than two
    /// different scores on either side.
    ///
    /// # Errors
    /// The three differ in length.
    ///
    /// ```
    /// use micse_stats::Ranking;
    /// let (cosines, human) = (Ranking::of(&[0.1, 0.2, 0.9, 0.8])?, Ranking::of(&[1.0, 2.0, 4.0, 5.0])?);
    /// assert!((human.spearman(&cosines, &[1, 1, 1, 1])? - 0.8).abs() < 1e-12);
    /// assert!((human.spearman(&cosines, &[2, 1, 1, 0])? - 1.0).abs() < 1e-12);
    /// # Ok::<(), micse_stats::Error>(())
    /// ```
    pub fn spearman(&self, other: &Self, multiplicities: &[u32]) -> Result<f64> {
        for (what, found) in
            [("the other side's scores", other.len()), ("multiplicities", multiplicities.len())]
        {
            if found != self.len() {
                return Err(Error::Length { what, expected: self.len(), found });
            }
        }
        Ok(other.correlation(&self.resampled(multiplicities)))
    }

    /// The ranks of this vector in a resample. The lengths must match.
    pub(crate) fn resampled(&self, multiplicities: &[u32]) -> ResampledRanks {
        let size = multiplicities.iter().map(|&w| u64::from(w)).sum();
        let mut pairs: Vec<(u32, f64)> = multiplicities.iter().map(|&w| (w, 0.0)).collect();
        let mut squares = 0.0;
        self.walk(
            size,
            |w| multiplicities[w as usize],
            |members, weight, rank| {
                squares += weight * rank * rank;
                for &member in members {
                    let pair = &mut pairs[member as usize];
                    pair.1 = f64::from(pair.0) * rank;
                }
            },
        );
        ResampledRanks { pairs, size, squares }
    }

    /// The correlation with another vector in the same resample. The lengths must match.
    pub(crate) fn correlation(&self, other: &ResampledRanks) -> f64 {
        let (mut squares, mut products) = (0.0, 0.0);
        self.walk(
            other.size,
            |place| other.pairs[place as usize].0,
            |members, weight, rank| {
                squares += weight * rank * rank;
                let against: f64 = members.iter().map(|&member| other.pairs[member as usize].1).sum();
                products += rank * against;
            },
        );
        products / (squares * other.squares).sqrt()
    }

    /// Calls `group` with the members, the weight and the centred mean rank of each group of equal scores.
    #[inline]
    fn walk(&self, size: u64, multiplicity: impl Fn(u32) -> u32, mut group: impl FnMut(&[u32], f64, f64)) {
        let centre = 0.5 * (size as f64 + 1.0);
        let (mut start, mut before) = (0, 0_u64);
        for &end in &self.ends {
            let members = &self.order[start..end as usize];
            let weight: u64 = members.iter().map(|&member| u64::from(multiplicity(member))).sum();
            group(members, weight as f64, before as f64 + 0.5 * (weight as f64 + 1.0) - centre);
            before += weight;
            start = end as usize;
        }
    }
}

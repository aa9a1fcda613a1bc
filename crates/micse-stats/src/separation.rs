//! How far apart two groups of points are: the distance between their centroids, with bootstrap intervals.

use rayon::prelude::*;

use crate::bootstrap::{Resampling, quantile};
use crate::error::{Error, Result, finite};
use crate::paired::Interval;

/// A value and its 95 % percentile interval over resamples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value on all points.
    pub value: f64,
    /// The 2.5th and the 97.5th percentile of the value over resamples.
    pub interval: Interval,
}

/// The centroids of two groups of points in the plane, and what lies between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// The mean point of each group, in the unit of each coordinate.
    pub centroids: [[f64; 2]; 2],
    /// The Euclidean distance between the centroids. It is never negative, so its interval excludes 0 even for two
    /// groups from one distribution; see [`Self::parts`] for signs.
    pub distance: Estimate,
    /// First centroid minus second, per coordinate.
    pub parts: [Estimate; 2],
}

/// Compares two groups of points in the plane. Both groups are resampled with replacement, independently, to their own
/// sizes; group g of resample b draws from `resampling.stream.with(g).with(b)`.
///
/// The intervals assume that the points of a group are independent.
///
/// # Errors
/// A group with fewer than two points, no resamples, or a coordinate that is not finite.
///
/// ```
/// use micse_random::Stream;
/// use micse_stats::{Resampling, separation};
///
/// let (near, far) = ([[0.0, 0.0], [0.0, 2.0]], [[3.0, 5.0], [3.0, 5.0]]);
/// let found = separation([&near, &far], &Resampling { count: 200, stream: Stream::new(1) })?;
/// assert_eq!(found.centroids, [[0.0, 1.0], [3.0, 5.0]]);
/// assert_eq!(found.distance.value, 5.0);
/// # Ok::<(), micse_stats::Error>(())
/// ```
pub fn separation(groups: [&[[f64; 2]]; 2], resampling: &Resampling) -> Result<Separation> {
    const WHAT: &str = "points of a group";
    for group in groups {
        if group.len() < 2 {
            return Err(Error::Length { what: WHAT, expected: 2, found: group.len() });
        }
        finite(WHAT, group.as_flattened())?;
    }
    if resampling.count == 0 {
        return Err(Error::Empty { what: "resamples" });
    }
    let once = groups.map(|group| centroid(group, &vec![1; group.len()]));
    let one = |number: usize| {
        let drawn = [0, 1].map(|g| {
            let resampling = Resampling { stream: resampling.stream.with(g as u64), ..*resampling };
            centroid(groups[g], &resampling.multiplicities(number, groups[g].len()))
        });
        between(drawn)
    };
    let resamples: Vec<[f64; 3]> = (0..resampling.count).into_par_iter().map(one).collect();
    let whole = between(once);
    let estimates = [0, 1, 2].map(|i| {
        let mut values: Vec<f64> = resamples.iter().map(|resample| resample[i]).collect();
        values.sort_by(f64::total_cmp);
        let interval = Interval { low: quantile(&values, 0.025), high: quantile(&values, 0.975) };
        Estimate { value: whole[i], interval }
    });
    let [first, second, distance] = estimates;
    Ok(Separation { centroids: once, distance, parts: [first, second] })
}

/// The mean of the points, each counted as often as its multiplicity.
fn centroid(points: &[[f64; 2]], multiplicities: &[u32]) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for (point, &times) in points.iter().zip(multiplicities) {
        sums[0] += f64::from(times) * point[0];
        sums[1] += f64::from(times) * point[1];
    }
    sums.map(|sum| sum / points.len() as f64)
}

/// Both differences of two centroids, and their distance.
fn between([a, b]: [[f64; 2]; 2]) -> [f64; 3] {
    let parts = [a[0] - b[0], a[1] - b[1]];
    [parts[0], parts[1], parts[0].hypot(parts[1])]
}

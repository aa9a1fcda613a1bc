//! Correction for multiple tests.

use crate::error::{Error, Result};

/// Holm's step-down correction (Holm 1979): adjusts p values so that accepting all below `alpha` makes any false
/// claim with probability at most `alpha`, regardless of how the tests depend on each other.
///
/// With the m values in ascending order, `adjusted(k) = max over j <= k of min(1, (m - j + 1) p(j))`. The result
/// is in the input order.
///
/// # Errors
/// A value is not in `[0, 1]`.
pub fn holm(p: &[f64]) -> Result<Vec<f64>> {
    if let Some(index) = p.iter().position(|p| !(0.0..=1.0).contains(p)) {
        let remedy = "it must be in [0, 1]; omit tests without a p value";
        return Err(Error::Value { what: "p values", index, value: p[index], remedy });
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &place) in order.iter().enumerate() {
        largest = largest.max(((p.len() - rank) as f64 * p[place]).min(1.0));
        adjusted[place] = largest;
    }
    Ok(adjusted)
}

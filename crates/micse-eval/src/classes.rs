//! Nearest-neighbour accuracy: whether sentences of a class lie together.

use crate::embedder::Embeddings;
use crate::ranks::neighbours;
use crate::{Embedder, Result};

/// Neighbours that vote.
const NEIGHBOURS: usize = 10;

/// The percentage of sentences whose class is the most frequent one among their ten nearest other sentences, by cosine.
/// Of equally frequent classes, that of the nearest neighbour is taken. NaN for fewer than two sentences.
///
/// # Errors
/// Like [`crate::evaluate`].
pub fn neighbour_accuracy(
    embedder: &dyn Embedder,
    examples: &[(&str, usize)],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<f64> {
    let embeddings = Embeddings::of(embedder, examples.iter().map(|(sentence, _)| *sentence), progress)?;
    let rows: Vec<Vec<f32>> = examples.iter().map(|(sentence, _)| embeddings.unit(sentence)).collect();
    if rows.len() < 2 {
        return Ok(f64::NAN);
    }
    let class = |neighbour: &u32| examples[*neighbour as usize].1;
    let votes = |near: &[u32], of: usize| near.iter().filter(|n| class(n) == of).count();
    let right = |(near, (_, own)): &(Vec<u32>, &(&str, usize))| {
        // The first of the maxima is that of the nearest neighbour.
        let most = near.iter().map(|n| votes(near, class(n))).max();
        near.iter().find(|n| Some(votes(near, class(n))) == most).is_some_and(|n| class(n) == *own)
    };
    let right = neighbours(&rows, NEIGHBOURS).into_iter().zip(examples).filter(right).count();
    Ok(100.0 * right as f64 / rows.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedder::Angle;

    #[test]
    fn the_most_frequent_class_of_the_neighbours_counts() {
        let accuracy = |examples: &[(&str, usize)]| {
            neighbour_accuracy(&Angle, examples, &mut |_, _| {}).expect("an accuracy")
        };
        // All other sentences vote: two of class 0 against one of class 1, and the reverse, so nobody is right.
        assert_eq!(accuracy(&[("0.0", 0), ("0.1", 0), ("0.2", 1), ("0.3", 1)]), 0.0);
        // Of one neighbour each, the nearer one decides: right for the first two.
        let close = accuracy(&[("0.0", 0), ("0.1", 0), ("0.5", 1)]);
        assert!((close - 200.0 / 3.0).abs() < 1e-9, "{close}");
        let two: Vec<(String, usize)> = (0..24_u8)
            .map(|i| (format!("{}", 0.01 * f64::from(i) + f64::from(i / 12)), usize::from(i / 12)))
            .collect();
        let two: Vec<(&str, usize)> = two.iter().map(|(s, class)| (s.as_str(), *class)).collect();
        assert_eq!(accuracy(&two), 100.0);
        assert!(accuracy(&[("0.0", 0)]).is_nan());
    }
}

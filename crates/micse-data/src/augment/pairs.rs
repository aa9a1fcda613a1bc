//! Pairs of sentences for Contrastive Tension (Carlsson et al. 2021).

use micse_random::Stream;

use crate::{Error, Result};

/// What the second tower reads beside the batch that the first one reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partners {
    /// Numbers of the sentences, one for each of the batch.
    pub numbers: Vec<u32>,
    /// Whether the partner is the sentence itself.
    pub positive: Vec<bool>,
}

/// Partners for the batch `numbers` (positions in a split of `sentences` sentences): pair `i` is positive, the
/// sentence with itself, where `i` is a multiple of `negatives + 1` (7 negatives in the paper, so two positive pairs
/// in a batch of 16). Other sentences get a partner drawn uniformly from the split without themselves; partners of
/// different pairs can be the same.
///
/// The authors' code draws both sentences of a negative pair anew: its form is a batch of unrelated sentences. For
/// groups in which one sentence meets itself and `negatives` others, the batch holds it `negatives + 1` times in a
/// row.
///
/// ```
/// use micse_data::augment::pair_partners;
/// use micse_random::Stream;
///
/// let pairs = pair_partners(&[4, 7, 1, 0], 10, 1, Stream::new(48))?;
/// assert_eq!(pairs.positive, [true, false, true, false]);
/// assert_eq!((pairs.numbers[0], pairs.numbers[2]), (4, 1));
/// assert_ne!(pairs.numbers[1], 7);
/// # Ok::<(), micse_data::Error>(())
/// ```
///
/// # Errors
/// [`Error::Augmentation`] if there are fewer than 2 sentences, or a number is not below `sentences`.
pub fn pair_partners(
    numbers: &[u32],
    sentences: usize,
    negatives: usize,
    stream: Stream,
) -> Result<Partners> {
    let error = |problem: String| Error::Augmentation { operation: "contrastive pairs", problem };
    if sentences < 2 {
        return Err(error(format!(
            "a pair of different sentences cannot be drawn from {sentences}; the split needs at least 2"
        )));
    }
    let mut draws = stream.draws();
    let mut partners = Partners::default();
    for (place, &number) in numbers.iter().enumerate() {
        if number as usize >= sentences {
            return Err(error(format!(
                "sentence {number}, counted from 0, is not in a split of {sentences} sentences"
            )));
        }
        let positive = place.is_multiple_of(negatives + 1);
        partners.positive.push(positive);
        partners.numbers.push(if positive {
            number
        } else {
            let other = draws.below(sentences as u64 - 1) as u32;
            other + u32::from(other >= number)
        });
    }
    Ok(partners)
}

//! Pairs of sentences for Contrastive Tension (Carlsson et al. 2021).

use micse_random::Stream;

use crate::{Error, Result};

/// The sentences for the second tower, next to the batch for the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partners {
    /// Sentence numbers, one per sentence of the batch.
    pub numbers: Vec<u32>,
    /// Whether the partner is the sentence itself.
    pub positive: Vec<bool>,
}

/// Draws partners for the batch `numbers` (positions in a split of `sentences` sentences). Pair `i` is positive
/// (the sentence with itself) if `i` is a multiple of `negatives + 1`; the paper uses 7 negatives, so a batch of
/// 16 has two positive pairs. Every other sentence gets a partner drawn uniformly from the rest of the split.
/// Different pairs can get the same partner.
///
/// The authors' code draws both sentences of a negative pair. To reproduce that, pass a batch of unrelated
/// sentences. To form groups in which one sentence meets itself and `negatives` others, repeat it `negatives + 1`
/// times in a row in the batch.
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
/// [`Error::Augmentation`] if there are fewer than 2 sentences, or if a number is not below `sentences`.
pub fn pair_partners(
    numbers: &[u32],
    sentences: usize,
    negatives: usize,
    stream: Stream,
) -> Result<Partners> {
    let error = |problem: String| Error::Augmentation { operation: "contrastive pairs", problem };
    if sentences < 2 {
        return Err(error(format!(
            "cannot draw a pair of different sentences from {sentences}; use a split of at least 2"
        )));
    }
    let mut draws = stream.draws();
    let mut partners = Partners::default();
    for (place, &number) in numbers.iter().enumerate() {
        if number as usize >= sentences {
            return Err(error(format!(
                "sentence {number} (counted from 0) is outside a split of {sentences} sentences"
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

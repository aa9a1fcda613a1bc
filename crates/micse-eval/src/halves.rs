//! Half-sentence search, a measure that needs no labels: how well one half of a sentence finds the other.

use micse_data::Words;

use crate::embedder::Embeddings;
use crate::ranks::reciprocal_ranks;
use crate::{Embedder, Result};

/// Sentences with fewer words are skipped, because their halves are too short to identify each other.
const FEWEST_WORDS: usize = 8;

/// Sentences split in two at the middle word. Repeated halves, and sentences shorter than 8 words, are skipped. In
/// scripts without spaces, such as Chinese and Thai, a character counts as a word.
///
/// ```
/// use micse_eval::Halves;
///
/// let halves = Halves::of(["The old doctor walked slowly through the long corridors", "Too short"], 400);
/// assert_eq!(halves.pairs(), [["The old doctor walked", "slowly through the long corridors"]]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halves {
    pairs: Vec<[String; 2]>,
}

impl Halves {
    /// Halves at most `most` sentences, evenly spaced.
    pub fn of<S: AsRef<str>>(sentences: impl IntoIterator<Item = S>, most: usize) -> Self {
        let long = |s: &S| Words::of(s.as_ref()).len() >= FEWEST_WORDS;
        let sentences: Vec<S> = sentences.into_iter().filter(long).collect();
        let halves = evenly(sentences, 2 * most);
        // A repeated half would have several equally good answers.
        let Self { pairs } = Self::from_pairs(halves.iter().filter_map(|s| self::halves(s.as_ref())));
        Self { pairs: evenly(pairs, most) }
    }

    /// Pairs from elsewhere: each text of a pair searches for the other. Pairs with a repeated text are skipped.
    pub fn from_pairs(pairs: impl IntoIterator<Item = [String; 2]>) -> Self {
        let mut seen = std::collections::BTreeSet::new();
        let mut new = |text: &String| seen.insert(text.clone());
        Self { pairs: pairs.into_iter().filter(|[first, second]| new(first) && new(second)).collect() }
    }

    /// The two halves of each sentence.
    pub fn pairs(&self) -> &[[String; 2]] {
        &self.pairs
    }

    /// The mean reciprocal rank at which a half finds the other half of its sentence, by cosine; from just above 0 to 1. A
    /// first half searches among all second halves, and the reverse; both ranks count. `None` for fewer than two halved
    /// sentences.
    ///
    /// # Errors
    /// Like [`crate::evaluate`].
    pub fn reciprocal_rank(&self, embedder: &dyn Embedder) -> Result<Option<f64>> {
        if self.pairs.len() < 2 {
            return Ok(None);
        }
        let embeddings = Embeddings::of(embedder, self.texts(), &mut |_, _| {})?;
        let ranks = self.reciprocal_ranks(&embeddings);
        Ok(Some(ranks.iter().sum::<f64>() / ranks.len() as f64))
    }

    /// Both halves of every sentence.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().flatten().map(String::as_str)
    }

    /// For each sentence, the mean of both halves' reciprocal ranks.
    pub(crate) fn reciprocal_ranks(&self, embeddings: &Embeddings<'_>) -> Vec<f64> {
        let side = |i: usize| self.pairs.iter().map(|pair| embeddings.unit(&pair[i])).collect::<Vec<_>>();
        let (first, second) = (side(0), side(1));
        let there = reciprocal_ranks(&first, &second);
        there.into_iter().zip(reciprocal_ranks(&second, &first)).map(|(a, b)| f64::midpoint(a, b)).collect()
    }
}

/// At most `most` of the values, evenly spaced.
pub(crate) fn evenly<T>(values: Vec<T>, most: usize) -> Vec<T> {
    let count = values.len();
    if count <= most {
        return values;
    }
    let chosen = |number: usize| (number + 1) * most / count > number * most / count;
    values.into_iter().enumerate().filter(|(number, _)| chosen(*number)).map(|(_, value)| value).collect()
}

fn halves(sentence: &str) -> Option<[String; 2]> {
    let words = Words::of(sentence);
    (words.len() >= FEWEST_WORDS).then(|| words.split(words.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedder::Angle;

    #[test]
    fn ranks_are_those_counted_by_hand() {
        // First halves at 0.1, 0.85 and 0.2, second halves at 0.0, 0.5 and 1.0. The second halves are found at ranks 1, 2
        // and 3, the first halves at 1, 2 and 2.
        let sentence = |first: f64, second: f64| format!("{first} b c d {second} f g h");
        let texts = [sentence(0.1, 0.0), sentence(0.85, 0.5), sentence(0.2, 1.0)];
        let halves = Halves::of(&texts, 10);
        let found = halves.reciprocal_rank(&Angle).expect("a rank").expect("three sentences");
        assert!((found - (1.0 + 0.5 + 5.0 / 12.0) / 3.0).abs() < 1e-12, "{found}");
        assert_eq!(Halves::of(&texts[..1], 10).reciprocal_rank(&Angle).expect("nothing"), None);
    }

    #[test]
    fn a_model_of_one_point_finds_nothing() {
        let texts: Vec<String> = (0..50).map(|i| format!("x{i} b c d y{i} f g h")).collect();
        let halves = Halves::of(&texts, 20);
        assert_eq!(halves.pairs().len(), 20);
        let found = halves.reciprocal_rank(&Angle).expect("a rank").expect("twenty sentences");
        assert!((found - 0.05).abs() < 1e-12, "{found}");
    }
}

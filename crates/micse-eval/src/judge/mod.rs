//! A judge without labels: what a text alone tells about a model, and whether a second model is better or worse.
//!
//! | measure | question | value |
//! |---|---|---|
//! | [`halves`](Measures::halves) | does one half of a sentence find the other among the halves of all sentences? | mean reciprocal rank |
//! | [`noise`](Measures::noise) | does a sentence with words dropped and misspelt find itself among all sentences? | mean reciprocal rank |
//! | [`order`](Measures::order) | does a sentence find the next one of the file? | mean reciprocal rank |
//! | [`uniformity`](Measures::uniformity) | how far are the sentences spread over the sphere? | Wang & Isola 2020 |
//! | [`alignment`](Measures::alignment) | how close is a sentence to its noisy copy? | Wang & Isola 2020 |
//! | [`kept_neighbours`](Change::kept_neighbours) | which share of the ten nearest neighbours stays? | 0 to 1 |
//! | [`kept_order`](Change::kept_order) | does the order of cosines of random pairs stay? | Spearman's correlation |
//!
//! Ranks are compared sentence by sentence, so that a difference has an interval. All draws come from one fixed seed.
mod compare;
mod effect;
mod noise;
mod table;

use crate::embedder::Embeddings;
use crate::ranks::{cosine, neighbours, next_ranks, reciprocal_ranks};
use crate::{Embedder, Halves, Result, alignment, uniformity};
pub use compare::{Change, Difference};
pub use effect::{Effect, Purpose, Worth};
use micse_random::Stream;
use noise::noisy;
pub use table::to_table;

/// Nearest neighbours that are compared.
const NEIGHBOURS: usize = 10;
/// Random pairs whose cosines are compared.
const PAIRS: usize = 5000;
/// Sentences of which all pairs are compared.
const MOST: usize = 2000;
/// Noisy copies that are made in all, and the most of one sentence: several for few sentences, whose draws matter more.
const COPIES: usize = 800;
const MOST_COPIES: usize = 8;
/// The seed of the noise and of the random pairs.
const SEED: u64 = 0;

/// Sentences on which models are judged. They should not be among those that the models were trained on.
#[derive(Clone, Debug)]
pub struct Judge {
    sentences: Vec<String>,
    /// Noisy copies of all sentences, once or several times.
    noisy: Vec<Vec<String>>,
    halves: Halves,
    /// Whether each sentence but the last is followed by the next one of the text.
    in_order: bool,
}

/// What the judge measured on one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// The reciprocal rank of each halved sentence's second half.
    pub halves: Vec<f64>,
    /// The reciprocal rank of each sentence, found by its noisy copy; the mean over its copies.
    pub noise: Vec<f64>,
    /// The reciprocal rank of each sentence's successor; empty if sentences were left out between them.
    pub order: Vec<f64>,
    /// `ln` of the mean of `exp(-2 d^2)` over pairs; lower is more spread out.
    pub uniformity: f64,
    /// The mean squared distance between a sentence and its noisy copy; lower is closer.
    pub alignment: f64,
    /// The nearest neighbours of each sentence, by number.
    neighbours: Vec<Vec<u32>>,
    /// Cosines of random pairs.
    cosines: Vec<f64>,
}

impl Judge {
    /// Judges on at most 2,000 of these sentences, evenly spaced; blank and repeated ones are skipped. With more
    /// sentences, successive ones are no neighbours, and the search for the next sentence is omitted.
    ///
    /// `None` for fewer than 20 distinct sentences.
    pub fn new<S: AsRef<str>>(sentences: impl IntoIterator<Item = S>) -> Option<Self> {
        const FEWEST: usize = 20;
        let mut seen = std::collections::BTreeSet::new();
        let distinct: Vec<String> = sentences
            .into_iter()
            .map(|sentence| sentence.as_ref().trim().to_owned())
            .filter(|sentence| !sentence.is_empty() && seen.insert(sentence.clone()))
            .collect();
        let in_order = distinct.len() <= MOST;
        let sentences = crate::halves::evenly(distinct, MOST);
        if sentences.len() < FEWEST {
            return None;
        }
        let copies = |number: u64| {
            let stream = Stream::new(SEED).with(0).with(number);
            sentences.iter().zip(0..).map(|(sentence, i)| noisy(sentence, stream.with(i))).collect()
        };
        let noisy = (0..(COPIES / sentences.len()).clamp(1, MOST_COPIES) as u64).map(copies).collect();
        let halves = Halves::of(&sentences, MOST);
        Some(Self { sentences, noisy, halves, in_order })
    }

    /// For sentences in random order: the search for the next sentence is omitted.
    #[must_use]
    pub fn unordered(self) -> Self {
        Self { in_order: false, ..self }
    }

    /// The number of sentences that were halved: those with 8 words or more that share no half with another. Without
    /// some, nothing tells whether search got better.
    pub fn halved(&self) -> usize {
        self.halves.pairs().len()
    }

    /// The sentences that are judged on.
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// Measures a model. Each distinct text is embedded once.
    ///
    /// # Errors
    /// The embedder fails, or returns embeddings that are not finite.
    pub fn measure(
        &self,
        embedder: &dyn Embedder,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Measures> {
        let copies = self.noisy.iter().flatten();
        let texts = self.sentences.iter().chain(copies).map(String::as_str).chain(self.halves.texts());
        let embeddings = Embeddings::of(embedder, texts, progress)?;
        let units = |texts: &[String]| texts.iter().map(|text| embeddings.unit(text)).collect::<Vec<_>>();
        let rows = units(&self.sentences);
        let noisy: Vec<Vec<Vec<f32>>> = self.noisy.iter().map(|copies| units(copies)).collect();
        let ranks: Vec<Vec<f64>> = noisy.iter().map(|copies| reciprocal_ranks(copies, &rows)).collect();
        let mean = |i: usize| ranks.iter().map(|ranks| ranks[i]).sum::<f64>() / ranks.len() as f64;
        let mut draws = Stream::new(SEED).with(1).draws();
        let mut pair = || [(); 2].map(|()| draws.below(rows.len() as u64) as usize);
        let cosines =
            (0..PAIRS).map(|_| pair()).filter(|[a, b]| a != b).map(|[a, b]| cosine(&rows[a], &rows[b]));
        Ok(Measures {
            halves: self.halves.reciprocal_ranks(&embeddings),
            noise: (0..rows.len()).map(mean).collect(),
            order: if self.in_order { next_ranks(&rows) } else { Vec::new() },
            uniformity: uniformity(&rows).unwrap_or(f64::NAN),
            alignment: alignment(noisy.iter().flat_map(|copies| rows.iter().zip(copies))).unwrap_or(f64::NAN),
            neighbours: neighbours(&rows, NEIGHBOURS),
            cosines: cosines.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Embeds a text as counts of its letters.
    struct Letters;

    impl Embedder for Letters {
        fn dimension(&self) -> usize {
            26
        }

        fn embed(
            &self,
            sentences: &[&str],
        ) -> std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
            let count = |s: &&str| ('a'..='z').map(|c| s.matches(c).count() as f32).collect();
            Ok(sentences.iter().map(count).collect())
        }
    }

    /// Everything is one point.
    struct Point;

    impl Embedder for Point {
        fn dimension(&self) -> usize {
            2
        }

        fn embed(
            &self,
            sentences: &[&str],
        ) -> std::result::Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(sentences.iter().map(|_| vec![1.0, 0.0]).collect())
        }
    }

    #[test]
    fn a_collapsed_model_is_worse_in_every_search() {
        let sentences: Vec<String> = micse_data::demo::corpus().into_iter().take(100).collect();
        let judge = Judge::new(&sentences).expect("enough sentences");
        let measure = |embedder: &dyn Embedder| judge.measure(embedder, &mut |_, _| {}).expect("measures");
        let (letters, point) = (measure(&Letters), measure(&Point));
        let change = letters.change_to(&point).expect("a comparison");
        for difference in [change.halves, change.noise, change.order] {
            let difference = difference.expect("a difference");
            assert!(difference.high < 0.0 && difference.after < 0.02, "{difference:?}");
        }
        assert_eq!((change.uniformity[1], change.alignment[1]), (0.0, 0.0));
        assert!(change.kept_neighbours < 0.3 && change.kept_order.is_nan(), "{change:?}");
        let same = letters.change_to(&letters).expect("a comparison");
        assert_eq!((same.kept_neighbours, same.cosine_change), (1.0, 0.0));
        // Swapped letters do not change counts; dropped words do.
        assert!(same.noise.expect("a difference").before > 0.5, "{same:?}");
    }

    #[test]
    fn the_next_sentence_is_searched_only_where_none_was_left_out() {
        let judge =
            |count| Judge::new((0..count).map(|i| format!("sentence number {i}"))).expect("enough sentences");
        let measure = |judge: &Judge| judge.measure(&Point, &mut |_, _| {}).expect("measures");
        let (all, some) = (measure(&judge(2000)), measure(&judge(2001)));
        assert_eq!((all.order.len(), some.order.len()), (1999, 0));
        assert_eq!(some.change_to(&some).expect("a comparison").order, None);
        assert!(measure(&judge(20).unordered()).order.is_empty());
    }

    #[test]
    fn few_or_repeated_sentences_are_not_judged_on() {
        assert!(Judge::new(["one"; 100]).is_none());
        let other = Judge::new((0..30).map(|i| format!("sentence number {i}"))).expect("enough sentences");
        let more = Judge::new((0..40).map(|i| format!("sentence number {i}"))).expect("enough sentences");
        let measure = |judge: &Judge| judge.measure(&Letters, &mut |_, _| {}).expect("measures");
        assert!(measure(&other).change_to(&measure(&more)).is_err());
    }

    #[test]
    fn one_long_sentence_is_no_half_sentence_search() {
        let short = (0..30).map(|i| format!("sentence number {i}"));
        let long = (0..2)
            .map(|i| format!("the old doctor number {i} walked through the long corridors of house {i}"));
        for (count, searched) in [(0, false), (1, false), (2, true)] {
            let judge = Judge::new(short.clone().chain(long.clone().take(count))).expect("enough sentences");
            assert_eq!(judge.halved(), count);
            let measures = judge.measure(&Letters, &mut |_, _| {}).expect("measures");
            let change = measures.change_to(&measures).expect("a comparison");
            assert_eq!(change.halves.is_some(), searched);
            assert!(change.rows().iter().flatten().all(|cell| !cell.contains("NaN")), "{:?}", change.rows());
        }
    }
}

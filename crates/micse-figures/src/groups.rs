//! Two groups of sentence pairs, each with its similarities under two models.

use micse_random::Stream;
use micse_stats::{Resampling, Separation, separation};

use crate::similarity::{Subject, Views, check_names, similarities};
use crate::{Result, Similarity};

/// Resamples of the pairs of a group, for intervals.
pub const RESAMPLES: usize = 2000;

/// What distinguishes the two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Positive pairs, then negative pairs (Fig. 1).
    Positives,
    /// Negative pairs with equal trees, then with unequal trees (Fig. 4).
    Trees,
}

impl Grouping {
    /// The names of the groups.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::Positives => ["positive", "negative"],
            Self::Trees => ["equal trees", "unequal trees"],
        }
    }
}

/// A pair of sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentencePair {
    /// Whose view 1 is used.
    pub first: String,
    /// Whose view 2 is used; the same sentence for a positive pair.
    pub second: String,
}

/// Two groups of pairs under two models.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouped {
    /// What distinguishes the groups.
    pub grouping: Grouping,
    /// How the pairs were chosen, in one sentence for the caption.
    pub note: String,
    /// The pairs of each group.
    pub pairs: [Vec<SentencePair>; 2],
    /// The models.
    pub panels: [Panel; 2],
}

/// One model's view of the groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// The model's name.
    pub model: String,
    /// The similarities of each group, in the order of its pairs.
    pub similarities: [Vec<Similarity>; 2],
    /// Centroids of (mutual information, cosine), and what lies between them.
    pub separation: Separation,
}

impl Panel {
    /// The points to draw, (mutual information, cosine) of each group: for trees, minus the centroid of the opposite
    /// group, as in the paper's Fig. 4. That moves the drawn centroids to plus and minus their difference.
    pub fn points(&self, grouping: Grouping) -> [Vec<[f64; 2]>; 2] {
        let centroids = self.separation.centroids;
        [0, 1].map(|group| {
            let origin = match grouping {
                Grouping::Positives => [0.0; 2],
                Grouping::Trees => centroids[1 - group],
            };
            let point = |s: &Similarity| [s.mutual_information - origin[0], s.cosine - origin[1]];
            self.similarities[group].iter().map(point).collect()
        })
    }
}

/// Compares two groups of pairs of indices into `sentences` under both models.
pub(crate) fn grouped(
    subjects: [Subject<'_>; 2],
    sentences: &[String],
    pairs: [&[(usize, usize)]; 2],
    grouping: Grouping,
    note: String,
    seed: u64,
) -> Result<Grouped> {
    check_names(subjects.map(|subject| subject.name))?;
    let panel = |subject: Subject<'_>| -> Result<Panel> {
        let of = |group: usize| similarities(subject, sentences, pairs[group], Views::of(seed));
        let similarities = [of(0)?, of(1)?];
        let points = [0, 1].map(|group: usize| {
            similarities[group].iter().map(|s| [s.mutual_information, s.cosine]).collect::<Vec<[f64; 2]>>()
        });
        // The same resamples for both models, which have the same pairs.
        let resampling = Resampling { count: RESAMPLES, stream: Stream::new(seed).with(3) };
        let separation = separation([&points[0], &points[1]], &resampling)?;
        Ok(Panel { model: subject.name.to_owned(), similarities, separation })
    };
    let named = |group: usize| {
        let pair = |&(first, second): &(usize, usize)| SentencePair {
            first: sentences[first].clone(),
            second: sentences[second].clone(),
        };
        pairs[group].iter().map(pair).collect()
    };
    Ok(Grouped {
        grouping,
        note,
        pairs: [named(0), named(1)],
        panels: [panel(subjects[0])?, panel(subjects[1])?],
    })
}

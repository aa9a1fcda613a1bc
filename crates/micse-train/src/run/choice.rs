//! The weights that a run keeps, judged without labels on sentences that it was not trained on: those of the start,
//! those that training gave, or an average of both.
//!
//! Averages of the weights before and after training keep more of what a model could do before than a smaller learning
//! rate does (WiSE-FT, Wortsman et al. 2022; LM-Cocktail, Xiao et al. 2023).

use std::collections::HashSet;

use micse_eval::judge::{Change, Judge, Measures, Purpose};
use micse_model::{Encoder, Pipeline};
use serde::{Deserialize, Serialize};

use super::{Event, RunInputs, TrainText};
use crate::recipe::Select;
use crate::trainer::Trainer;
use crate::{Error, Result};

/// The shares of the trained weights in the candidates; the rest is the start's.
pub const SHARES: [f64; 4] = [0.25, 0.5, 0.75, 1.0];

/// Bounds of the number of held-out sentences; a tenth between them, but never more than a third of all.
const HELD_OUT: (usize, usize) = (200, 2000);

/// Which weights a judged run keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The candidate that the judge chooses; the start's if none is better.
    #[default]
    Judged,
    /// Those that score best on the development pairs; the start's if no step scores better.
    Pairs,
    /// Those that training gave, whatever the judge says.
    Last,
}

/// What decides between the candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Which weights are kept.
    pub keep: Keep,
    /// The purpose that must get better; `None`: as in [`Change::worth`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

/// How a run chooses its weights.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The judge, with the held-out sentences; `None` if pairs alone choose.
    pub judge: Option<Judge>,
    /// What decides.
    pub rule: Rule,
}

/// A candidate, and what the judge measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The share of the trained weights; the rest is the start's.
    pub share: f64,
    /// The change from the start.
    pub change: Change,
}

/// The weights that a run kept, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// What decided.
    pub rule: Rule,
    /// The number of sentences that were judged on.
    pub sentences: usize,
    /// The share of the trained weights in those that were kept; 0: the weights are the start's.
    pub share: f64,
    /// The candidates besides the start, by their share.
    pub candidates: Vec<Candidate>,
}

impl Chosen {
    /// The candidate that was kept; `None`: the start's weights.
    pub fn kept(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.share == self.share)
    }

    /// The candidate that would be kept for a purpose; `None`: the start's weights.
    pub fn kept_for(&self, purpose: Option<Purpose>) -> Option<&Candidate> {
        best(&self.candidates, purpose)
    }

    /// The weights of the last step.
    pub fn last(&self) -> Option<&Candidate> {
        self.candidates.last()
    }
}

impl TrainText {
    /// The number of distinct sentences of the split.
    pub fn distinct(&self) -> usize {
        self.texts().collect::<HashSet<_>>().len()
    }

    /// The sentences of the split, in its order, without surrounding white space.
    fn texts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.indices.iter().map(|&i| self.corpus.get(i as usize).trim())
    }

    /// Takes distinct sentences off the end of the split, which is in random order, to judge the model on: a tenth, but
    /// at least 200 and at most 2,000, and never more than a third. Other copies of these sentences are removed, so that
    /// the model is not trained on them.
    pub fn hold_out(&mut self) -> Vec<String> {
        let all = self.distinct();
        let count = (all / 10).clamp(HELD_OUT.0, HELD_OUT.1).min(all / 3);
        let mut seen = HashSet::new();
        let mut held: Vec<&str> = self.texts().rev().filter(|text| seen.insert(*text)).take(count).collect();
        held.reverse();
        let taken: HashSet<&str> = held.iter().copied().collect();
        let rest = self.indices.iter().zip(self.texts()).filter(|(_, text)| !taken.contains(text));
        let rest: Vec<u32> = rest.map(|(&i, _)| i).collect();
        let held: Vec<String> = held.into_iter().map(str::to_owned).collect();
        self.indices = rest;
        self.described.sentences = self.indices.len();
        self.described.held_out = count;
        held
    }
}

impl Choice {
    /// Judges the candidates, and leaves the chosen weights in the trainer's encoder. `None` without a judge.
    pub(super) fn choose(
        &self,
        inputs: &RunInputs<'_>,
        pipeline: &Pipeline,
        trainer: &mut Trainer,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Option<Chosen>> {
        let Some(judge) = &self.judge else { return Ok(None) };
        let start = inputs.base.encoder(&inputs.compute)?;
        let shares = if self.rule.keep == Keep::Judged { &SHARES[..] } else { &[1.0] };
        let models = 1 + shares.len();
        let mut judged = 0;
        let mut measure = |encoder: &dyn Encoder| -> Result<Measures> {
            let mut progress =
                |done, total| tell(Event::Judging { done: judged * total + done, total: models * total });
            let measures = judge.measure(&pipeline.with(encoder, None), &mut progress)?;
            judged += 1;
            Ok(measures)
        };
        let before = measure(start.as_ref())?;
        let mut candidates = Vec::new();
        for &share in shares {
            let measures = if share < 1.0 {
                measure(mixed(start.as_ref(), trainer.encoder(), share)?.as_ref())?
            } else {
                measure(trainer.encoder())?
            };
            candidates.push(Candidate { share, change: before.change_to(&measures)? });
        }
        let share = match self.rule.keep {
            Keep::Last | Keep::Pairs => 1.0,
            Keep::Judged => best(&candidates, self.rule.purpose).map_or(0.0, |candidate| candidate.share),
        };
        if share < 1.0 {
            let kept = mixed(start.as_ref(), trainer.encoder(), share)?;
            trainer.encoder_mut().set_values(&kept.values()?)?;
        }
        Ok(Some(Chosen { rule: self.rule, sentences: judge.sentences().len(), share, candidates }))
    }

    /// Rejects a run whose weights before and after training cannot be compared, or in which nothing can choose.
    pub(super) fn check(&self, inputs: &RunInputs<'_>) -> Result<()> {
        let invalid = |reason: String| Err(Error::Recipe { name: inputs.recipe.name.clone(), reason });
        if let Some(part) = inputs.recipe.unjudged() {
            let remedy = if inputs.recipe.steps == 0 { "; pass --steps 1 or more" } else { "" };
            return invalid(format!(
                "the judge compares weights before and after training, but the recipe {part}{remedy}"
            ));
        }
        if self.rule.keep == Keep::Judged && self.judge.is_none() {
            return invalid("the judge is to choose the weights, but has no sentences".into());
        }
        if self.rule.keep == Keep::Pairs && inputs.recipe.select == Select::Last {
            return invalid(
                "it keeps the weights of the last step, but the best on pairs were asked for".into(),
            );
        }
        Ok(())
    }
}

/// The weights `(1 - share) start + share trained`; exactly the start's for a share of 0.
fn mixed(start: &dyn Encoder, trained: &dyn Encoder, share: f64) -> Result<Box<dyn Encoder>> {
    let mut mixed = start.duplicate()?;
    if share > 0.0 {
        mixed.follow(trained, 1.0 - share)?;
    }
    Ok(mixed)
}

/// The candidate to keep, if one is better than the start: of those whose gain is within one standard error of the
/// largest, the one nearest to the start (the one-standard-error rule of Breiman et al. 1984). What the judge cannot see
/// suffers least there.
fn best(candidates: &[Candidate], purpose: Option<Purpose>) -> Option<&Candidate> {
    let worth = |candidate: &Candidate| candidate.change.worth(purpose);
    let best = candidates.iter().filter_map(worth).max_by(|a, b| a.gain.total_cmp(&b.gain))?;
    let enough = |candidate: &&Candidate| worth(candidate).is_some_and(|w| w.gain >= best.gain - best.error);
    candidates.iter().filter(enough).min_by(|a, b| a.share.total_cmp(&b.share))
}

#[cfg(test)]
mod tests {
    use micse_data::{Corpus, SplitSize};
    use micse_eval::judge::Difference;

    use super::*;

    /// A candidate whose search by noisy copies changed by this, with a standard error of 0.01.
    fn candidate(share: f64, noise: f64) -> Candidate {
        let (low, high) = (noise - 0.0196, noise + 0.0196);
        let change = Change {
            halves: None,
            noise: Some(Difference { before: 0.5, after: 0.5 + noise, low, high }),
            order: None,
            uniformity: [-2.0; 2],
            alignment: [0.1; 2],
            kept_neighbours: 0.9,
            kept_order: 0.95,
            cosine_change: 0.1,
        };
        Candidate { share, change }
    }

    #[test]
    fn of_equally_good_candidates_the_nearest_to_the_start_is_kept() {
        let kept = |noise: [f64; 4]| {
            let candidates: Vec<Candidate> =
                SHARES.into_iter().zip(noise).map(|(s, n)| candidate(s, n)).collect();
            best(&candidates, None).map(|candidate| candidate.share)
        };
        assert_eq!(kept([0.05, 0.07, 0.09, 0.11]), Some(1.0));
        assert_eq!(kept([0.05, 0.07, 0.105, 0.11]), Some(0.75));
        assert_eq!(kept([0.05, 0.055, 0.053, 0.03]), Some(0.25));
        // Within one standard error of the best, but not better than the start.
        assert_eq!(kept([0.0295, 0.039, 0.01, -0.01]), Some(0.5));
        assert_eq!(kept([0.01, 0.02, 0.029, -0.05]), None);
    }

    #[test]
    fn a_tenth_is_held_out_within_bounds() {
        for (all, held) in [(60, 20), (600, 200), (1000, 200), (5000, 500), (30_000, 2000)] {
            let corpus = Corpus::from_sentences("numbers", (0..all).map(|i| format!("sentence {i}")));
            let mut text = TrainText::split(corpus, SplitSize::Fraction(1.0), 48).expect("a split");
            let before = text.indices.clone();
            let sentences = text.hold_out();
            assert_eq!(
                (sentences.len(), text.described.held_out, text.indices.len()),
                (held, held, all - held)
            );
            assert_eq!(text.described.sentences, all - held);
            assert_eq!(text.indices, before[..all - held]);
            assert_eq!(sentences[0], format!("sentence {}", before[all - held]));
        }
    }

    #[test]
    fn copies_of_a_held_out_sentence_are_not_trained_on() {
        // 100 sentences, of which the first 40 appear three times.
        let texts = (0..180).map(|i| format!("sentence {}", if i < 100 { i } else { (i - 100) % 40 }));
        let corpus = Corpus::from_sentences("numbers", texts);
        let mut text = TrainText::split(corpus, SplitSize::Fraction(1.0), 48).expect("a split");
        assert_eq!(text.distinct(), 100);
        let held: HashSet<String> = text.hold_out().into_iter().collect();
        assert_eq!((held.len(), text.described.held_out), (33, 33));
        let trained: Vec<&str> = text.texts().collect();
        assert!(trained.iter().all(|text| !held.contains(*text)));
        assert_eq!((text.distinct(), trained.len()), (67, text.described.sentences));
        // The copies of the other sentences stay.
        assert!(trained.len() > 67);
    }
}

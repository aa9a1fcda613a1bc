//! Evaluation sentences that also occur in a training corpus.
//!
//! If a model saw the sentences of a test set in training, even without their scores, its result on that set is
//! not zero-shot. [`Overlap::find`] counts them, so that a table's column *train text* can be trusted.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::corpus::Corpus;
use crate::sts::{Suite, Task};

/// The sentences shared by a training corpus and an evaluation suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// Number of training sentences searched.
    pub sentences: usize,
    /// One row per subset, in the suite's order. The development sets come last, as the tasks `dev` and
    /// `SICK dev`.
    pub subsets: Vec<SharedSubset>,
    /// The shared sentences, each once, in the order of the evaluation.
    pub shared: Vec<Shared>,
}

/// A subset of a task, and its overlap with the training corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSubset {
    /// The task.
    pub task: String,
    /// The subset.
    pub subset: String,
    /// Number of distinct sentences.
    pub sentences: usize,
    /// Number of those that occur in the training corpus.
    pub shared: usize,
    /// Number of pairs.
    pub pairs: usize,
    /// Number of pairs with both sentences in the training corpus.
    pub shared_pairs: usize,
}

/// An evaluation sentence that occurs in the training corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The task where it occurs first.
    pub task: String,
    /// The sentence as written in the evaluation set.
    pub evaluation: String,
    /// Index of the first matching training sentence, from 0.
    pub index: usize,
    /// That training sentence.
    pub training: String,
}

impl Overlap {
    /// Compares all sentences of a suite, including its development sets, with a corpus.
    ///
    /// Sentences match if they have the same [`normal_form`]. The suite's sentences are kept in memory; the corpus
    /// is read once.
    pub fn find(corpus: &Corpus, suite: &Suite) -> Self {
        let tasks: Vec<(&str, &Task)> = suite
            .tasks
            .iter()
            .map(|task| (task.name.as_str(), task))
            .chain(suite.dev.as_ref().map(|dev| ("dev", dev)))
            .chain(suite.sick_dev.as_ref().map(|dev| ("SICK dev", dev)))
            .collect();
        let sides =
            tasks.iter().flat_map(|(_, task)| task.pairs()).flat_map(|pair| [&pair.first, &pair.second]);
        let wanted: HashSet<String> = sides.map(|sentence| normal_form(sentence)).collect();
        let mut found: HashMap<String, usize> = HashMap::new();
        for (index, sentence) in corpus.iter().enumerate() {
            let form = normal_form(sentence);
            if wanted.contains(&form) {
                found.entry(form).or_insert(index);
            }
        }
        let (mut subsets, mut shared, mut told) = (Vec::new(), Vec::new(), HashSet::new());
        for (name, task) in tasks {
            for subset in &task.subsets {
                let mut row = SharedSubset {
                    task: name.to_owned(),
                    subset: subset.name.clone(),
                    sentences: 0,
                    shared: 0,
                    pairs: subset.pairs.len(),
                    shared_pairs: 0,
                };
                let mut seen = HashSet::new();
                for pair in &subset.pairs {
                    let mut both = true;
                    for sentence in [&pair.first, &pair.second] {
                        let form = normal_form(sentence);
                        let place = found.get(&form).copied();
                        both &= place.is_some();
                        if !seen.insert(form.clone()) {
                            continue;
                        }
                        row.sentences += 1;
                        let Some(index) = place else { continue };
                        row.shared += 1;
                        if told.insert(form) {
                            shared.push(Shared {
                                task: name.to_owned(),
                                evaluation: sentence.clone(),
                                index,
                                training: corpus.get(index).to_owned(),
                            });
                        }
                    }
                    row.shared_pairs += usize::from(both);
                }
                subsets.push(row);
            }
        }
        Self { sentences: corpus.len(), subsets, shared }
    }
}

/// Removes typographic differences: keeps letters and digits in lower case, in Unicode's composed form, and separates
/// words by one space, also where a word has an apostrophe. `"The cat's  here."` and `"the cat s here"` have the same form.
///
/// A sentence without letters or digits is its own form.
pub fn normal_form(sentence: &str) -> String {
    let mut form = String::with_capacity(sentence.len());
    for c in sentence.nfc() {
        if c.is_alphanumeric() {
            form.extend(c.to_lowercase());
        } else if !form.is_empty() && !form.ends_with(' ') {
            form.push(' ');
        }
    }
    form.truncate(form.trim_end().len());
    if form.is_empty() { sentence.trim().to_owned() } else { form }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sts::{Pair, Subset};

    fn task(name: &str, pairs: &[(&str, &str)]) -> Task {
        let pair =
            |&(first, second): &(&str, &str)| Pair { first: first.into(), second: second.into(), score: 1.0 };
        let subset = Subset { name: format!("{name}-part"), pairs: pairs.iter().map(pair).collect() };
        Task { name: name.into(), subsets: vec![subset] }
    }

    #[test]
    fn case_and_punctuation_do_not_hide_a_sentence() {
        assert_eq!(normal_form("  The cat's  HERE. "), "the cat s here");
        assert_eq!(normal_form("Ärger, 12 %"), "ärger 12");
        assert_eq!(normal_form("Cafe\u{301} au lait"), "caf\u{e9} au lait");
        assert_eq!(normal_form(" ... "), "...");
    }

    #[test]
    fn shared_sentences_and_pairs_are_counted_once() {
        let corpus =
            Corpus::from_sentences("text", ["A dog runs.", "a DOG runs", "Snow falls", "Rain", "..."]);
        let suite = Suite {
            name: "made up".into(),
            tasks: vec![task(
                "One",
                &[("A dog runs", "Snow falls!"), ("A dog runs", "Cats sleep"), ("!", "?")],
            )],
            dev: Some(task("Two", &[("Snow falls", "Nothing")])),
            sick_dev: None,
        };
        let overlap = Overlap::find(&corpus, &suite);
        assert_eq!(overlap.sentences, 5);
        let rows: Vec<_> = overlap
            .subsets
            .iter()
            .map(|s| (s.task.as_str(), s.sentences, s.shared, s.pairs, s.shared_pairs))
            .collect();
        assert_eq!(rows, [("One", 5, 2, 3, 1), ("dev", 2, 1, 1, 0)]);
        let shared: Vec<_> = overlap.shared.iter().map(|s| (s.evaluation.as_str(), s.index)).collect();
        assert_eq!(shared, [("A dog runs", 0), ("Snow falls!", 2)], "each once, with its first place");
    }
}

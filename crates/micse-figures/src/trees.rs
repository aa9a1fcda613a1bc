//! Fig. 4: negative pairs with equal and with unequal dependency trees.

use std::collections::{BTreeMap, HashSet};

use micse_data::{Parsed, TreeEquality};
use micse_random::{Draws, Stream};

use crate::groups::grouped;
use crate::similarity::{left_out, long_enough};
use crate::{Error, Grouped, Grouping, Result, Subject};

/// Sentences with fewer words, punctuation included, are not used: hardly any other tree is possible.
pub const MIN_WORDS: usize = 4;

/// The lengths of pairs with unequal trees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lengths {
    /// Both sentences have the same number of words, with the same numbers of pairs per length as among equal trees.
    /// Length then explains no difference between the groups.
    #[default]
    Matched,
    /// Any two sentences.
    Any,
}

/// How the pairs are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreePairs {
    /// Which trees are equal.
    pub equality: TreeEquality,
    /// The lengths of pairs with unequal trees.
    pub lengths: Lengths,
    /// At most this many pairs per group.
    pub count: usize,
    /// The seed of the choice, of dropout and of resamples.
    pub seed: u64,
}

/// Compares pairs of sentences of a treebank with equal trees with as many pairs with unequal trees. A sentence is in at
/// most one pair of each group, so that the pairs of a group are independent. Sentences that differ only in case count
/// once, and those with too few tokens for a comparison of attention are left out.
///
/// # Errors
/// Fewer than two pairs of either kind; a model cannot encode the sentences; two models of one name.
pub fn tree_pairs(subjects: [Subject<'_>; 2], treebank: &[Parsed], how: TreePairs) -> Result<Grouped> {
    let texts: Vec<&str> = treebank.iter().map(|parsed| parsed.text.as_str()).collect();
    let long = long_enough(subjects, &texts)?;
    let of_length = |is_long: bool| treebank.iter().zip(&long).filter(move |(_, long)| **long == is_long);
    let chosen = Chosen::of(of_length(true).map(|(parsed, _)| parsed), how)?;
    // Sentences of fewer words would not be used anyway.
    let short = of_length(false).filter(|(parsed, _)| parsed.words.len() >= MIN_WORDS);
    let note = format!("{}{}", chosen.note(how), left_out(short.count()));
    grouped(subjects, &chosen.sentences, [&chosen.equal, &chosen.unequal], Grouping::Trees, note, how.seed)
}

/// The pairs of both groups.
struct Chosen {
    sentences: Vec<String>,
    equal: Vec<(usize, usize)>,
    unequal: Vec<(usize, usize)>,
    /// Pairs with equal trees before the choice of `count`.
    found: usize,
}

impl Chosen {
    fn of<'a>(treebank: impl IntoIterator<Item = &'a Parsed>, how: TreePairs) -> Result<Self> {
        let mut seen = HashSet::new();
        let used: Vec<&Parsed> = treebank
            .into_iter()
            .filter(|parsed| parsed.words.len() >= MIN_WORDS && seen.insert(parsed.text.to_lowercase()))
            .collect();
        let trees: Vec<String> = used.iter().map(|parsed| parsed.tree(how.equality)).collect();
        let mut draws = Stream::new(how.seed).with(5).draws();
        let mut equal = equal_pairs(&trees, &mut draws);
        let found = equal.len();
        equal = draws.distinct(found, how.count).into_iter().map(|i| equal[i as usize]).collect();

        let mut unequal = Vec::new();
        match how.lengths {
            Lengths::Any => {
                unequal =
                    unequal_pairs(&(0..used.len()).collect::<Vec<_>>(), &trees, equal.len(), &mut draws);
            }
            Lengths::Matched => {
                let mut wanted: BTreeMap<usize, usize> = BTreeMap::new();
                for &(first, _) in &equal {
                    *wanted.entry(used[first].words.len()).or_default() += 1;
                }
                for (words, count) in wanted {
                    let pool: Vec<usize> =
                        (0..used.len()).filter(|&i| used[i].words.len() == words).collect();
                    unequal.extend(unequal_pairs(&pool, &trees, count, &mut draws));
                }
            }
        }
        for (pairs, kind, remedy) in [
            (&equal, "equal", "use a larger treebank, or --trees shape, which ignores relations"),
            (&unequal, "unequal", "use a larger treebank, or --lengths any"),
        ] {
            if pairs.len() < 2 {
                return Err(Error::TooFew {
                    what: format!("pairs with {kind} trees"),
                    found: format!(
                        "{} among {} different sentences of at least {MIN_WORDS} words",
                        pairs.len(),
                        used.len()
                    ),
                    remedy: remedy.into(),
                });
            }
        }
        let sentences = used.iter().map(|parsed| parsed.text.clone()).collect();
        Ok(Self { sentences, equal, unequal, found })
    }

    fn note(&self, how: TreePairs) -> String {
        let what = match how.equality {
            TreeEquality::Labelled => "heads and relations",
            TreeEquality::Shape => "heads",
        };
        let lengths = match how.lengths {
            Lengths::Matched => "of equal lengths, distributed as in the first group",
            Lengths::Any => "of any lengths",
        };
        format!(
            "{} pairs with equal trees ({what}) of {} in {} sentences, and {} pairs with unequal trees, {lengths}.",
            self.equal.len(),
            self.found,
            self.sentences.len(),
            self.unequal.len()
        )
    }
}

fn shuffled(pool: &[usize], draws: &mut Draws) -> Vec<usize> {
    draws.distinct(pool.len(), pool.len()).into_iter().map(|i| pool[i as usize]).collect()
}

/// Pairs of sentences with equal trees, each sentence at most once.
fn equal_pairs(trees: &[String], draws: &mut Draws) -> Vec<(usize, usize)> {
    let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, tree) in trees.iter().enumerate() {
        classes.entry(tree).or_default().push(i);
    }
    let mut pairs = Vec::new();
    for members in classes.values() {
        pairs.extend(shuffled(members, draws).chunks_exact(2).map(|pair| (pair[0], pair[1])));
    }
    pairs
}

/// Up to `count` pairs of `pool` with unequal trees, each sentence at most once.
fn unequal_pairs(pool: &[usize], trees: &[String], count: usize, draws: &mut Draws) -> Vec<(usize, usize)> {
    let mut left = shuffled(pool, draws);
    let mut pairs = Vec::new();
    while pairs.len() < count {
        let Some(first) = left.pop() else { break };
        // A sentence whose tree all others share stays alone.
        let Some(place) = left.iter().rposition(|&second| trees[second] != trees[first]) else { continue };
        pairs.push((first, left.remove(place)));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use micse_data::Word;

    use super::*;

    /// A sentence with these heads, all with relation `dep`.
    fn parsed(text: &str, heads: &[u32]) -> Parsed {
        let word = |&head: &u32| Word { form: "w".into(), head, relation: "dep".into() };
        Parsed { text: text.into(), words: heads.iter().map(word).collect() }
    }

    fn how(lengths: Lengths, count: usize) -> TreePairs {
        TreePairs { equality: TreeEquality::Labelled, lengths, count, seed: 1 }
    }

    /// Four sentences with one tree and four with another, all of five words; three longer ones of a third tree; a
    /// sentence that occurs twice, and a short one.
    fn treebank() -> Vec<Parsed> {
        let mut all = Vec::new();
        for i in 0..4 {
            all.push(parsed(&format!("a{i}"), &[0, 1, 1, 1, 1]));
            all.push(parsed(&format!("b{i}"), &[0, 1, 2, 3, 4]));
        }
        all.push(parsed("A0", &[0, 1, 1, 1, 1]));
        all.push(parsed("short", &[0, 1, 1]));
        all.extend((0..3).map(|i| parsed(&format!("c{i}"), &[0, 1, 1, 1, 1, 1])));
        all
    }

    #[test]
    fn pairs_are_of_their_kind_and_use_a_sentence_once() {
        let treebank = treebank();
        for lengths in [Lengths::Matched, Lengths::Any] {
            let chosen = Chosen::of(&treebank, how(lengths, 100)).expect("pairs");
            assert_eq!(chosen.sentences.len(), 11, "neither the repeat nor the short sentence");
            assert_eq!((chosen.equal.len(), chosen.found), (5, 5), "2 + 2 + 1 of 4, 4 and 3 sentences");
            let tree = |i: usize| chosen.sentences[i].chars().next();
            assert!(chosen.equal.iter().all(|&(a, b)| a != b && tree(a) == tree(b)));
            assert!(chosen.unequal.iter().all(|&(a, b)| tree(a) != tree(b)));
            for pairs in [&chosen.equal, &chosen.unequal] {
                let members: HashSet<usize> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
                assert_eq!(members.len(), 2 * pairs.len(), "a sentence in two pairs of a group");
            }
            match lengths {
                // The six-word sentences have no partner of their length with another tree.
                Lengths::Matched => {
                    assert_eq!(chosen.unequal.len(), 4);
                    assert!(
                        chosen.unequal.iter().all(|&(a, b)| tree(a) != Some('c') && tree(b) != Some('c'))
                    );
                }
                Lengths::Any => assert_eq!(chosen.unequal.len(), 5),
            }
        }
        let few = Chosen::of(&treebank, how(Lengths::Matched, 3)).expect("pairs");
        assert_eq!((few.equal.len(), few.found), (3, 5));
        let note = few.note(how(Lengths::Matched, 3));
        assert!(
            note.contains("3 pairs with equal trees (heads and relations) of 5 in 11 sentences"),
            "{note}"
        );
    }

    #[test]
    fn too_few_pairs_are_told() {
        let all_one_tree: Vec<Parsed> = (0..6).map(|i| parsed(&format!("a{i}"), &[0, 1, 1, 1])).collect();
        let error = Chosen::of(&all_one_tree, how(Lengths::Any, 10)).err().expect("no unequal trees");
        assert!(error.to_string().contains("pairs with unequal trees: 0 among 6"), "{error}");
        let error = Chosen::of(&all_one_tree[..1], how(Lengths::Any, 10)).err().expect("one sentence");
        assert!(error.to_string().contains("--trees shape"), "{error}");
    }
}

//! Fig. 1: positive and negative pairs of random sentences.

use std::collections::HashSet;

use micse_data::Corpus;
use micse_random::Stream;

use crate::groups::grouped;
use crate::similarity::{SHORTEST, left_out, long_enough};
use crate::{Error, Grouped, Grouping, Result, Subject};

/// Draws 2 x `count` different sentences of a corpus, all with enough tokens for a comparison of attention. The first
/// half are positive pairs (each sentence with itself); each sentence of the first half with one of the second half is a
/// negative pair. So every sentence is in one negative pair, and the pairs of a group are independent.
///
/// With fewer such sentences, `count` is half their number.
///
/// # Errors
/// Fewer than four such sentences; a model cannot encode them; two models of one name.
pub fn random_pairs(subjects: [Subject<'_>; 2], corpus: &Corpus, count: usize, seed: u64) -> Result<Grouped> {
    let mut draws = Stream::new(seed).with(4).draws();
    let mut seen = HashSet::new();
    let (mut sentences, mut short) = (Vec::new(), 0);
    for index in draws.distinct(corpus.len(), corpus.len()) {
        if sentences.len() == 2 * count {
            break;
        }
        let sentence = corpus.get(index as usize);
        if seen.insert(sentence.to_lowercase()) {
            if long_enough(subjects, &[sentence])?[0] {
                sentences.push(sentence.to_owned());
            } else {
                short += 1;
            }
        }
    }
    let drawn = sentences.len() / 2;
    if drawn < 2 {
        return Err(Error::TooFew {
            what: "positive and negative pairs".into(),
            found: format!(
                "the corpus has {} different sentences of at least {SHORTEST} tokens",
                sentences.len()
            ),
            remedy: "use a corpus of at least four, and --pairs of at least 2".into(),
        });
    }
    let positives: Vec<(usize, usize)> = (0..drawn).map(|i| (i, i)).collect();
    let negatives: Vec<(usize, usize)> = (0..drawn).map(|i| (i, drawn + i)).collect();
    let note =
        format!("{drawn} random sentences, and {drawn} pairs of two random sentences.{}", left_out(short));
    grouped(subjects, &sentences, [&positives, &negatives], Grouping::Positives, note, seed)
}

//! The demo STS set: pairs of sentences graded by how the meaning of the first was altered.
//!
//! A pair begins with a frame (see [`super::meaning`]). The second sentence realises the same frame or an altered
//! one ([`alter`]). The score depends only on the alteration; the table is in [`super`].
mod alter;
mod pairs;

use micse_random::{Stream, permutation};

use super::vocabulary::Lexicon;
use pairs::{Graded, Writer};

/// Number of pairs in the dev file and in the test file.
pub const STS_PAIRS: [usize; 2] = [400, 800];

/// Separate from the corpus, so that the two do not repeat each other's draws.
const SEED: u64 = 0x7374_735F_6465_6D6F;

/// The pairs of both files, without repeated sentences.
pub(super) fn pairs() -> [Vec<Graded>; 2] {
    let total: usize = STS_PAIRS.iter().sum();
    let mut draws = Stream::new(SEED).draws();
    let mut writer = Writer::new(Lexicon::get(), &mut draws);
    // Every score equally often, in shuffled order.
    let order = permutation(total, SEED);
    let mut all: Vec<Graded> =
        order.iter().map(|&i| writer.pair(pairs::LEVELS[i as usize % pairs::LEVELS.len()])).collect();
    let test = all.split_off(STS_PAIRS[0]);
    [all, test]
}

/// A file with the columns of `sts-dev.csv`: group, alteration, `demo`, ID, score, sentence, sentence.
pub(super) fn file(pairs: &[Graded]) -> String {
    let row = |(id, pair): (usize, &Graded)| {
        let Graded { group, level, first, second } = pair;
        format!("{group}\t{}\tdemo\t{id:04}\t{:.3}\t{first}\t{second}", level.name(), level.score())
    };
    let rows: Vec<_> = pairs.iter().enumerate().map(row).collect();
    rows.join("\n") + "\n"
}

/// `count` pairs for a task of paraphrases, half of each class: 1 for pairs with a score of at least 4.5, 0 for pairs with
/// a score from 1.5 to 3.
pub(super) fn labelled_pairs(seed: u64, count: usize) -> Vec<(u8, String, String)> {
    let levels = |class: u8| {
        let is_of = move |score: f64| if class == 1 { score >= 4.5 } else { (1.5..=3.0).contains(&score) };
        pairs::LEVELS.into_iter().filter(|level| is_of(level.score())).collect::<Vec<_>>()
    };
    let levels = [levels(0), levels(1)];
    let mut draws = Stream::new(seed).draws();
    let mut writer = Writer::new(Lexicon::get(), &mut draws);
    let order = permutation(count, seed);
    let pair = |i: u32| {
        let (class, of) = (i % 2, &levels[i as usize % 2]);
        let Graded { first, second, .. } = writer.pair(of[i as usize / 2 % of.len()]);
        (class as u8, first, second)
    };
    order.into_iter().map(pair).collect()
}

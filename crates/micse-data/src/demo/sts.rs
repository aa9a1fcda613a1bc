//! The demo STS: pairs of sentences graded by what was done to the meaning of the first.
//!
//! A pair begins with a frame (see [`super::meaning`]). The second sentence puts the same frame, or an altered one
//! ([`alter`]), into words, and the score follows from the alteration alone: the table is in [`super`].
mod alter;
mod pairs;

use micse_random::{Stream, permutation};

use super::vocabulary::Lexicon;
use pairs::{Graded, Writer};

/// Pairs in the dev file and in the test file.
pub const STS_PAIRS: [usize; 2] = [400, 800];

/// Apart from the corpus, so that the two do not repeat each other's draws.
const SEED: u64 = 0x7374_735F_6465_6D6F;

/// The pairs of both files; no sentence comes twice.
pub(super) fn pairs() -> [Vec<Graded>; 2] {
    let total: usize = STS_PAIRS.iter().sum();
    let mut draws = Stream::new(SEED).draws();
    let mut writer = Writer::new(Lexicon::get(), &mut draws);
    // Every score equally often, in mixed order.
    let order = permutation(total, SEED);
    let mut all: Vec<Graded> =
        order.iter().map(|&i| writer.pair(pairs::LEVELS[i as usize % pairs::LEVELS.len()])).collect();
    let test = all.split_off(STS_PAIRS[0]);
    [all, test]
}

/// A file in the columns of `sts-dev.csv`: group, alteration, `demo`, id, score, sentence, sentence.
pub(super) fn file(pairs: &[Graded]) -> String {
    let row = |(id, pair): (usize, &Graded)| {
        let Graded { group, level, first, second } = pair;
        format!("{group}\t{}\tdemo\t{id:04}\t{:.3}\t{first}\t{second}", level.name(), level.score())
    };
    let rows: Vec<_> = pairs.iter().enumerate().map(row).collect();
    rows.join("\n") + "\n"
}

//! The demo data: a corpus and graded pairs from a seeded grammar.
//!
//! The grammar first draws a *meaning*: a typed frame with an event of a domain, and who, what, when, where, how
//! and why. It then puts the frame into words, choosing among synonyms, voices, orders and constructions. Its
//! nineteen domains have about 5,500 word forms. The sentences are plausible (cooks peel onions, judges do not),
//! and the similarity in meaning of two sentences is known from their construction. It determines the scores of
//! the demo's STS pairs:
//!
//! | score | alteration | the second sentence |
//! | --- | --- | --- |
//!
//! Counting shared words does not solve the task: pairs with high scores often differ in most content words and in
//! construction, while pairs with low scores copy the first sentence's construction, determiners and numbers, and
//! often its time and manner.
//!
//! All output is identical on every machine. Tests pin the corpus by its SHA-256 and compare the shipped STS files
//! with [`sts_files`].
mod meaning;
mod morphology;
mod realise;
mod sts;
mod templates;
mod transfer;
mod treebank;
mod vocabulary;
mod wording;

use std::collections::HashSet;

use micse_random::Stream;

use crate::sts::DEMO_FILES;
pub use sts::STS_PAIRS;
pub use transfer::{PARAPHRASES, POLARITY_SENTENCES, QUESTIONS, transfer_files};
pub use treebank::{TREEBANK_SENTENCES, treebank_file};
use vocabulary::Lexicon;

/// Number of sentences in the demo corpus.
pub const CORPUS_SENTENCES: usize = 100_000;

/// Words per sentence, in the corpus and in the pairs.
const WORDS: std::ops::RangeInclusive<usize> = 5..=22;

/// Seed of the corpus.
const CORPUS_SEED: u64 = 0x636F_7270_7573_0001;

/// The demo corpus: [`CORPUS_SENTENCES`] distinct English sentences of 5 to 22 words, in a fixed order. None of
/// them occurs in the demo STS pairs.
pub fn corpus() -> Vec<String> {
    let lexicon = Lexicon::get();
    let mut draws = Stream::new(CORPUS_SEED).draws();
    let mut seen: HashSet<String> =
        sts::pairs().into_iter().flatten().flat_map(|pair| [pair.first, pair.second]).collect();
    let mut sentences = Vec::with_capacity(CORPUS_SENTENCES);
    while sentences.len() < CORPUS_SENTENCES {
        let sentence = templates::write(lexicon, &mut draws);
        if reads_well(&sentence) && seen.insert(sentence.clone()) {
            sentences.push(sentence);
        }
    }
    sentences
}

/// Whether a sentence has a suitable length and no repeated adjacent word ("switched on on Monday").
fn reads_well(sentence: &str) -> bool {
    let words: Vec<_> = sentence.split(' ').collect();
    WORDS.contains(&words.len()) && words.windows(2).all(|pair| pair[0] != pair[1])
}

/// The demo STS files, dev then test, as (name, contents). They have seven tab-separated columns as in
/// `sts-dev.csv`: group of domains, alteration, `demo`, ID, score, first sentence, second sentence.
///
/// To write the shipped files, run `cargo run --release -p micse-data --example write_demo_sts -- data/sts-demo`.
pub fn sts_files() -> [(&'static str, String); 2] {
    let [dev, test] = sts::pairs();
    [(DEMO_FILES[0], sts::file(&dev)), (DEMO_FILES[1], sts::file(&test))]
}

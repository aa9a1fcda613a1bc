//! The demo data: a corpus and graded pairs from a seeded grammar of ours.
//!
//! The grammar draws a *meaning* first (a typed frame: which event of which domain, who, what, when, where, how, why)
//! and puts it into words second, with a choice among synonyms, voices, orders and constructions. Nineteen domains
//! of life give it some 5,500 word forms. So the sentences are sensible in small ways (cooks peel onions, judges
//! do not), and how close two of them are in meaning is known from how they were made, which is what the demo's
//! STS pairs are graded by:
//!
//! | score | alteration | the second sentence |
//! | --- | --- | --- |
//! | 5 | `paraphrase` | says the same in other words: synonyms, another voice, another order |
//! | 4.5 | `adjective` | leaves an adjective out, or adds one |
//! | 4 | `detail` | leaves out or changes one of time, place, manner, reason, number |
//! | 3.5 | `details` | does so with two of them |
//! | 3 | `participant` | names another agent or another object |
//! | 2.5 | `participant+detail` | does so and changes a detail |
//! | 2 | `event` | tells another event of the same agent and object |
//! | 1.5 | `event+participant` | keeps only one participant, and not the event |
//! | 1 | `domain` | shares the domain and nothing else |
//! | 0.5 | `group` | is of a neighbouring domain |
//! | 0 | `unrelated` | is of a domain of another group |
//!
//! Counting shared words does not solve them: pairs with high scores often differ in most content words and in
//! construction, while pairs with low scores copy the first sentence's construction, determiners and numbers, and
//! often its time and manner.
//!
//! Everything is the same on every machine; tests pin the corpus by its SHA-256 and hold the shipped STS files to
//! [`sts_files`].
mod meaning;
mod morphology;
mod realise;
mod sts;
mod templates;
mod vocabulary;
mod wording;

use std::collections::HashSet;

use micse_random::Stream;

use crate::sts::DEMO_FILES;
pub use sts::STS_PAIRS;
use vocabulary::Lexicon;

/// Sentences in the demo corpus.
pub const CORPUS_SENTENCES: usize = 100_000;

/// Words in a sentence, of the corpus and of the pairs.
const WORDS: std::ops::RangeInclusive<usize> = 5..=22;

/// The seed of the corpus.
const CORPUS_SEED: u64 = 0x636F_7270_7573_0001;

/// The demo corpus: [`CORPUS_SENTENCES`] distinct English sentences of 5 to 22 words, in a fixed order. None of them
/// is a sentence of the demo STS.
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

/// Whether a sentence has a fitting length and no word twice in a row ("switched on on Monday").
fn reads_well(sentence: &str) -> bool {
    let words: Vec<_> = sentence.split(' ').collect();
    WORDS.contains(&words.len()) && words.windows(2).all(|pair| pair[0] != pair[1])
}

/// The demo STS files, dev then test, as (name, contents): seven tab-separated columns as in `sts-dev.csv`: group of
/// domains, alteration, `demo`, id, score, first sentence, second sentence.
///
/// The shipped files are made by `cargo run --release -p micse-data --example write_demo_sts -- data/sts-demo`.
pub fn sts_files() -> [(&'static str, String); 2] {
    let [dev, test] = sts::pairs();
    [(DEMO_FILES[0], sts::file(&dev)), (DEMO_FILES[1], sts::file(&test))]
}

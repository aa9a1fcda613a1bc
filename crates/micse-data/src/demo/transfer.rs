//! The demo transfer tasks: opinions, questions and paraphrases from seeded grammars, in the formats of SentEval's tasks.
//!
//! * **DemoPolarity** (format of CR): remarks on a stay, a meal, a device and so on, approving or not. A class cannot be
//!   read off single words alone: remarks concede the opposite ("Although the soup was cold, ...") or deny it.
//! * **DemoQuestions** (format of TREC): questions by the type of their answer. The test part asks with the same
//!   patterns about other things.
//! * **DemoParaphrase** (format of MRPC): pairs of the demo STS grammar. Paraphrases have its scores 4.5 and 5, other pairs
//!   the scores 1.5 to 3: the second sentence changes a participant or the event.
mod areas;
mod polarity;
mod questions;

use micse_random::{Draws, Stream, permutation};

use super::sts::labelled_pairs;

/// Sentences in each of the two files of DemoPolarity.
pub const POLARITY_SENTENCES: usize = 250;

/// Questions in the train file and the test file of DemoQuestions, a sixth of each type.
pub const QUESTIONS: [usize; 2] = [288, 120];

/// Pairs in the train file and the test file of DemoParaphrase.
pub const PARAPHRASES: [usize; 2] = [300, 150];

const SEED: u64 = 0x7472_616E_7366_6572;

/// The demo transfer files, as (name, contents).
///
/// To write the shipped files, run
/// `cargo run --release -p micse-data --example write_demo_transfer -- data/transfer-demo`.
pub fn transfer_files() -> Vec<(&'static str, String)> {
    let [positive, negative] = polarity::sentences(draws(0), POLARITY_SENTENCES);
    let [train, test] = questions::questions(draws(1), QUESTIONS);
    let mut files = vec![
        ("demo-polarity.pos", lines(positive)),
        ("demo-polarity.neg", lines(negative)),
        ("demo-questions-train.label", lines(train)),
        ("demo-questions-test.label", lines(test)),
    ];
    let mut pairs = labelled_pairs(SEED, PARAPHRASES.iter().sum());
    let test = pairs.split_off(PARAPHRASES[0]);
    for (name, pairs, first) in
        [("demo-paraphrase-train.txt", pairs, 0), ("demo-paraphrase-test.txt", test, PARAPHRASES[0])]
    {
        let row = |(i, (class, one, two)): (usize, (u8, String, String))| {
            let id = 2 * (first + i);
            format!("{class}\t{}\t{}\t{one}\t{two}", id + 1, id + 2)
        };
        let header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String".to_owned();
        files.push((name, lines([header].into_iter().chain(pairs.into_iter().enumerate().map(row)))));
    }
    files
}

fn draws(of: u64) -> Draws {
    Stream::new(SEED).with(of).draws()
}

fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

/// One of several.
fn one_of<'a, T: ?Sized>(draws: &mut Draws, choices: &[&'a T]) -> &'a T {
    choices[draws.below(choices.len() as u64) as usize]
}

/// The values in a random order.
fn shuffled<T: Clone>(draws: &mut Draws, values: &[T]) -> Vec<T> {
    permutation(values.len(), draws.word()).iter().map(|&i| values[i as usize].clone()).collect()
}

/// A sentence with a capital at its start.
fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

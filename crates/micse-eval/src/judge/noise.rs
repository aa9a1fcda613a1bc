//! Noisy copies of sentences: words dropped, and letters swapped as in typing.

use micse_data::Words;
use micse_random::Stream;

/// The share of words that are dropped.
const DROPPED: f64 = 0.6;
/// The share of the remaining words with two neighbouring letters swapped.
const MISSPELT: f64 = 0.2;

/// A noisy copy of a sentence. At least one word stays.
pub(super) fn noisy(sentence: &str, stream: Stream) -> String {
    let mut draws = stream.draws();
    let kept = Words::of(sentence).kept(|| draws.unit() >= DROPPED);
    kept.text(|word| {
        let mut letters: Vec<char> = word.chars().collect();
        if letters.len() >= 4 && draws.unit() < MISSPELT {
            let at = 1 + draws.below(letters.len() as u64 - 2) as usize;
            letters.swap(at, at + 1);
        }
        letters.into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_dropped_and_misspelt_at_their_rates() {
        let sentence = "alpha bravo charlie delta echo foxtrot golf hotel india juliet";
        let words: Vec<&str> = sentence.split(' ').collect();
        let (mut kept, mut changed, mut long) = (0_u32, 0_u32, 0_u32);
        for number in 0..2000 {
            for word in noisy(sentence, Stream::new(0).with(number)).split(' ') {
                kept += 1;
                long += u32::from(word.len() >= 4);
                let mut sorted: Vec<char> = word.chars().collect();
                sorted.sort_unstable();
                let of = |known: &&&str| {
                    let mut known: Vec<char> = known.chars().collect();
                    known.sort_unstable();
                    known == sorted
                };
                let original = words.iter().find(of).expect("letters of a word stay together");
                assert_eq!(original.chars().next(), word.chars().next(), "the first letter stays");
                changed += u32::from(*original != word);
            }
        }
        assert!((f64::from(kept) / 20_000.0 - 0.4).abs() < 0.02, "{kept}");
        // A swap of two equal letters changes nothing.
        let share = f64::from(changed) / f64::from(long);
        assert!((0.15..=0.21).contains(&share), "{share}");
        assert_eq!(noisy("one", Stream::new(3)), "one");
        assert_eq!(noisy(sentence, Stream::new(5)), noisy(sentence, Stream::new(5)));
    }
}

//! Masking: guarantees for every sentence, and the shares over many.

use micse_data::{MaskVocabulary, Masking};
use micse_random::Stream;
use proptest::prelude::*;

const SPECIAL: u32 = 5;
const CONTINUES: std::ops::Range<u32> = 40..60;

/// 5 special tokens, 35 that begin a word, 20 that continue one.
fn vocabulary() -> MaskVocabulary {
    let mut tokens: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(str::to_owned).to_vec();
    tokens.extend((5..40).map(|i| format!("w{i}")));
    tokens.extend(CONTINUES.map(|i| format!("##c{i}")));
    MaskVocabulary::new(&tokens).unwrap()
}

/// The words of a sentence, as runs of positions.
fn words(ids: &[u32]) -> Vec<Vec<u32>> {
    let mut words: Vec<Vec<u32>> = Vec::new();
    for (position, &id) in ids.iter().enumerate() {
        if id < SPECIAL {
            continue;
        }
        let after = position > 0 && ids[position - 1] >= SPECIAL;
        match words.last_mut() {
            Some(word) if after && CONTINUES.contains(&id) => word.push(position as u32),
            _ => words.push(vec![position as u32]),
        }
    }
    words
}

proptest! {
    #[test]
    fn every_sentence(
        ids in proptest::collection::vec(0_u32..60, 0..40),
        seed: u64,
        rate in 0.0..0.9,
        whole_words: bool,
    ) {
        let vocabulary = vocabulary();
        let masking = Masking { rate, whole_words };
        let masked = masking.apply(&ids, &vocabulary, Stream::new(seed));
        prop_assert_eq!(&masked, &masking.apply(&ids, &vocabulary, Stream::new(seed)));
        prop_assert_eq!(masked.ids.len(), ids.len());
        prop_assert!(masked.positions.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(masked.positions.len(), masked.targets.len());
        // Only the chosen positions change, and the targets are the original tokens.
        for (position, (&before, &after)) in ids.iter().zip(&masked.ids).enumerate() {
            if let Ok(place) = masked.positions.binary_search(&(position as u32)) {
                prop_assert_eq!(masked.targets[place], before);
                prop_assert!(before >= SPECIAL, "a special token was chosen");
                prop_assert!(after == vocabulary.mask() || after >= SPECIAL, "{} was put in place", after);
            } else {
                prop_assert_eq!(before, after);
            }
        }
        let ordinary = ids.iter().filter(|&&id| id >= SPECIAL).count();
        prop_assert_eq!(masked.positions.is_empty(), ordinary == 0);
        let words = words(&ids);
        let longest = if whole_words { words.iter().map(Vec::len).max().unwrap_or(0) } else { 1 };
        prop_assert!(masked.positions.len() as f64 <= (ordinary as f64 * rate + 1.0).max(longest as f64));
        if whole_words {
            for word in words {
                let chosen = word.iter().filter(|p| masked.positions.contains(p)).count();
                prop_assert!(chosen == 0 || chosen == word.len(), "half a word was chosen");
            }
        } else {
            prop_assert!(masked.positions.len() + 1 > (ordinary as f64 * rate) as usize);
        }
    }
}

#[test]
fn shares_are_those_of_the_paper() {
    let vocabulary = vocabulary();
    let masking = Masking { rate: 0.15, whole_words: false };
    // [CLS], 25 ordinary tokens, [SEP].
    let ids: Vec<u32> = [2].into_iter().chain(5..30).chain([3]).collect();
    let (mut chosen, mut masks, mut same) = (0, 0, 0);
    let mut at = [0; 27];
    let sentences = 20_000;
    for sentence in 0..sentences {
        let masked = masking.apply(&ids, &vocabulary, Stream::new(48).with(sentence));
        chosen += masked.positions.len();
        for (&position, &target) in masked.positions.iter().zip(&masked.targets) {
            at[position as usize] += 1;
            masks += usize::from(masked.ids[position as usize] == vocabulary.mask());
            same += usize::from(masked.ids[position as usize] == target);
        }
    }
    let share = |part: usize, whole: f64| part as f64 / whole;
    assert!((share(chosen, 25.0 * sentences as f64) - 0.15).abs() < 1e-3);
    assert!((share(masks, chosen as f64) - 0.8).abs() < 0.01);
    // A random token equals the old one once in 55.
    assert!((share(same, chosen as f64) - (0.1 + 0.1 / 55.0)).abs() < 0.01);
    for (position, &count) in at.iter().enumerate().take(26).skip(1) {
        assert!((share(count, sentences as f64) - 0.15).abs() < 0.015, "position {position}: {count}");
    }
    assert_eq!((at[0], at[26]), (0, 0));
}

#[test]
fn whole_words_keep_the_rate_about() {
    let vocabulary = vocabulary();
    let masking = Masking { rate: 0.15, whole_words: true };
    // Words of 1, 2, 3, 1, 2, 3, ... tokens: 30 tokens in total.
    let ids: Vec<u32> = [2]
        .into_iter()
        .chain((0..5).flat_map(|i| [5 + i, 10 + i, 40 + i, 20 + i, 45 + i, 50 + i]))
        .chain([3])
        .collect();
    let chosen: usize = (0..5000)
        .map(|sentence| masking.apply(&ids, &vocabulary, Stream::new(1).with(sentence)).positions.len())
        .sum();
    let rate = chosen as f64 / (30.0 * 5000.0);
    assert!((0.14..=0.15).contains(&rate), "{rate}");
}

#[test]
fn a_word_longer_than_the_share_is_chosen_if_there_is_no_other() {
    let vocabulary = vocabulary();
    let masking = Masking { rate: 0.15, whole_words: true };
    let masked = masking.apply(&[2, 7, 41, 42, 43, 3], &vocabulary, Stream::new(1));
    assert_eq!(masked.positions, [1, 2, 3, 4]);
}

#[test]
fn a_vocabulary_needs_a_mask_and_an_ordinary_token() {
    assert!(MaskVocabulary::new(&["[CLS]", "word"]).is_none());
    assert!(MaskVocabulary::new(&["[UNK]", "word", "<mask>"]).is_none());
    assert!(MaskVocabulary::new(&["[CLS]", "[MASK]"]).is_none());
    // A lone bracket is text.
    let brackets = MaskVocabulary::new(&["[MASK]", "[", "]"]).unwrap();
    let masked = Masking { rate: 1.0, whole_words: false }.apply(&[1, 2], &brackets, Stream::new(1));
    assert_eq!(masked.positions, [0, 1]);
}

/// RoBERTa's marks: a space mark before a word, none before a continuation.
#[test]
fn words_of_byte_level_vocabularies_are_masked_whole() {
    let tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "\u{120}the", "\u{120}sh", "eep", "<", "A"];
    let vocabulary = MaskVocabulary::new(&tokens).unwrap();
    assert_eq!(vocabulary.mask(), 4);
    let ids = [0, 9, 8, 5, 6, 7, 3, 2];
    let masked = |rate: f64, seed: u64| {
        Masking { rate, whole_words: true }.apply(&ids, &vocabulary, Stream::new(seed))
    };
    assert_eq!(masked(1.0, 1).positions, [1, 2, 3, 4, 5], "special tokens stay");
    let words = [vec![1, 2], vec![3], vec![4, 5]];
    for seed in 0..50 {
        let positions = masked(0.4, seed).positions;
        assert!(words.contains(&positions), "{positions:?}");
    }
    // SentencePiece uses a different space mark.
    let pieces = MaskVocabulary::new(&["<mask>", "\u{2581}a", "b"]).unwrap();
    let masking = Masking { rate: 0.9, whole_words: true };
    assert_eq!(masking.apply(&[1, 2], &pieces, Stream::new(1)).positions, [0, 1]);
}

/// MPNet has BERT's word pieces, and BERT's special tokens as words that occur in no text.
#[test]
fn word_pieces_of_mpnet_are_masked_by_its_own_mask() {
    let tokens = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "[MASK]", "the", "sheep", "##dog", "<mask>"];
    let vocabulary = MaskVocabulary::new(&tokens).unwrap();
    assert_eq!(vocabulary.mask(), 9);
    for seed in 0..50 {
        let masked = Masking { rate: 0.5, whole_words: true }.apply(
            &[0, 6, 7, 8, 4, 2],
            &vocabulary,
            Stream::new(seed),
        );
        assert!([vec![1], vec![2, 3]].contains(&masked.positions), "{masked:?}");
        assert!(masked.ids.iter().all(|id| [0, 2, 4, 6, 7, 8, 9].contains(id)), "{masked:?}");
    }
}

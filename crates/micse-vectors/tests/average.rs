//! Sentence embeddings: which words count, and how they are looked up.

use micse_vectors::Selection::{AllTokens, ContentWords};
use micse_vectors::{Coverage, WordVectors};

fn vectors() -> WordVectors {
    let rows = [
        ("the", [8.0, 0.0]),
        ("cat", [1.0, 0.0]),
        ("dog", [0.0, 1.0]),
        (".", [0.0, 8.0]),
        ("Apple", [5.0, 5.0]),
        ("apple", [1.0, 3.0]),
        ("well-known", [7.0, 7.0]),
        ("15", [2.0, 0.0]),
        ("day", [0.0, 2.0]),
        ("n't", [4.0, 4.0]),
        ("u.s.", [3.0, 1.0]),
    ];
    WordVectors::new(2, rows).expect("vectors")
}

#[test]
fn the_mean_is_over_known_selected_words() {
    let vectors = vectors();
    assert_eq!(vectors.average("The cat sees the dog.", ContentWords), [0.5, 0.5]);
    // the, cat, the, dog, full stop; "sees" is unknown.
    assert_eq!(vectors.average("The cat sees the dog.", AllTokens), [17.0 / 5.0, 9.0 / 5.0]);
    assert_eq!(vectors.average("cat cat dog", ContentWords), [2.0_f32 / 3.0, 1.0 / 3.0]);
}

#[test]
fn without_a_known_word_it_is_zero() {
    let vectors = vectors();
    for sentence in ["", "  ", "unheard of", "the ."] {
        assert_eq!(vectors.average(sentence, ContentWords), [0.0, 0.0], "{sentence}");
    }
    assert_eq!(vectors.average("the .", AllTokens), [4.0, 4.0]);
}

#[test]
fn a_word_is_found_as_it_is_before_its_lower_case() {
    let vectors = vectors();
    assert_eq!(vectors.average("Apple", ContentWords), [5.0, 5.0]);
    assert_eq!(vectors.average("APPLE apple", ContentWords), [1.0, 3.0]);
    assert_eq!(vectors.average("(Apple),", ContentWords), [5.0, 5.0]);
}

#[test]
fn a_piece_is_found_whole_before_its_parts() {
    let vectors = vectors();
    assert_eq!(vectors.average("a Well-Known cat", ContentWords), [4.0, 3.5]);
    assert_eq!(vectors.average("\"well-known\"", ContentWords), [7.0, 7.0]);
    assert_eq!(vectors.average("15-day", ContentWords), [1.0, 1.0]);
    assert_eq!(vectors.average("the dog's U.S. cat...", ContentWords), [4.0_f32 / 3.0, 2.0 / 3.0]);
    assert_eq!(vectors.average("can't", AllTokens), [4.0, 4.0]);
    assert_eq!(vectors.average("can't", ContentWords), [0.0, 0.0]);
}

#[test]
fn coverage_counts_tokens_and_sentences() {
    let sentences = ["The cat sees the dog.", "the of", "unheard 15-day"];
    let coverage = vectors().coverage(sentences, ContentWords);
    // cat, sees, dog; unheard, 15, day.
    assert_eq!(coverage, Coverage { tokens: 6, known: 4, sentences: 3, zero: 1 });
    assert_eq!(coverage.share(), 4.0 / 6.0);
    // and: the, the, full stop; the, of; hyphen.
    let all = vectors().coverage(sentences, AllTokens);
    assert_eq!(all, Coverage { tokens: 12, known: 8, sentences: 3, zero: 0 });
    assert_eq!(Coverage::default().share(), 0.0);
}

//! Augmentations: the distribution of results, by a chi-square test with a fixed seed against the formula.

use std::collections::BTreeMap;
use std::fmt::Debug;

use micse_data::augment::{
    Form, cut_off, delete, mask_span, pair_partners, repeat, repeat_subwords, shuffle, shuffle_positions,
};
use micse_random::Stream;

const DRAWS: u64 = 30_000;
const LIMIT: usize = 1000;

/// Asserts that `draw` returns each result as often as its weight predicts, and no other result.
fn follows<K: Ord + Debug>(weights: impl IntoIterator<Item = (K, f64)>, draw: impl Fn(Stream) -> K) {
    let mut weight: BTreeMap<K, f64> = BTreeMap::new();
    for (key, share) in weights {
        *weight.entry(key).or_default() += share;
    }
    let mut counts: BTreeMap<K, f64> = BTreeMap::new();
    for row in 0..DRAWS {
        *counts.entry(draw(Stream::new(48).with(row))).or_default() += 1.0;
    }
    for key in counts.keys() {
        assert!(weight.contains_key(key), "{key:?} cannot be drawn");
    }
    let total: f64 = weight.values().sum();
    let statistic: f64 = weight
        .iter()
        .map(|(key, share)| {
            let expected = share / total * DRAWS as f64;
            (counts.get(key).unwrap_or(&0.0) - expected).powi(2) / expected
        })
        .sum();
    // Upper 0.1 % point of chi-square, by Wilson and Hilferty's approximation.
    let freedom = (weight.len() - 1) as f64;
    let variance = 2.0 / (9.0 * freedom);
    let bound = freedom * (1.0 - variance + 3.090 * variance.sqrt()).powi(3);
    assert!(statistic < bound, "{statistic:.1} is not below {bound:.1}: {counts:?} for {weight:?}");
}

fn uniform<K: Ord + Debug>(results: impl IntoIterator<Item = K>, draw: impl Fn(Stream) -> K) {
    follows(results.into_iter().map(|result| (result, 1.0)), draw);
}

/// `[CLS]`, tokens 1 to n, `[SEP]`.
fn sentence(n: u32) -> Vec<u32> {
    (0..=n + 1).collect()
}

#[test]
fn repeated_subwords_are_counted_as_paper_and_code_say() {
    // Tokens, rate, and the largest count: Python's int(rate * N) is 9 for 30, 3 for 10 and 0 for 5; with the
    // special tokens 10 for 32, 3 for 12 and 2 for 7.
    let cases = [
        (30, 0.32, Form::Paper, 9),
        (10, 0.32, Form::Paper, 3),
        (5, 0.1, Form::Paper, 2),
        (5, 0.0, Form::Paper, 2),
        (1, 0.32, Form::Paper, 1),
        (30, 0.32, Form::ReleasedCode, 9),
        (60, 0.32, Form::ReleasedCode, 9),
        (10, 0.32, Form::ReleasedCode, 2),
        (5, 0.32, Form::ReleasedCode, 1),
    ];
    for (n, rate, form, most) in cases {
        let ids = sentence(n);
        uniform(0..=most, |stream| repeat_subwords(&ids, rate, LIMIT, form, stream).len() - ids.len());
    }
    // int(0.32 * 3) is 0: nothing is drawn.
    for row in 0..100 {
        let view = repeat_subwords(&sentence(1), 0.32, LIMIT, Form::ReleasedCode, Stream::new(48).with(row));
        assert_eq!(view, sentence(1));
    }
}

#[test]
fn repeated_subwords_are_drawn_evenly_and_without_replacement() {
    let doubled = |stream| {
        let view = repeat_subwords(&sentence(4), 0.5, LIMIT, Form::Paper, stream);
        view.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect::<Vec<u32>>()
    };
    let pairs = (1..=4).flat_map(|a| (a + 1..=4).map(move |b| (vec![a, b], 1.0 / 6.0)));
    follows([(vec![], 1.0)].into_iter().chain((1..=4).map(|a| (vec![a], 0.25))).chain(pairs), doubled);
}

#[test]
fn orders_are_equally_likely() {
    let mut orders = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|&b| b != a) {
            for c in (0..4).filter(|&c| c != a && c != b) {
                orders.push(vec![a, b, c, 6 - a - b - c]);
            }
        }
    }
    uniform(orders.clone(), |stream| shuffle_positions(4, stream));
    let sentences = orders.into_iter().map(|order| {
        let inside = order.into_iter().map(|position| position + 1);
        [0].into_iter().chain(inside).chain([5]).collect()
    });
    uniform(sentences, |stream| shuffle(&sentence(4), stream));
}

#[test]
fn deletion_draws_positions_or_words() {
    // Two sixes among three fives; a fifth of five tokens is one.
    let ids = [0, 5, 6, 5, 6, 5, 1];
    let without = |gone: usize| -> Vec<u32> {
        ids.iter().enumerate().filter(|&(place, _)| place != gone).map(|(_, &id)| id).collect()
    };
    follows((1..=5).map(|gone| (without(gone), 1.0)), |stream| delete(&ids, 0.2, Form::Paper, stream));
    // The first five for any of the three, the first six for any of the two.
    follows([(without(1), 3.0), (without(2), 2.0)], |stream| delete(&ids, 0.2, Form::ReleasedCode, stream));
}

#[test]
fn a_repetition_goes_anywhere() {
    // One of five tokens to one of six places; the two places next to the original give the same sentence.
    let results = (1..=5_u32).flat_map(|token| {
        (1..=6_usize).map(move |place| {
            let mut ids = sentence(5);
            ids.insert(place, token);
            (ids, 1.0)
        })
    });
    follows(results, |stream| repeat(&sentence(5), 0.2, LIMIT, stream));
}

#[test]
fn repetitions_are_drawn_from_repetitions_too() {
    // An urn with one token of each kind; the drawn one is doubled, twice. Then 1, 2 or 3 of the first kind are
    // equally likely. Without repetitions in the urn, the probabilities would be 1/4, 1/2, 1/4.
    uniform(1..=3, |stream| {
        repeat(&sentence(2), 1.0, LIMIT, stream).into_iter().filter(|&token| token == 1).count()
    });
}

#[test]
fn spans_are_drawn_evenly() {
    let text: String = ('a'..='z').chain("äöü日本語ελ🐑✓".chars()).collect();
    let start = |form, stream| {
        let masked = mask_span(&text, 5, 30, "[MASK]", form, stream).unwrap();
        masked.split(" [MASK] ").next().unwrap().chars().count()
    };
    // 36 characters have 32 spans of five; the code never draws the last.
    assert_eq!(text.chars().count(), 36);
    uniform(0..32, |stream| start(Form::Paper, stream));
    uniform(0..31, |stream| start(Form::ReleasedCode, stream));
}

#[test]
fn the_code_masks_the_first_of_equal_spans() {
    let text = "abcde".repeat(7);
    let start = |form, stream| {
        let masked = mask_span(&text, 5, 30, "[MASK]", form, stream).unwrap();
        masked.split(" [MASK] ").next().unwrap().len()
    };
    // Start positions 0 to 30 and 0 to 29; the released code's are taken modulo the period.
    uniform(0..=30, |stream| start(Form::Paper, stream));
    uniform(0..5, |stream| start(Form::ReleasedCode, stream));
}

#[test]
fn cuts_are_drawn_evenly() {
    let pairs =
        (0..5).flat_map(|a| (a + 1..5).map(move |b| (0..5).map(|i| i == a || i == b).collect::<Vec<_>>()));
    uniform(pairs, |stream| cut_off(5, 0.4, stream));
}

#[test]
fn partners_are_drawn_evenly_from_the_others() {
    for number in [0, 3, 9] {
        let others = (0..10).filter(|&other| other != number);
        uniform(others, |stream| pair_partners(&[number; 2], 10, 7, stream).unwrap().numbers[1]);
    }
    // Two pairs of a batch are independent.
    let pairs = [0, 2].into_iter().flat_map(|a| [0, 1].map(|b| vec![a, b]));
    uniform(pairs, |stream| pair_partners(&[1, 1, 2], 3, 2, stream).unwrap().numbers[1..].to_vec());
}

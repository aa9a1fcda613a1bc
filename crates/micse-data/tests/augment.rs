//! Augmentations: properties of every sentence and every stream.

use std::collections::HashSet;

use micse_data::augment::{
    Form, TextOp, TokenOp, crop, cut_off, delete, mask_span, pair_partners, repeat_subwords,
    shuffle_positions,
};
use micse_random::Stream;
use proptest::prelude::*;

const CLS: u32 = 101;
const SEP: u32 = 102;
/// Longer than any result here.
const UNLIMITED: usize = 1000;

fn sentence(tokens: impl IntoIterator<Item = u32>) -> Vec<u32> {
    [CLS].into_iter().chain(tokens).chain([SEP]).collect()
}

fn rates() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), Just(f64::MIN_POSITIVE), 0.0..=1.0]
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Paper), Just(Form::ReleasedCode)]
}

fn token_ops() -> impl Strategy<Value = TokenOp> {
    prop_oneof![
        (rates(), forms()).prop_map(|(rate, form)| TokenOp::RepeatSubwords { rate, form }),
        Just(TokenOp::Shuffle {}),
        Just(TokenOp::Reverse {}),
        (rates(), forms()).prop_map(|(rate, form)| TokenOp::Delete { rate, form }),
        rates().prop_map(|rate| TokenOp::Repeat { rate }),
    ]
}

fn sorted(tokens: &[u32]) -> Vec<u32> {
    let mut tokens = tokens.to_vec();
    tokens.sort_unstable();
    tokens
}

fn is_subsequence(part: &[u32], whole: &[u32]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|token| rest.any(|other| other == token))
}

/// Python's `round(rate * n)`.
fn rounded(rate: f64, n: usize) -> usize {
    (rate * n as f64).round_ties_even() as usize
}

proptest! {
    #[test]
    fn every_token_operation(
        op in token_ops(),
        tokens in prop::collection::vec(5_u32..20, 0..60),
        max_length in 0_usize..90,
        seed: u64,
    ) {
        let ids = sentence(tokens.iter().copied());
        let view = op.apply(&ids, max_length, Stream::new(seed));
        prop_assert_eq!(&view, &op.apply(&ids, max_length, Stream::new(seed)));
        prop_assert!(view.len() <= max_length.max(2));
        prop_assert_eq!((view[0], view[view.len() - 1]), (CLS, SEP));
        let inside = &view[1..view.len() - 1];
        prop_assert!(inside.iter().all(|token| tokens.contains(token)));
        if !matches!(op, TokenOp::Repeat { .. }) {
            // Repeat draws fewer if there is no room; the others are truncated before [SEP].
            let whole = op.apply(&ids, UNLIMITED, Stream::new(seed));
            let kept = (whole.len() - 2).min(max_length.max(2) - 2);
            prop_assert_eq!(inside, &whole[1..=kept]);
        }
    }

    #[test]
    fn each_token_operation_does_what_it_says(
        op in token_ops(),
        tokens in prop::collection::vec(5_u32..20, 1..60),
        seed: u64,
    ) {
        let n = tokens.len();
        let view = op.apply(&sentence(tokens.iter().copied()), UNLIMITED, Stream::new(seed));
        let inside = &view[1..view.len() - 1];
        match op {
            TokenOp::Shuffle {} => prop_assert_eq!(sorted(inside), sorted(&tokens)),
            TokenOp::Reverse {} => prop_assert!(inside.iter().eq(tokens.iter().rev())),
            TokenOp::Delete { rate, .. } => {
                prop_assert_eq!(inside.len(), n - rounded(rate, n).min(n - 1));
                prop_assert!(is_subsequence(inside, &tokens));
            }
            TokenOp::Repeat { rate } => {
                prop_assert_eq!(inside.len(), n + rounded(rate, n));
                prop_assert!(is_subsequence(&tokens, inside));
            }
            TokenOp::RepeatSubwords { rate, form } => {
                let most = match form {
                    Form::Paper => ((rate * n as f64) as usize).max(2).min(n),
                    Form::ReleasedCode => ((rate * (n + 2) as f64) as usize).clamp(1, 10) - 1,
                };
                prop_assert!(inside.len() <= n + most);
                prop_assert!(is_subsequence(&tokens, inside));
            }
            other => panic!("no property is stated for {other:?}"),
        }
    }

    #[test]
    fn a_repeated_subword_stands_beside_its_original(n in 1_u32..60, rate in rates(), form in forms(), seed: u64) {
        let ids = sentence(1000..1000 + n);
        let view = repeat_subwords(&ids, rate, UNLIMITED, form, Stream::new(seed));
        let copies = |id: &u32| view.iter().filter(|&other| other == id).count();
        prop_assert!(ids.iter().all(|id| (1..=2).contains(&copies(id))));
        let mut once = view.clone();
        once.dedup();
        prop_assert_eq!(once, ids);
    }

    #[test]
    fn repetition_stops_where_the_room_ends(n in 1_usize..40, room in 0_usize..10, rate in rates(), seed: u64) {
        let ids = sentence(1000..1000 + n as u32);
        let view = TokenOp::Repeat { rate }.apply(&ids, ids.len() + room, Stream::new(seed));
        prop_assert_eq!(view.len(), ids.len() + room.min(rounded(rate, n)));
        prop_assert!(is_subsequence(&ids, &view));
    }

    #[test]
    fn a_masked_span_is_one_of_the_text(
        // Few distinct characters, so that spans repeat, of 1 to 4 bytes each.
        text in prop::collection::vec(prop::sample::select(vec!['a', 'b', 'é', '界', '🐑']), 0..50),
        characters in 0_usize..8,
        minimum in 0_usize..40,
        form in forms(),
        seed: u64,
    ) {
        let string: String = text.iter().collect();
        let masked = mask_span(&string, characters, minimum, "[M]", form, Stream::new(seed));
        prop_assert_eq!(&masked, &mask_span(&string, characters, minimum, "[M]", form, Stream::new(seed)));
        let short = text.len() < minimum || text.len() <= characters || characters == 0;
        prop_assert_eq!(masked.is_none(), short);
        if let Some(masked) = masked {
            let spans: Vec<&[char]> = text.windows(characters).collect();
            let drawn = if form == Form::Paper { &spans[..] } else { &spans[..spans.len() - 1] };
            let possible = drawn.iter().enumerate().map(|(start, span)| {
                let first = spans.iter().position(|other| other == span).unwrap();
                let start = if form == Form::Paper { start } else { first };
                let (left, right) = (&text[..start], &text[start + characters..]);
                format!("{} [M] {}", left.iter().collect::<String>(), right.iter().collect::<String>())
            });
            prop_assert!(possible.collect::<HashSet<_>>().contains(&masked));
        }
    }

    #[test]
    fn positions_are_permuted_and_cuts_counted(length in 0_usize..200, rate in rates(), seed: u64) {
        let positions = shuffle_positions(length, Stream::new(seed));
        prop_assert!(sorted(&positions).into_iter().eq(0..length as u32));
        let cut = cut_off(length, rate, Stream::new(seed));
        prop_assert_eq!(cut.len(), length);
        prop_assert_eq!(cut.iter().filter(|&&cut| cut).count(), (rate * length as f64) as usize);
    }

    #[test]
    fn every_pair(
        (sentences, numbers) in (2_usize..40)
            .prop_flat_map(|n| (Just(n), prop::collection::vec(0..n as u32, 0..40))),
        negatives in 0_usize..9,
        seed: u64,
    ) {
        let partners = pair_partners(&numbers, sentences, negatives, Stream::new(seed)).unwrap();
        prop_assert_eq!(&partners, &pair_partners(&numbers, sentences, negatives, Stream::new(seed)).unwrap());
        prop_assert_eq!((partners.numbers.len(), partners.positive.len()), (numbers.len(), numbers.len()));
        for (i, (&number, &partner)) in numbers.iter().zip(&partners.numbers).enumerate() {
            prop_assert_eq!(partners.positive[i], i % (negatives + 1) == 0);
            prop_assert_eq!(partners.positive[i], number == partner);
            prop_assert!((partner as usize) < sentences);
        }
    }
}

#[test]
fn sentences_without_tokens_stay() {
    let ops = [
        TokenOp::RepeatSubwords { rate: 1.0, form: Form::Paper },
        TokenOp::Shuffle {},
        TokenOp::Reverse {},
        TokenOp::Delete { rate: 1.0, form: Form::Paper },
        TokenOp::Repeat { rate: 1.0 },
    ];
    for op in ops {
        for ids in [&[][..], &[CLS], &[CLS, SEP]] {
            assert_eq!(op.apply(ids, 32, Stream::new(48)), ids, "{}", op.name());
        }
    }
}

#[test]
fn other_streams_give_other_views() {
    let ids = sentence(1000..1060);
    let text: String = ('a'..='z').chain('A'..='Z').collect();
    let ops = [
        TokenOp::RepeatSubwords { rate: 0.32, form: Form::Paper },
        TokenOp::RepeatSubwords { rate: 0.32, form: Form::ReleasedCode },
        TokenOp::Shuffle {},
        TokenOp::Delete { rate: 0.2, form: Form::Paper },
        TokenOp::Repeat { rate: 0.2 },
    ];
    let streams = || (0..20).map(|row| Stream::new(48).with(row));
    for op in ops {
        let views: HashSet<_> = streams().map(|stream| op.apply(&ids, UNLIMITED, stream)).collect();
        assert!(views.len() > 15, "{}: {} views", op.name(), views.len());
    }
    let views: HashSet<_> = streams().map(|s| mask_span(&text, 5, 30, "[MASK]", Form::Paper, s)).collect();
    assert!(views.len() > 10);
    assert!(streams().map(|stream| shuffle_positions(32, stream)).collect::<HashSet<_>>().len() == 20);
    assert!(streams().map(|stream| cut_off(768, 0.2, stream)).collect::<HashSet<_>>().len() == 20);
    let partners = |stream| pair_partners(&[0; 16], 1000, 7, stream).unwrap().numbers;
    assert!(streams().map(partners).collect::<HashSet<_>>().len() == 20);
}

#[test]
fn halves_are_rounded_to_the_even_number() {
    // Python: [round(0.5 * n) for n in range(1, 8)]
    let deleted = (1..8).map(|n| {
        let ids = sentence(1000..1000 + n);
        ids.len() - delete(&ids, 0.5, Form::Paper, Stream::new(48)).len()
    });
    assert_eq!(deleted.collect::<Vec<_>>(), [0, 1, 2, 2, 2, 3, 4]);
}

#[test]
fn cuts_are_counted_as_in_the_code() {
    // Python: [int(0.2 * 768), int(0.2 * 1024), int(0.29 * 100), int(0.1 * 9)]
    let counts = [(768, 0.2), (1024, 0.2), (100, 0.29), (9, 0.1)]
        .map(|(count, rate)| cut_off(count, rate, Stream::new(48)).into_iter().filter(|&cut| cut).count());
    assert_eq!(counts, [153, 204, 28, 0]);
}

#[test]
fn recipes_name_operations() {
    let names = [
        (
            r#"{"kind": "repeat-subwords", "rate": 0.32}"#,
            TokenOp::RepeatSubwords { rate: 0.32, form: Form::Paper },
        ),
        (r#"{"kind": "shuffle"}"#, TokenOp::Shuffle {}),
        (r#"{"kind": "reverse"}"#, TokenOp::Reverse {}),
        (
            r#"{"kind": "delete", "rate": 0.2, "form": "released-code"}"#,
            TokenOp::Delete { rate: 0.2, form: Form::ReleasedCode },
        ),
        (r#"{"kind": "repeat", "rate": 0.2}"#, TokenOp::Repeat { rate: 0.2 }),
    ];
    for (json, op) in names {
        assert_eq!(serde_json::from_str::<TokenOp>(json).unwrap(), op);
        let written = serde_json::to_value(op).unwrap();
        assert_eq!(written["kind"], op.name());
        assert_eq!(serde_json::from_value::<TokenOp>(written).unwrap(), op);
        let unknown = json.replace('}', r#", "rates": 1}"#);
        assert!(
            serde_json::from_str::<TokenOp>(&unknown).unwrap_err().to_string().contains("rates"),
            "{unknown}"
        );
    }
    let span: TextOp = serde_json::from_str(r#"{"kind": "mask-span"}"#).unwrap();
    assert_eq!(span, TextOp::MaskSpan { characters: 5, minimum: 30, form: Form::Paper });
    assert_eq!(serde_json::to_value(span).unwrap()["kind"], span.name());
    assert!(serde_json::from_str::<TextOp>(r#"{"kind": "mask-span", "length": 5}"#).is_err());
    let text = "a text of more than thirty characters";
    assert_eq!(
        span.apply(text, "[MASK]", Stream::new(48)),
        mask_span(text, 5, 30, "[MASK]", Form::Paper, Stream::new(48))
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        for op in [
            TokenOp::RepeatSubwords { rate, form: Form::Paper },
            TokenOp::Delete { rate, form: Form::Paper },
            TokenOp::Repeat { rate },
        ] {
            let error = op.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: rate {rate} ", op.name())), "{error}");
        }
    }
    assert!(TokenOp::Delete { rate: 1.0, form: Form::Paper }.check().is_ok());
    assert!(TokenOp::Shuffle {}.check().is_ok());
    let span = |characters| TextOp::MaskSpan { characters, minimum: 0, form: Form::Paper };
    assert!(span(1).check().is_ok());
    assert!(span(0).check().unwrap_err().to_string().starts_with("mask-span: a span of 0 "));
    let pairs = |number, sentences| pair_partners(&[number], sentences, 7, Stream::new(48));
    assert!(pairs(0, 1).unwrap_err().to_string().contains("at least 2"));
    assert!(pairs(2, 2).unwrap_err().to_string().contains("sentence 2 "));
    assert!(pairs(1, 2).is_ok());
}

/// The released code of ESimCSE repeats after the truncation: no token is lost, and up to 9 are added.
#[test]
fn released_repetitions_exceed_the_token_limit() {
    let ids: Vec<u32> = (0..32).collect();
    let lengths = |form: Form| {
        let (op, ids) = (TokenOp::RepeatSubwords { rate: 0.9, form }, &ids);
        (0..200_u64).map(move |seed| {
            let mut view = op.apply(ids, op.token_limit(32), Stream::new(seed));
            let length = view.len();
            view.dedup();
            (length, view.len())
        })
    };
    assert!(lengths(Form::Paper).all(|(length, _)| length <= 32));
    let released: Vec<(usize, usize)> = lengths(Form::ReleasedCode).collect();
    assert!(released.iter().all(|(_, distinct)| *distinct == 32));
    assert_eq!(released.iter().map(|(length, _)| *length).max(), Some(41));
}

/// Every length between the shares, and every place, is drawn.
#[test]
fn crops_are_consecutive_words_of_every_length_and_place() {
    let words: Vec<String> = (0..10).map(|i| format!("w{i}")).collect();
    let text = words.join(" ");
    let mut seen = std::collections::BTreeMap::new();
    for seed in 0..4000 {
        let part = crop(&text, 0.3, 0.5, Stream::new(seed)).expect("a part");
        assert!(format!(" {text} ").contains(&format!(" {part} ")), "{part}");
        let start = part.split(' ').next().unwrap().to_owned();
        *seen.entry((part.split(' ').count(), start)).or_insert(0) += 1;
    }
    // Eight, seven and six places of three, four and five words.
    assert_eq!(seen.len(), 8 + 7 + 6);
    let of =
        |count: usize| seen.iter().filter(|((n, _), _)| *n == count).map(|(_, times)| *times).sum::<i32>();
    for count in [3, 4, 5] {
        assert!((of(count) - 1333).abs() < 150, "{count}: {}", of(count));
    }
    assert_eq!(crop(&text, 1.0, 1.0, Stream::new(1)), None);
    // Scripts without spaces are cut between characters.
    let text = "\u{6211}\u{5728}\u{5317}\u{4eac}\u{7684}\u{5929}\u{5b89}\u{95e8}";
    for seed in 0..50 {
        let part = crop(text, 0.3, 0.5, Stream::new(seed)).expect("a part");
        assert!(text.contains(&part) && (2..=4).contains(&part.chars().count()), "{part}");
    }
    for (shortest, longest) in [(0.0, 0.5), (0.6, 0.5), (0.5, 1.1), (f64::NAN, 0.5)] {
        assert!(TextOp::Crop { shortest, longest }.check().is_err(), "{shortest} {longest}");
    }
}

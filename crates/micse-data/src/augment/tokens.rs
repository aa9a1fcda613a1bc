//! Operations on the token ids of one sentence. The first and the last id (`[CLS]` and `[SEP]`) stay where they
//! are, once, and are neither moved, deleted nor repeated; a sentence with no token between them comes back as it is.

use std::iter::repeat_n;

use micse_random::Stream;

use super::{Form, share};

/// The most repetitions that `ESimCSE`'s code draws from, exclusive.
const RELEASED_LIMIT: usize = 10;

/// `ESimCSE`'s sub-word repetition: of the N sub-words between the special tokens, n distinct ones, drawn uniformly,
/// stand twice, the copy beside the original.
///
/// * [`Form::Paper`] (Wu et al. 2022): n is uniform over 0 to max(2, ⌊`rate` N⌋), both included. It can
///   thus be 2 at any rate, and is held to N in shorter sentences.
/// * [`Form::ReleasedCode`]: n is uniform over 0 to min(10, ⌊`rate` (N + 2)⌋) - 1, since the special tokens count for
///   the length and the upper end is excluded; sentences where that is empty stay as they are.
///
/// The result is cut before its last id to `max_length` (the released code repeats behind the tokenizer's truncation
/// and does not cut: for that, allow 9 more).
///
/// ```
/// use micse_data::augment::{Form, repeat_subwords};
/// use micse_random::Stream;
///
/// let repeated = repeat_subwords(&[101, 7, 8, 9, 102], 0.32, 32, Form::Paper, Stream::new(48).with(3));
/// let mut tokens = repeated.clone();
/// tokens.dedup();
/// assert_eq!(tokens, [101, 7, 8, 9, 102]);
/// assert!(repeated.len() <= 7);
/// ```
///
/// # Panics
/// If `rate` is not in `[0, 1]`.
pub fn repeat_subwords(ids: &[u32], rate: f64, max_length: usize, form: Form, stream: Stream) -> Vec<u32> {
    let repeated = between(ids, |tokens| {
        let mut draws = stream.draws();
        let length = tokens.len();
        let most = match form {
            Form::Paper => (share(rate, length) as usize).max(2),
            Form::ReleasedCode => (share(rate, length + 2) as usize).min(RELEASED_LIMIT).saturating_sub(1),
        };
        let count = draws.below(most.min(length) as u64 + 1) as usize;
        let mut copies = vec![1; length];
        for position in draws.distinct(length, count) {
            copies[position as usize] = 2;
        }
        *tokens = tokens.iter().zip(copies).flat_map(|(&token, copies)| repeat_n(token, copies)).collect();
    });
    cut(repeated, max_length)
}

/// The tokens between the special ones in random order, all orders equally likely (PCL).
pub fn shuffle(ids: &[u32], stream: Stream) -> Vec<u32> {
    between(ids, |tokens| {
        let order = stream.draws().distinct(tokens.len(), tokens.len());
        *tokens = order.into_iter().map(|position| tokens[position as usize]).collect();
    })
}

/// The tokens between the special ones from last to first (PCL).
pub fn reverse(ids: &[u32]) -> Vec<u32> {
    between(ids, |tokens| tokens.reverse())
}

/// Without `rate` n of the n tokens between the special ones, rounded (halves to the even number), but at least one
/// stays (PCL, with 20 %). The tokens that go are drawn one after the other from those that are left.
///
/// With [`Form::ReleasedCode`] a draw decides which *word* goes, and it is its first occurrence that does.
///
/// # Panics
/// If `rate` is not in `[0, 1]`.
pub fn delete(ids: &[u32], rate: f64, form: Form, stream: Stream) -> Vec<u32> {
    between(ids, |tokens| {
        let mut draws = stream.draws();
        for _ in 0..rounded(rate, tokens.len()).min(tokens.len() - 1) {
            let drawn = draws.below(tokens.len() as u64) as usize;
            let gone = match form {
                Form::Paper => drawn,
                Form::ReleasedCode => tokens.iter().position(|t| *t == tokens[drawn]).unwrap_or(drawn),
            };
            tokens.remove(gone);
        }
    })
}

/// With `rate` n repetitions among the n tokens between the special ones, rounded (halves to the even number), but
/// no more than `max_length` has room for (PCL, with 20 %).
///
/// As in the released code, a repetition is drawn from all tokens there are by then, earlier repetitions included,
/// and goes to any place between the special tokens, not beside its original.
///
/// A sentence longer than `max_length` is cut before its last id.
///
/// # Panics
/// If `rate` is not in `[0, 1]`.
pub fn repeat(ids: &[u32], rate: f64, max_length: usize, stream: Stream) -> Vec<u32> {
    let repeated = between(ids, |tokens| {
        let mut draws = stream.draws();
        let room = max_length.saturating_sub(ids.len());
        for _ in 0..rounded(rate, tokens.len()).min(room) {
            let token = tokens[draws.below(tokens.len() as u64) as usize];
            let place = draws.below(tokens.len() as u64 + 1) as usize;
            tokens.insert(place, token);
        }
    });
    cut(repeated, max_length)
}

/// At most `max_length` ids, but never fewer than the two special ones; what goes stands before the last id.
pub(super) fn cut(mut ids: Vec<u32>, max_length: usize) -> Vec<u32> {
    let excess = ids.len().saturating_sub(max_length.max(2));
    let last = ids.len().saturating_sub(1);
    ids.drain(last - excess..last);
    ids
}

/// `ids` with `change` applied to what stands between the first and the last, if anything does.
fn between(ids: &[u32], change: impl FnOnce(&mut Vec<u32>)) -> Vec<u32> {
    match ids {
        [first, tokens @ .., last] if !tokens.is_empty() => {
            let mut tokens = tokens.to_vec();
            change(&mut tokens);
            [&[*first], tokens.as_slice(), &[*last]].concat()
        }
        _ => ids.to_vec(),
    }
}

/// `rate * count` to the nearest whole number; halves go to the even one, as in the code of the papers.
fn rounded(rate: f64, count: usize) -> usize {
    share(rate, count).round_ties_even() as usize
}

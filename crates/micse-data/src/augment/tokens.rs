//! Operations on the token IDs of one sentence. The first and last IDs (`[CLS]` and `[SEP]`) are never moved,
//! deleted or repeated. A sentence with no token between them is returned unchanged.

use std::iter::repeat_n;

use micse_random::Stream;

use super::{Form, share};

/// The exclusive upper limit of repetitions that `ESimCSE`'s code draws from.
pub(super) const RELEASED_LIMIT: usize = 10;

/// `ESimCSE`'s sub-word repetition: of the N sub-words between the special tokens, repeats n distinct ones, drawn
/// uniformly. Each copy directly follows its original.
///
/// * [`Form::Paper`] (Wu et al. 2022): n is uniform over 0 to max(2, ⌊`rate` N⌋), both included. So n can be 2 at
///   any rate; in shorter sentences it is at most N.
/// * [`Form::ReleasedCode`]: n is uniform over 0 to min(10, ⌊`rate` (N + 2)⌋) - 1, because the special tokens
///   count towards the length and the upper end is excluded. Sentences where that range is empty stay unchanged.
///
/// The result is truncated to `max_length` before its last ID. The released code repeats after the tokenizer's
/// truncation and does not truncate again; [`TokenOp::token_limit`](super::TokenOp::token_limit) allows for that.
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

/// Shuffles the tokens between the special ones, all orders equally likely (PCL).
pub fn shuffle(ids: &[u32], stream: Stream) -> Vec<u32> {
    between(ids, |tokens| {
        let order = stream.draws().distinct(tokens.len(), tokens.len());
        *tokens = order.into_iter().map(|position| tokens[position as usize]).collect();
    })
}

/// Reverses the tokens between the special ones (PCL).
pub fn reverse(ids: &[u32]) -> Vec<u32> {
    between(ids, |tokens| tokens.reverse())
}

/// Deletes `rate` n of the n tokens between the special ones, rounded (half to even), but always keeps at least
/// one (PCL, with 20 %). The tokens are drawn one after the other from the remaining ones.
///
/// With [`Form::ReleasedCode`], a draw picks a *word*, and its first occurrence is deleted.
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

/// Inserts `rate` n repetitions among the n tokens between the special ones, rounded (half to even), but no more
/// than fit into `max_length` (PCL, with 20 %).
///
/// As in the released code, each repetition is drawn from all current tokens, earlier repetitions included, and
/// inserted anywhere between the special tokens, not next to its original.
///
/// A sentence longer than `max_length` is truncated before its last ID.
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

/// Truncates to `max_length` IDs before the last ID, always keeping the two special tokens.
pub(super) fn cut(mut ids: Vec<u32>, max_length: usize) -> Vec<u32> {
    let excess = ids.len().saturating_sub(max_length.max(2));
    let last = ids.len().saturating_sub(1);
    ids.drain(last - excess..last);
    ids
}

/// `ids` with `change` applied to the tokens between the first and the last, if there are any.
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

/// `rate * count` rounded to the nearest integer, half to even, as in the papers' code.
fn rounded(rate: f64, count: usize) -> usize {
    share(rate, count).round_ties_even() as usize
}

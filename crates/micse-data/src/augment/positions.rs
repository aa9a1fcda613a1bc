//! `ConSERT`'s augmentations of the embedding layer (Yan et al. 2021), as the positions and columns they change.

use micse_random::Stream;

use super::share;

/// Random position IDs for a sentence of `length` tokens, all orders equally likely. Token `i` gets the position
/// embedding of the `i`-th entry. `[CLS]` and `[SEP]` are shuffled with the rest.
pub fn shuffle_positions(length: usize, stream: Stream) -> Vec<u32> {
    stream.draws().distinct(length, length)
}

/// Which of `count` columns (feature cut-off) or tokens (token cut-off) of one sentence's embeddings become 0:
/// exactly ⌊`rate` `count`⌋ of them, all choices equally likely. The remaining values are not scaled up. A token
/// count includes `[CLS]` and `[SEP]`, which can be cut like any other token.
///
/// ```
/// use micse_data::augment::cut_off;
/// use micse_random::Stream;
///
/// let cut = cut_off(768, 0.2, Stream::new(48));
/// assert_eq!(cut.iter().filter(|&&cut| cut).count(), 153);
/// ```
///
/// # Panics
/// If `rate` is not in `[0, 1]`.
pub fn cut_off(count: usize, rate: f64, stream: Stream) -> Vec<bool> {
    let mut cut = vec![false; count];
    for index in stream.draws().distinct(count, share(rate, count) as usize) {
        cut[index as usize] = true;
    }
    cut
}

//! `ConSERT`'s augmentations of the embedding layer (Yan et al. 2021), as the positions and columns that they
//! touch.

use micse_random::Stream;

use super::share;

/// Position ids of a sentence of `length` tokens in random order, all orders equally likely: token `i` takes the
/// position embedding of the `i`-th. Those of `[CLS]` and `[SEP]` are shuffled with the rest.
pub fn shuffle_positions(length: usize, stream: Stream) -> Vec<u32> {
    stream.draws().distinct(length, length)
}

/// Which of `count` columns (feature cut-off) or tokens (token cut-off) of one sentence's embeddings become 0: exactly
/// ⌊`rate` `count`⌋ of them, all choices equally likely. What stays is not scaled up. A count of tokens includes
/// `[CLS]` and `[SEP]`, which can be cut like any other.
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

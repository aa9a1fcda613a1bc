//! Packing in plain Rust, compiled for the CPU's vector extensions.

use super::pack::{Block, Element, Source};
use crate::line::{Line, WORDS};

/// See [`Source::fill`].
pub(super) fn fill<T: Element>(source: &Source<'_, T>, out: &mut [Line], block: Block) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || fill_squares(source, out, block),
    );
}

/// Squares keep both the lines read and the lines written in the cache, regardless of the source's direction.
#[inline(always)]
fn fill_squares<T: Element>(source: &Source<'_, T>, out: &mut [Line], block: Block) {
    for first_pair in (0..block.pairs).step_by(WORDS) {
        for first_width in (0..block.widths).step_by(WORDS) {
            let square = square(source, block.first_pair + first_pair, block.first_width + first_width);
            let pairs = WORDS.min(block.pairs - first_pair);
            let widths = WORDS.min(block.widths - first_width);
            let first = first_pair * block.pair_step + first_width * block.width_step;
            if block.pair_step == 1 {
                for w in 0..widths {
                    out[(first + w * block.width_step) / WORDS].0 = square[w];
                }
            } else {
                for p in 0..pairs {
                    let line = &mut out[(first + p * block.pair_step) / WORDS].0;
                    for (word, pairs) in line.iter_mut().zip(&square) {
                        *word = pairs[p];
                    }
                }
            }
        }
    }
}

/// The words of 16 widths, 16 pairs each; zero outside the source.
#[inline(always)]
fn square<T: Element>(
    source: &Source<'_, T>,
    first_pair: usize,
    first_width: usize,
) -> [[u32; WORDS]; WORDS] {
    let word = |low: T, high: T| u32::from(low.bits()) | u32::from(high.bits()) << 16;
    let mut square = [[0; WORDS]; WORDS];
    let first_depth = 2 * first_pair;
    let inside = first_depth + 2 * WORDS <= source.depth() && first_width + WORDS <= source.width();
    if inside && source.depth_stride() == 1 {
        for (w, words) in square.iter_mut().enumerate() {
            let row = &source.data()[(first_width + w) * source.width_stride() + first_depth..][..2 * WORDS];
            for (out, pair) in words.iter_mut().zip(row.chunks_exact(2)) {
                *out = word(pair[0], pair[1]);
            }
        }
    } else if inside && source.width_stride() == 1 {
        for p in 0..WORDS {
            let row = |depth: usize| &source.data()[depth * source.depth_stride() + first_width..][..WORDS];
            let (low, high) = (row(first_depth + 2 * p), row(first_depth + 2 * p + 1));
            for (words, (&low, &high)) in square.iter_mut().zip(low.iter().zip(high)) {
                words[p] = word(low, high);
            }
        }
    } else {
        for (w, words) in square.iter_mut().enumerate() {
            for (p, out) in words.iter_mut().enumerate() {
                *out = source.word(first_pair + p, first_width + w);
            }
        }
    }
    square
}

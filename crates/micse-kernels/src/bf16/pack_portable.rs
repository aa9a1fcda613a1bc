//! Packing in plain Rust.

use super::line::{Line, WORDS};
use super::pack::{Block, Element, Source};

/// See [`Source::fill`].
pub(super) fn fill<T: Element>(source: &Source<'_, T>, out: &mut [Line], block: Block) {
    // Squares keep both the lines read and the lines written in the cache, whichever way the source lies.
    for first_pair in (0..block.pairs).step_by(WORDS) {
        for first_width in (0..block.widths).step_by(WORDS) {
            for p in first_pair..block.pairs.min(first_pair + WORDS) {
                for w in first_width..block.widths.min(first_width + WORDS) {
                    let at = p * block.pair_step + w * block.width_step;
                    out[at / WORDS].0[at % WORDS] = source.word(block.first_pair + p, block.first_width + w);
                }
            }
        }
    }
}

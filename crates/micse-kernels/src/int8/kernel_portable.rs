//! The kernel in plain Rust.

use super::isa::Isa;
use super::product::{Sums, Tile};
use super::rows::Rounded;
use super::weights::PANEL;
use crate::line::Line;

/// Rows per tile.
const ROWS: usize = 6;
/// Inputs per word.
const DEPTH: usize = Isa::Portable.depth();

/// See [`Tile`].
pub(super) fn sums<L: Rounded>(tile: &Tile<'_, L>) -> Sums<ROWS> {
    let mut sums = [[0; PANEL]; ROWS];
    for (row, sums) in tile.activations.chunks_exact(tile.width).zip(&mut sums) {
        let (words, rest) = row.as_chunks::<DEPTH>();
        for (inputs, line) in words.iter().zip(tile.panel) {
            add(sums, inputs.map(L::signed), line);
        }
        // Missing inputs are zero.
        if let ([first, second], Some(line)) = (rest, tile.panel.last()) {
            add(sums, [first.signed(), second.signed(), 0, 0], line);
        }
    }
    sums
}

/// The products of one word per channel.
#[inline]
fn add(sums: &mut [i32; PANEL], inputs: [i16; DEPTH], line: &Line) {
    for (sum, &word) in sums.iter_mut().zip(&line.0) {
        // As 16-bit numbers, because vector instructions multiply those.
        let product = |k: usize| i32::from(inputs[k]) * i32::from(i16::from(Isa::Portable.weight(word, k)));
        *sum += product(0) + product(1) + product(2) + product(3);
    }
}

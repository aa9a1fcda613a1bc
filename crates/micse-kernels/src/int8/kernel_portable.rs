//! The kernel in plain Rust.

use super::product::{Sums, TILE_ROWS, Tile};
use super::weights::{PANEL, halves};

/// See [`Tile`].
pub(super) fn sums(tile: &Tile<'_>) -> Sums {
    let pairs = tile.panel.len();
    let mut sums = [[0; PANEL]; TILE_ROWS];
    for (i, sums) in sums.iter_mut().enumerate().take(tile.rows) {
        let row = tile.activations[2 * i * pairs..].as_chunks::<2>().0;
        for (&[first, second], line) in row.iter().zip(tile.panel) {
            for (sum, &weights) in sums.iter_mut().zip(&line.0) {
                let (a, b) = halves(weights);
                *sum += i32::from(first) * a + i32::from(second) * b;
            }
        }
    }
    sums
}

//! The kernel on tiles of AMX.

use super::isa::Avx512Bf16;
use super::kernel_avx512;
use super::product::Tile;
use crate::amx::{Kind, Left, Right, STEP, Span, Tiles, prefetch};
use crate::line::{WORDS, half_bytes};

/// Rows of a [`Tile`]. Each step takes 32 values along the depth; the rest is left to vectors. Rows that do not fill a tile
/// of 16 are computed together with rows before them, so that a row's result does not depend on the number of rows.
pub(super) fn run(tiles: &mut Tiles, token: Avx512Bf16, span: Span, mut tile: Tile<'_>) {
    for row in span.first..span.end {
        prefetch(&tile.out[row * tile.out_stride..][..tile.width]);
    }
    let steps = size_of::<u16>() * tile.depth / STEP;
    let left = Left { bytes: half_bytes(tile.lhs), stride: size_of::<u16>() * tile.lhs_stride };
    let right = Right { lines: [tile.rhs, &tile.rhs[1..]], stride: 2 };
    let sums = tiles.multiply(Kind::Halves, span, left, right, steps);
    kernel_avx512::finish_tiles(token, &mut tile, span.first, WORDS * steps, sums);
}

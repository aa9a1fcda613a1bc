//! The kernels on `vpdpbusd`, which multiplies unsigned by signed bytes: activations by weights.

use std::arch::x86_64::{
    __m256i, _mm256_dpbusd_avx_epi32, _mm256_load_si256, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512,
};

use super::isa::{Avx512Vnni, AvxVnni};
use super::product::{Sums, Tile};
use super::weights::PANEL;

/// Rows per tile.
const ROWS: usize = 6;
/// Rows per tile on 512 bits, whose sums are half as many registers.
const WIDE_ROWS: usize = 12;

macro_rules! by_rows {
    ($rows:ident, $tile:ident: $($count:literal)*) => {
        match $tile.rows() {
            // SAFETY: the caller's token proves that the CPU has the instructions.
            $($count => unsafe { $rows::<$count>($tile) },)*
            rows => unreachable!("a tile of {rows} rows is too large"),
        }
    };
}

/// See [`Tile`].
#[allow(unsafe_code)]
pub(super) fn wide_sums(_: Avx512Vnni, tile: &Tile<'_, u8>) -> Sums<WIDE_ROWS> {
    by_rows!(wide_rows, tile: 1 2 3 4 5 6 7 8 9 10 11 12)
}

/// See [`Tile`].
#[allow(unsafe_code)]
pub(super) fn sums(_: AvxVnni, tile: &Tile<'_, u8>) -> Sums<ROWS> {
    by_rows!(rows, tile: 1 2 3 4 5 6)
}

/// Four activations of a row, as one word.
macro_rules! word {
    ($tile:ident, $row:ident, $place:ident) => {
        // SAFETY: the row and the place are in the tile, whose size the caller has checked.
        unsafe {
            let at = 4 * ($row * $tile.panel.len() + $place);
            $tile.activations.as_ptr().add(at).cast::<i32>().read_unaligned()
        }
    };
}

/// A line is one vector. Twelve rows have enough independent sums to hide the latency of an addition.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512vnni")]
fn wide_rows<const R: usize>(tile: &Tile<'_, u8>) -> Sums<WIDE_ROWS> {
    assert_eq!(tile.activations.len(), 4 * R * tile.panel.len());
    let mut sums = [_mm512_setzero_si512(); R];
    for (place, line) in tile.panel.iter().enumerate() {
        // SAFETY: a line has 64 bytes and is aligned to them.
        let weights = unsafe { _mm512_load_si512(line.0.as_ptr().cast()) };
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi32(word!(tile, row, place)), weights);
        }
    }
    let mut out = [[0; PANEL]; WIDE_ROWS];
    for (out, sum) in out.iter_mut().zip(sums) {
        // SAFETY: `out` has room for one vector.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
    }
    out
}

/// The 12 sums of 6 rows stay in registers, with the line's two vectors and one broadcast.
#[allow(unsafe_code)]
#[target_feature(enable = "avx2,avxvnni")]
fn rows<const R: usize>(tile: &Tile<'_, u8>) -> Sums<ROWS> {
    assert_eq!(tile.activations.len(), 4 * R * tile.panel.len());
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for (place, line) in tile.panel.iter().enumerate() {
        // SAFETY: a line has 64 bytes and is aligned to them.
        let weights = unsafe {
            let vectors: *const __m256i = line.0.as_ptr().cast();
            [_mm256_load_si256(vectors), _mm256_load_si256(vectors.add(1))]
        };
        for (row, sums) in sums.iter_mut().enumerate() {
            let word = _mm256_set1_epi32(word!(tile, row, place));
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm256_dpbusd_avx_epi32(*sum, word, weights);
            }
        }
    }
    let mut out = [[0; PANEL]; ROWS];
    for (out, sums) in out.iter_mut().zip(sums) {
        for (out, sum) in out.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: `out` has room for one vector.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sum) };
        }
    }
    out
}

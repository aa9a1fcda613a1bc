//! The kernel on `vpmaddwd`.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_load_si256, _mm256_madd_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_storeu_si256,
};

use super::isa::Avx2;
use super::product::{Sums, Tile};
use super::weights::PANEL;

/// Rows per tile.
const ROWS: usize = 6;
/// Vectors of sums per row.
const VECTORS: usize = PANEL / 8;

/// See [`Tile`].
#[allow(unsafe_code)]
pub(super) fn sums(_: Avx2, tile: &Tile<'_, u16>) -> Sums<ROWS> {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match tile.rows() {
                // SAFETY: the token proves that the CPU has AVX2.
                $($rows => unsafe { rows::<$rows>(tile) },)*
                _ => unreachable!("a tile has 1 to {ROWS} rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6)
}

/// The 12 sums of 6 rows stay in registers, with the panel's two vectors and one broadcast.
#[allow(unsafe_code)]
#[target_feature(enable = "avx2")]
fn rows<const R: usize>(tile: &Tile<'_, u16>) -> Sums<ROWS> {
    let pairs = tile.panel.len();
    assert!(2 * R * pairs <= tile.activations.len());
    let activations = tile.activations.as_ptr();
    let mut sums = [[_mm256_setzero_si256(); VECTORS]; R];
    for (pair, line) in tile.panel.iter().enumerate() {
        // SAFETY: a line has 64 bytes and is aligned to them.
        let panel = unsafe {
            let vectors: *const __m256i = line.0.as_ptr().cast();
            [_mm256_load_si256(vectors), _mm256_load_si256(vectors.add(1))]
        };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `i < R` and `pair < pairs`, and the assertion.
            let word = unsafe { activations.add(2 * (i * pairs + pair)).cast::<i32>().read_unaligned() };
            let word = _mm256_set1_epi32(word);
            for v in 0..VECTORS {
                sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(word, panel[v]));
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

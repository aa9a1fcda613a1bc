//! The kernel on `sdot`.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vdupq_n_s32, vdupq_n_u8, veorq_s8, vld1q_s8, vreinterpretq_s8_s32,
    vreinterpretq_s8_u8, vst1q_s32,
};
use std::arch::asm;

use super::isa::Dot;
use super::product::{Sums, Tile};
use super::weights::PANEL;

/// Rows per tile.
const ROWS: usize = 6;
/// Vectors of sums per row.
const VECTORS: usize = PANEL / 4;
/// Subtracted from the activations, so that they fit into signed bytes; in 8 bits, that flips the highest bit.
const MIDDLE: u8 = 128;

/// See [`Tile`]. `totals` are the sums of the weights of each channel.
#[allow(unsafe_code)]
pub(super) fn sums(_: Dot, tile: &Tile<'_, u8>, totals: &[i32]) -> Sums<ROWS> {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match tile.rows() {
                // SAFETY: the token proves that the CPU has `sdot`.
                $($rows => unsafe { rows::<$rows>(tile) },)*
                _ => unreachable!("a tile has 1 to {ROWS} rows"),
            }
        };
    }
    let mut sums = by_rows!(1 2 3 4 5 6);
    // Both terms are below 2^30, and the result is the sum that `MOST_INPUTS` bounds.
    for sums in &mut sums {
        for (sum, total) in sums.iter_mut().zip(totals) {
            *sum += i32::from(MIDDLE) * total;
        }
    }
    sums
}

/// The 24 sums of 6 rows stay in registers, with the panel's four vectors and one broadcast.
#[allow(unsafe_code)]
#[target_feature(enable = "neon,dotprod")]
fn rows<const R: usize>(tile: &Tile<'_, u8>) -> Sums<ROWS> {
    let words = tile.panel.len();
    assert_eq!(tile.activations.len(), 4 * R * words);
    let activations = tile.activations.as_ptr();
    let middle = vreinterpretq_s8_u8(vdupq_n_u8(MIDDLE));
    let mut sums = [[vdupq_n_s32(0); VECTORS]; R];
    for (place, line) in tile.panel.iter().enumerate() {
        // SAFETY: a line has 64 bytes.
        let weights = unsafe {
            let bytes: *const i8 = line.0.as_ptr().cast();
            [vld1q_s8(bytes), vld1q_s8(bytes.add(16)), vld1q_s8(bytes.add(32)), vld1q_s8(bytes.add(48))]
        };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `i < R` and `place < words`, and the assertion.
            let word = unsafe { activations.add(4 * (i * words + place)).cast::<i32>().read_unaligned() };
            let word = veorq_s8(vreinterpretq_s8_s32(vdupq_n_s32(word)), middle);
            for (sum, &weights) in sums.iter_mut().zip(&weights) {
                *sum = dot(*sum, weights, word);
            }
        }
    }
    let mut out = [[0; PANEL]; ROWS];
    for (out, sums) in out.iter_mut().zip(sums) {
        for (out, sum) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            // SAFETY: `out` has room for one vector.
            unsafe { vst1q_s32(out.as_mut_ptr(), sum) };
        }
    }
    out
}

/// `sum + a b` for each four bytes. The standard library's function for it is not stable.
#[allow(unsafe_code)]
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction changes its first operand only, and the function has the feature.
    unsafe {
        asm!(
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            inout(vreg) sum,
            in(vreg) a,
            in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

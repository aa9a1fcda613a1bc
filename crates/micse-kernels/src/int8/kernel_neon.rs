//! The kernel on `sdot`.

use std::arch::aarch64::{int8x16_t, int32x4_t, vdupq_n_s32, vld1q_s8, vreinterpretq_s8_s32, vst1q_s32};
use std::arch::asm;
use std::ops::Range;

use super::isa::Dot;
use super::product::{Sums, TILE_ROWS};
use super::weights::PANEL;
use crate::line::Line;

/// Inputs per word.
const DEPTH: usize = 4;
/// Vectors of sums per row.
const VECTORS: usize = PANEL / 4;
/// Subtracted from the activations, so that they fit into signed bytes; in 8 bits, that flips the highest bit.
const MIDDLE: u8 = 128;

/// Activations as signed bytes: `[rows, words]`, each word 4 adjacent inputs less 128.
pub(super) struct SignedRows {
    words: Vec<[u8; DEPTH]>,
    /// Words per row.
    width: usize,
}

impl SignedRows {
    /// Those of `activations`, in rows of `width` inputs.
    pub(super) fn new(activations: &[u16], width: usize) -> Self {
        let words = width.div_ceil(DEPTH);
        let mut own = Self { words: vec![[0; DEPTH]; activations.len() / width * words], width: words };
        for (own, row) in own.words.chunks_exact_mut(words).zip(activations.chunks_exact(width)) {
            for (byte, &input) in own.as_flattened_mut().iter_mut().zip(row) {
                *byte = input as u8 ^ MIDDLE;
            }
        }
        own
    }

    /// The sums of some of these rows and a panel whose channels have the given sums of weights; see [`Tile`].
    ///
    /// [`Tile`]: super::product::Tile
    #[allow(unsafe_code)]
    pub(super) fn sums(&self, _: Dot, rows: Range<usize>, panel: &[Line], totals: &[i32]) -> Sums {
        let activations = &self.words[rows.start * self.width..rows.end * self.width];
        macro_rules! by_rows {
            ($($rows:literal)*) => {
                match rows.len() {
                    // SAFETY: the token proves that the CPU has `sdot`.
                    $($rows => unsafe { tile::<$rows>(activations, panel) },)*
                    _ => unreachable!("a tile has 1 to {TILE_ROWS} rows"),
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
}

/// The 24 sums of 6 rows stay in registers, with the panel's four vectors and one broadcast.
#[allow(unsafe_code)]
#[target_feature(enable = "neon,dotprod")]
fn tile<const R: usize>(activations: &[[u8; DEPTH]], panel: &[Line]) -> Sums {
    assert_eq!(activations.len(), R * panel.len());
    let mut sums = [[vdupq_n_s32(0); VECTORS]; R];
    for (place, line) in panel.iter().enumerate() {
        // SAFETY: a line has 64 bytes.
        let weights = unsafe {
            let bytes: *const i8 = line.0.as_ptr().cast();
            [vld1q_s8(bytes), vld1q_s8(bytes.add(16)), vld1q_s8(bytes.add(32)), vld1q_s8(bytes.add(48))]
        };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: `i < R` and `place < panel.len()`, and the assertion.
            let word = unsafe { *activations.get_unchecked(i * panel.len() + place) };
            let word = vreinterpretq_s8_s32(vdupq_n_s32(i32::from_le_bytes(word)));
            for (sum, &weights) in sums.iter_mut().zip(&weights) {
                *sum = dot(*sum, weights, word);
            }
        }
    }
    let mut out = [[0; PANEL]; TILE_ROWS];
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

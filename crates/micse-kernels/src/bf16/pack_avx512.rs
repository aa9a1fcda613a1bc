//! Packing with AVX-512 for sources that are contiguous in one direction.
//!
//! A vector of 16 words is loaded from the source either along the depth (16 pairs of one width) or across it (one
//! pair of 16 widths). If the packed operand has the same direction, the vector is stored directly; otherwise 16
//! of them are transposed.

use super::isa::Avx512Bf16;
use super::pack::{Block, Element, Source};
use crate::line::{Line, WORDS};
use std::arch::x86_64::{
    __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_maskz_loadu_epi16, _mm512_castsi256_si512,
    _mm512_cvtne2ps_pbh, _mm512_inserti64x4, _mm512_maskz_loadu_epi16, _mm512_maskz_loadu_ps,
    _mm512_permutexvar_epi16, _mm512_set_epi64, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

/// Loads of 16 words.
#[allow(unsafe_code)]
pub(super) trait Vectors: Sized {
    /// The 32 elements starting at `from` where `mask` has ones, zero elsewhere, as 16 words.
    ///
    /// # Safety
    /// The CPU must have the features of [`Avx512Bf16`]; elements under ones must be readable.
    unsafe fn along(from: *const Self, mask: u32) -> __m512i;

    /// 16 words, each with an element of `low` (low half) and one of `high` where their masks have ones.
    ///
    /// # Safety
    /// As in [`Vectors::along`].
    unsafe fn across(low: *const Self, low_mask: u16, high: *const Self, high_mask: u16) -> __m512i;
}

/// (low halves, high halves) to words.
#[target_feature(enable = "avx512f,avx512bw")]
fn interleave(halves: __m512i) -> __m512i {
    let index = const {
        let mut quads = [0i64; 8];
        let mut i = 0;
        while i < 8 {
            let first = 2 * i as i64;
            quads[i] = first | (first + 16) << 16 | (first + 1) << 32 | (first + 17) << 48;
            i += 1;
        }
        quads
    };
    let [a, b, c, d, e, f, g, h] = index;
    _mm512_permutexvar_epi16(_mm512_set_epi64(h, g, f, e, d, c, b, a), halves)
}

#[allow(unsafe_code)]
fn as_integers(halves: __m512bh) -> __m512i {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute(halves) }
}

#[allow(unsafe_code)]
impl Vectors for f32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn along(from: *const Self, mask: u32) -> __m512i {
        // SAFETY: the caller's promise; masked loads do not touch elements under zeros.
        let (low, high) = unsafe {
            let high = _mm512_maskz_loadu_ps((mask >> 16) as u16, from.wrapping_add(WORDS));
            (_mm512_maskz_loadu_ps(mask as u16, from), high)
        };
        as_integers(_mm512_cvtne2ps_pbh(high, low))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn across(low: *const Self, low_mask: u16, high: *const Self, high_mask: u16) -> __m512i {
        // SAFETY: as above.
        let (low, high) =
            unsafe { (_mm512_maskz_loadu_ps(low_mask, low), _mm512_maskz_loadu_ps(high_mask, high)) };
        interleave(as_integers(_mm512_cvtne2ps_pbh(high, low)))
    }
}

#[allow(unsafe_code)]
impl Vectors for u16 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn along(from: *const Self, mask: u32) -> __m512i {
        // SAFETY: as for f32.
        unsafe { _mm512_maskz_loadu_epi16(mask, from.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn across(low: *const Self, low_mask: u16, high: *const Self, high_mask: u16) -> __m512i {
        // SAFETY: as for f32.
        let (low, high) = unsafe {
            (_mm256_maskz_loadu_epi16(low_mask, low.cast()), _mm256_maskz_loadu_epi16(high_mask, high.cast()))
        };
        interleave(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
    }
}

/// See [`Source::fill`], which checks that the block is within `out`; the source is contiguous in one direction.
#[allow(unsafe_code)]
pub(super) fn fill<T: Element>(_: Avx512Bf16, source: &Source<'_, T>, out: &mut [Line], block: Block) {
    // SAFETY: the token proves that the CPU has the features.
    unsafe { fill_with_features(source, out, block) }
}

/// Ones for the elements `from..from + N` of 0..count, where N is the number of bits in the mask.
fn ones(from: usize, count: usize) -> u32 {
    match count.saturating_sub(from) {
        32.. => u32::MAX,
        n => (1 << n) - 1,
    }
}

/// # Safety
/// The CPU must have the features.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn fill_with_features<T: Element>(source: &Source<'_, T>, out: &mut [Line], block: Block) {
    let Block { first_pair, pairs, first_width, widths, pair_step, width_step } = block;
    let words: *mut u32 = out.as_mut_ptr().cast();
    let base = source.data().as_ptr();
    // Nothing is read under an empty mask, but an unmapped address would still cost a suppressed fault, thousands
    // of cycles. So the load reads nothing from the start of the data.
    let at = |depth: usize, width: usize, empty: bool| {
        let offset = depth * source.depth_stride() + width * source.width_stride();
        base.wrapping_add(if empty { 0 } else { offset })
    };
    let along = |pair: usize, width: usize| {
        let (depth, width) = (2 * (first_pair + pair), first_width + width);
        let mask = if width < source.width() { ones(depth, source.depth()) } else { 0 };
        // SAFETY: the mask has ones only inside the source, whose depth stride is 1 where this is called.
        unsafe { T::along(at(depth, width, mask == 0), mask) }
    };
    let across = |pair: usize, width: usize| {
        let (depth, width) = (2 * (first_pair + pair), first_width + width);
        let of = |depth| if depth < source.depth() { ones(width, source.width()) as u16 } else { 0 };
        let (low, high) = (of(depth), of(depth + 1));
        // SAFETY: likewise; the width stride is 1.
        unsafe { T::across(at(depth, width, low == 0), low, at(depth + 1, width, high == 0), high) }
    };
    let store = |pair: usize, width: usize, vector: __m512i| {
        // SAFETY: a line of the block, which `Source::fill` has checked to be within `out`.
        unsafe { _mm512_storeu_si512(words.add(pair * pair_step + width * width_step).cast(), vector) };
    };
    match (source.depth_stride() == 1, pair_step == 1) {
        (true, true) => {
            for w in 0..widths {
                for p in (0..pairs).step_by(WORDS) {
                    store(p, w, along(p, w));
                }
            }
        }
        (true, false) => {
            for w in (0..widths).step_by(WORDS) {
                for p in (0..pairs).step_by(WORDS) {
                    let mut square = [_mm512_setzero_si512(); WORDS];
                    for (i, vector) in square.iter_mut().enumerate() {
                        *vector = along(p, w + i);
                    }
                    for (i, vector) in transposed(&square).into_iter().enumerate().take(pairs - p) {
                        store(p + i, w, vector);
                    }
                }
            }
        }
        (false, false) => {
            for p in 0..pairs {
                for w in (0..widths).step_by(WORDS) {
                    store(p, w, across(p, w));
                }
            }
        }
        (false, true) => {
            for p in (0..pairs).step_by(WORDS) {
                for w in (0..widths).step_by(WORDS) {
                    let mut square = [_mm512_setzero_si512(); WORDS];
                    for (i, vector) in square.iter_mut().enumerate() {
                        *vector = across(p + i, w);
                        // Prefetches the same columns 32 rows ahead: they are pages away, where the CPU does not
                        // prefetch.
                        let ahead = 2 * (first_pair + p + i + WORDS);
                        for depth in [ahead, ahead + 1] {
                            let empty = depth >= source.depth();
                            _mm_prefetch::<_MM_HINT_T0>(at(depth, first_width + w, empty).cast());
                        }
                    }
                    for (i, vector) in transposed(&square).into_iter().enumerate().take(widths - w) {
                        store(p, w + i, vector);
                    }
                }
            }
        }
    }
}

/// The 16 x 16 words, transposed.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: &[__m512i; WORDS]) -> [__m512i; WORDS] {
    // Within each 128-bit lane: words of two rows, then of four. Afterwards, lane l of vector 4 i + j contains the
    // words of column 4 l + j in rows 4 i .. 4 i + 4.
    let mut lanes = *rows;
    for i in 0..4 {
        let [a, b, c, d] = [rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        lanes[4 * i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        lanes[4 * i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        lanes[4 * i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        lanes[4 * i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    // Then the lanes themselves: a 4 x 4 transpose of lanes for each j.
    let mut columns = *rows;
    for j in 0..4 {
        let [a, b, c, d] = [lanes[j], lanes[4 + j], lanes[8 + j], lanes[12 + j]];
        let (ab_even, ab_odd) =
            (_mm512_shuffle_i32x4::<0b10_00_10_00>(a, b), _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b));
        let (cd_even, cd_odd) =
            (_mm512_shuffle_i32x4::<0b10_00_10_00>(c, d), _mm512_shuffle_i32x4::<0b11_01_11_01>(c, d));
        columns[j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(ab_even, cd_even);
        columns[4 + j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(ab_odd, cd_odd);
        columns[8 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(ab_even, cd_even);
        columns[12 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(ab_odd, cd_odd);
    }
    columns
}

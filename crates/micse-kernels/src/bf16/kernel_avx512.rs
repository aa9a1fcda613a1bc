//! The kernel on `vdpbf16ps`.

use super::isa::Avx512Bf16;
use super::product::{Start, TILE_ROWS, Tile};
use super::rhs::PANEL;
use crate::line::{Line, WORDS};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_load_si512,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
};

/// Vectors of sums per row of the tile.
const VECTORS: usize = PANEL / WORDS;

/// See [`Tile`].
#[allow(unsafe_code)]
pub(super) fn run(_: Avx512Bf16, mut tile: Tile<'_>) {
    macro_rules! by_rows {
        ($($rows:literal)*) => {
            match tile.rows {
                // SAFETY: the token proves that the CPU has the features.
                $($rows => unsafe { rows::<$rows>(&mut tile) },)*
                _ => unreachable!("a tile has 1 to {TILE_ROWS} rows"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// The 24 sums of 12 rows stay in registers, enough to cover the latency of two `vdpbf16ps` per cycle. A step of
/// 24 of them needs 2 loads of the panel and 12 broadcasts.
///
/// # Safety
/// The CPU must have the features.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn rows<const R: usize>(tile: &mut Tile<'_>) {
    let &mut Tile { lhs, lhs_stride, depth, rhs, ref mut out, out_stride, width, .. } = tile;
    let pairs = depth / 2;
    assert!((R - 1) * lhs_stride + depth <= lhs.len() && VECTORS * depth.div_ceil(2) <= rhs.len());
    let (lhs, rhs, out) = (lhs.as_ptr(), rhs.as_ptr(), out.as_mut_ptr());

    // SAFETY of every access below: the assertions.
    for i in 0..R {
        let row = out.wrapping_add(i * out_stride);
        _mm_prefetch::<_MM_HINT_T0>(row.cast());
        _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(width - 1).cast());
    }

    let mut sums = [[_mm512_setzero_ps(); VECTORS]; R];
    for pair in 0..pairs {
        let panel = unsafe { panel(rhs.add(VECTORS * pair)) };
        for (i, sums) in sums.iter_mut().enumerate() {
            let word = unsafe { lhs.add(i * lhs_stride + 2 * pair).cast::<i32>().read_unaligned() };
            let word = as_halves(_mm512_set1_epi32(word));
            for v in 0..VECTORS {
                sums[v] = _mm512_dpbf16_ps(sums[v], word, panel[v]);
            }
        }
    }
    if depth % 2 == 1 {
        // The high halves of the panel are zero here, and the left element beyond must not be read: it can belong
        // to the next row and be infinite.
        let panel = unsafe { panel(rhs.add(VECTORS * pairs)) };
        for (i, sums) in sums.iter_mut().enumerate() {
            let half = unsafe { lhs.add(i * lhs_stride + depth - 1).read() };
            let word = as_halves(_mm512_set1_epi32(i32::from(half)));
            for v in 0..VECTORS {
                sums[v] = _mm512_dpbf16_ps(sums[v], word, panel[v]);
            }
        }
    }

    // A copy, because indexing in the loop below would otherwise keep the sums in memory, in the loop above too.
    let done = sums;
    write(tile, 0, &done);
}

/// Adds what tiles left out of the sums of rows from `row` on, the depth from pair `first` on, and writes them.
#[allow(unsafe_code)]
pub(super) fn finish_tiles(
    _: Avx512Bf16,
    tile: &mut Tile<'_>,
    row: usize,
    first: usize,
    sums: &mut [[Line; VECTORS]],
) {
    // SAFETY: the token proves that the CPU has the features.
    unsafe { finish_rest(tile, row, first, sums) }
}

/// See [`finish_tiles`].
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn finish_rest(tile: &mut Tile<'_>, row: usize, first: usize, sums: &mut [[Line; VECTORS]]) {
    let &mut Tile { lhs, lhs_stride, depth, rhs, .. } = tile;
    // SAFETY: a line is a vector, with its alignment.
    let sums: &mut [[__m512; VECTORS]] =
        unsafe { std::slice::from_raw_parts_mut(sums.as_mut_ptr().cast(), sums.len()) };
    if 2 * first < depth {
        for (i, sums) in sums.iter_mut().enumerate() {
            let rest = &lhs[(row + i) * lhs_stride..][2 * first..depth];
            for (pair, halves) in (first..).zip(rest.chunks(2)) {
                let high = halves.get(1).copied().unwrap_or(0);
                let word = u32::from(high) << 16 | u32::from(halves[0]);
                let word = as_halves(_mm512_set1_epi32(word as i32));
                // SAFETY: the lines exist.
                let panel = unsafe { panel(rhs[VECTORS * pair..][..VECTORS].as_ptr()) };
                for v in 0..VECTORS {
                    sums[v] = _mm512_dpbf16_ps(sums[v], word, panel[v]);
                }
            }
        }
    }
    write(tile, row, sums);
}

/// Writes the sums of rows from `first` on, added to what they start with.
#[inline]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn write(tile: &mut Tile<'_>, first: usize, sums: &[[__m512; VECTORS]]) {
    let &mut Tile { ref mut out, out_stride, width, add, .. } = tile;
    assert!((first + sums.len() - 1) * out_stride + width <= out.len() && 0 < width && width <= PANEL);
    assert!(!matches!(add, Start::Bias(bias) if bias.len() < width));
    let out = out.as_mut_ptr().wrapping_add(first * out_stride);
    for v in 0..VECTORS {
        let column = v * WORDS;
        let mask = ones(width.saturating_sub(column));
        // SAFETY of this and every access below: the assertions, and masked values are not touched.
        let bias = match add {
            Start::Bias(bias) => unsafe { _mm512_maskz_loadu_ps(mask, bias.as_ptr().wrapping_add(column)) },
            Start::Zero | Start::Out => _mm512_setzero_ps(),
        };
        for (i, sums) in sums.iter().enumerate() {
            let at = out.wrapping_add(i * out_stride + column);
            let before = match add {
                Start::Out => unsafe { _mm512_maskz_loadu_ps(mask, at) },
                Start::Bias(_) | Start::Zero => bias,
            };
            let sum = _mm512_add_ps(before, sums[v]);
            if mask == u16::MAX {
                unsafe { _mm512_storeu_ps(at, sum) };
            } else {
                unsafe { _mm512_mask_storeu_ps(at, mask, sum) };
            }
        }
    }
}

/// The `count` lowest of 16 bits.
fn ones(count: usize) -> u16 {
    if count >= WORDS { u16::MAX } else { (1 << count) - 1 }
}

/// One pair of rows of a panel.
///
/// # Safety
/// The CPU must have AVX512F; the lines must be readable.
#[inline]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
unsafe fn panel(lines: *const Line) -> [__m512bh; VECTORS] {
    // SAFETY: the caller's promise.
    unsafe { [0, 1].map(|v| as_halves(_mm512_load_si512(lines.add(v).cast()))) }
}

#[allow(unsafe_code)]
fn as_halves(words: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits without invalid patterns.
    unsafe { std::mem::transmute(words) }
}

//! The kernels on `vpdpbusd`, which multiplies unsigned by signed bytes: activations by weights.

use std::arch::x86_64::{
    __m256i, __m512, __m512i, _mm256_dpbusd_avx_epi32, _mm256_load_si256, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32,
    _mm512_load_si512, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_mul_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_si512, _mm512_sllv_epi32, _mm512_srai_epi32,
};

use super::isa::{Avx512Vnni, AvxVnni};
use super::product::{Finish, Panel, Sums, Tile, WideTile};
use super::weights::PANEL;
use crate::grid::Block;
use crate::line::Line;

/// Rows per tile.
const ROWS: usize = 6;

/// See [`Tile`].
#[allow(unsafe_code)]
pub(super) fn sums(_: AvxVnni, tile: &Tile<'_, u8>) -> Sums<ROWS> {
    macro_rules! by_rows {
        ($($count:literal)*) => {
            match tile.rows() {
                // SAFETY: the token proves that the CPU has the instructions.
                $($count => unsafe { rows::<$count>(tile) },)*
                rows => unreachable!("a tile of {rows} rows is too large"),
            }
        };
    }
    by_rows!(1 2 3 4 5 6)
}

/// The outputs of a tile of one or two panels, by the formula of this module's parent.
#[allow(unsafe_code)]
pub(super) fn wide_outputs(_: Avx512Vnni, tile: &WideTile<'_>, out: &mut Block<'_>) {
    macro_rules! by_size {
        ($($rows:literal)*) => {
            match (tile.finish.ranges.len(), tile.finish.panels) {
                $(
                    // SAFETY: the token proves that the CPU has the instructions.
                    ($rows, [Some(first), Some(second)]) => unsafe { wide::<$rows, 2>(tile, [first, second], out) },
                    // SAFETY: likewise.
                    ($rows, [Some(first), None]) => unsafe { wide::<$rows, 1>(tile, [first], out) },
                )*
                (rows, _) => unreachable!("a tile of {rows} rows is too large"),
            }
        };
    }
    by_size!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// A line is one vector. The sums of twelve rows and two panels stay in registers: enough to hide the latency of an
/// addition, and each broadcast serves two products.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512vnni")]
fn wide<const R: usize, const P: usize>(tile: &WideTile<'_>, panels: [&Panel<'_>; P], out: &mut Block<'_>) {
    let words = panels[0].lines.len();
    assert!(panels.iter().all(|panel| panel.lines.len() == words));
    assert!(tile.activations.len() == 4 * R * words && tile.finish.ranges.len() == R);
    let activations = tile.activations.as_ptr();
    let mut sums = [[_mm512_setzero_si512(); P]; R];
    for place in 0..words {
        // SAFETY: a line has 64 bytes and is aligned to them; the assertions.
        let weights =
            panels.map(|panel| unsafe { _mm512_load_si512(panel.lines.as_ptr().add(place).cast()) });
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the row and the place are in the tile by the assertions.
            let word = unsafe { activations.add(4 * (row * words + place)).cast::<i32>().read_unaligned() };
            let word = _mm512_set1_epi32(word);
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_dpbusd_epi32(*sum, word, weights);
            }
        }
    }
    // A copy, because the loop below would otherwise keep the sums in memory, in the loop above too.
    let mut done = [[Line::ZERO; 2]; R];
    for (done, sums) in done.iter_mut().zip(sums) {
        for (done, sum) in done.iter_mut().zip(sums) {
            *done = as_line(sum);
        }
    }
    finish(&tile.finish, panels, &done, out);
}

/// The outputs of up to 32 rows from the sums of tiles, which lack the depth from word `first` on.
#[allow(unsafe_code)]
pub(super) fn finish_tiles(
    _: Avx512Vnni,
    rows: &Finish<'_>,
    activations: &[u8],
    first: usize,
    sums: &mut [[Line; 2]],
    out: &mut Block<'_>,
) {
    match rows.panels {
        // SAFETY: the token proves that the CPU has the instructions.
        [Some(one), Some(two)] => unsafe { finish_rest(rows, [one, two], activations, first, sums, out) },
        // SAFETY: likewise.
        [Some(one), None] => unsafe { finish_rest(rows, [one], activations, first, sums, out) },
        [None, _] => unreachable!("a tile has a panel"),
    }
}

/// See [`finish_tiles`].
#[target_feature(enable = "avx512f,avx512vnni")]
fn finish_rest<const P: usize>(
    rows: &Finish<'_>,
    panels: [&Panel<'_>; P],
    activations: &[u8],
    first: usize,
    sums: &mut [[Line; 2]],
    out: &mut Block<'_>,
) {
    let words = panels[0].lines.len();
    assert!(panels.iter().all(|panel| panel.lines.len() == words));
    if first < words {
        let activations = activations.as_chunks::<4>().0.chunks_exact(words);
        for (sums, activations) in sums.iter_mut().zip(activations) {
            for (place, &word) in activations.iter().enumerate().skip(first) {
                let word = _mm512_set1_epi32(i32::from_le_bytes(word));
                for (sum, panel) in sums.iter_mut().zip(panels) {
                    *sum = as_line(_mm512_dpbusd_epi32(load(sum), word, load(&panel.lines[place])));
                }
            }
        }
    }
    finish(rows, panels, sums, out);
}

/// Applies the formula of this module's parent to sums: of `P` panels, for each row.
#[inline]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f,avx512vnni")]
fn finish<const P: usize>(
    rows: &Finish<'_>,
    panels: [&Panel<'_>; P],
    sums: &[[Line; 2]],
    out: &mut Block<'_>,
) {
    assert!(rows.ranges.len() == rows.cuts.len() && rows.ranges.len() == sums.len());
    // SAFETY: all are arrays of 16 values.
    let floats = |values: &[f32; PANEL]| unsafe { _mm512_loadu_ps(values.as_ptr()) };
    let factors = panels.map(|panel| (floats(&panel.channels.scales), floats(&panel.channels.totals)));
    let biases = panels.map(|panel| panel.bias.as_ref().map(floats));
    for (row, ((sums, range), cuts)) in sums.iter().zip(rows.ranges).zip(rows.cuts).enumerate() {
        let to = out.row(rows.first + row, rows.columns.clone());
        assert!(to.len() > (P - 1) * PANEL && to.len() <= P * PANEL);
        let mut outputs: [__m512; P] = std::array::from_fn(|p| {
            let (scales, totals) = factors[p];
            let scale = _mm512_mul_ps(_mm512_set1_ps(range.step), scales);
            let product = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(load(&sums[p])));
            let lowest = _mm512_mul_ps(_mm512_set1_ps(range.lowest), totals);
            let sum = _mm512_add_ps(product, lowest);
            biases[p].map_or(sum, |bias| _mm512_add_ps(sum, bias))
        });
        for cut in cuts {
            let (word, place) = (cut.input as usize / 4, cut.input % 4);
            let left = _mm512_set1_epi32((24 - 8 * place) as i32);
            for (p, output) in outputs.iter_mut().enumerate() {
                let weights = load(&panels[p].lines[word]);
                let weights = _mm512_srai_epi32::<24>(_mm512_sllv_epi32(weights, left));
                let weights = _mm512_mul_ps(factors[p].0, _mm512_cvtepi32_ps(weights));
                *output = _mm512_add_ps(*output, _mm512_mul_ps(_mm512_set1_ps(cut.value), weights));
            }
        }
        for (p, output) in outputs.into_iter().enumerate() {
            let width = (to.len() - p * PANEL).min(PANEL);
            let mask = u16::MAX >> (PANEL - width);
            // SAFETY: the row has this many outputs of the panel by the assertion.
            unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr().add(p * PANEL), mask, output) };
        }
    }
}

#[inline]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line has 64 bytes and is aligned to them.
    unsafe { _mm512_load_si512((&raw const *line).cast()) }
}

#[inline]
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
fn as_line(vector: __m512i) -> Line {
    // SAFETY: both are 64 bytes of integers.
    unsafe { std::mem::transmute(vector) }
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
            // SAFETY: the row and the place are in the tile by the assertion.
            let word = unsafe {
                let at = 4 * (row * tile.panel.len() + place);
                tile.activations.as_ptr().add(at).cast::<i32>().read_unaligned()
            };
            let word = _mm256_set1_epi32(word);
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

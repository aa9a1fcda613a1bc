//! Transposition with AVX-512, in blocks of 16 rows and columns that stay in registers.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutex2var_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use crate::simd::LANES;

/// `to[column, row] = from[row, column]`, for the given numbers of rows and columns; the columns are whole vectors, and
/// `to` gets zeros for missing rows.
#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(
    to: &mut [f32],
    to_stride: usize,
    from: &[f32],
    from_stride: usize,
    (rows, columns): (usize, usize),
) {
    for first in (0..rows).step_by(LANES) {
        for column in (0..columns).step_by(LANES) {
            let mut block = [_mm512_setzero_ps(); LANES];
            for (row, vector) in (first..rows).zip(&mut block) {
                let from = &from[row * from_stride + column..][..LANES];
                // SAFETY: `from` is one vector.
                *vector = unsafe { _mm512_loadu_ps(from.as_ptr()) };
            }
            exchange::<8>(&mut block);
            exchange::<4>(&mut block);
            exchange::<2>(&mut block);
            exchange::<1>(&mut block);
            for (row, vector) in block.into_iter().enumerate() {
                let to = &mut to[(column + row) * to_stride + first..][..LANES];
                // SAFETY: `to` is one vector.
                unsafe { _mm512_storeu_ps(to.as_mut_ptr(), vector) };
            }
        }
    }
}

/// In all squares of `2 SIZE` rows and lanes, exchanges the quarter above the diagonal with the one below it.
#[target_feature(enable = "avx512f")]
fn exchange<const SIZE: usize>(block: &mut [__m512; LANES]) {
    let (upper, lower) = (indices(&const { lanes(SIZE, false) }), indices(&const { lanes(SIZE, true) }));
    for row in (0..LANES).filter(|row| row & SIZE == 0) {
        let (a, b) = (block[row], block[row + SIZE]);
        block[row] = _mm512_permutex2var_ps(a, upper, b);
        block[row + SIZE] = _mm512_permutex2var_ps(a, lower, b);
    }
}

/// From which lanes the lanes of a pair's upper or lower row come; those of the lower row count from 16.
const fn lanes(size: usize, lower: bool) -> [i32; LANES] {
    let mut lanes = [0; LANES];
    let mut lane = 0;
    while lane < LANES {
        let is_left = lane & size == 0;
        lanes[lane] = match (lower, is_left) {
            (false, true) => lane,
            (false, false) => LANES + lane - size,
            (true, true) => lane + size,
            (true, false) => LANES + lane,
        } as i32;
        lane += 1;
    }
    lanes
}

#[allow(unsafe_code)]
#[target_feature(enable = "avx512f")]
fn indices(lanes: &[i32; LANES]) -> __m512i {
    // SAFETY: the lanes are one vector.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::has_wide_registers;

    #[test]
    fn every_number_of_rows() {
        if !has_wide_registers() {
            return;
        }
        let (columns, from_stride, to_stride) = (32, 40, 80);
        let from: Vec<f32> = (0..70 * from_stride).map(|i| i as f32 + 1.0).collect();
        for rows in 1..=70 {
            let mut to = vec![f32::NAN; columns * to_stride];
            // SAFETY: the CPU has AVX-512.
            #[allow(unsafe_code)]
            unsafe {
                transpose(&mut to, to_stride, &from, from_stride, (rows, columns));
            }
            for (column, to) in to.chunks_exact(to_stride).enumerate() {
                for (row, &value) in to[..rows.next_multiple_of(LANES)].iter().enumerate() {
                    let expected = if row < rows { from[row * from_stride + column] } else { 0.0 };
                    assert_eq!(
                        value.to_bits(),
                        expected.to_bits(),
                        "{rows} rows: row {row}, column {column}"
                    );
                }
            }
        }
    }
}

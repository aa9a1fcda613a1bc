//! The kernel in plain Rust, compiled for the vector extensions that the processor has.

use super::line::{Line, WORDS};
use super::product::Tile;
use super::round::widen;
use super::rhs::PANEL;

/// Rows and columns whose sums are kept in registers: 8 vectors of 8 leave room for the operands in 16.
const ROWS: usize = 4;

/// See [`Tile`].
pub(super) fn run(tile: &mut Tile<'_>) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut row = 0;
            while row + ROWS <= tile.rows {
                rows::<ROWS>(tile, row);
                row += ROWS;
            }
            for row in row..tile.rows {
                rows::<1>(tile, row);
            }
        },
    );
}

#[inline(always)]
fn rows<const R: usize>(tile: &mut Tile<'_>, first: usize) {
    let lhs: [&[u16]; R] =
        std::array::from_fn(|i| &tile.lhs[(first + i) * tile.lhs_stride..][..tile.depth]);
    for half in 0..tile.width.div_ceil(WORDS) {
        let mut sums = [[0f32; WORDS]; R];
        let lines = tile.rhs.iter().skip(half).step_by(PANEL / WORDS);
        for (pair, Line(words)) in lines.enumerate() {
            let low = words.map(|word| widen(word as u16));
            let high = words.map(|word| widen((word >> 16) as u16));
            for i in 0..R {
                let a = widen(lhs[i][2 * pair]);
                let b = lhs[i].get(2 * pair + 1).map_or(0.0, |&b| widen(b));
                for j in 0..WORDS {
                    sums[i][j] += a * low[j];
                    sums[i][j] += b * high[j];
                }
            }
        }
        let columns = half * WORDS..tile.width.min((half + 1) * WORDS);
        for (i, sums) in sums.iter().enumerate() {
            let out = &mut tile.out[(first + i) * tile.out_stride..][columns.clone()];
            match tile.add {
                super::product::Start::Zero => out.copy_from_slice(&sums[..out.len()]),
                super::product::Start::Bias(bias) => {
                    for ((out, sum), bias) in out.iter_mut().zip(sums).zip(&bias[columns.clone()]) {
                        *out = bias + sum;
                    }
                }
                super::product::Start::Out => {
                    for (out, sum) in out.iter_mut().zip(sums) {
                        *out += sum;
                    }
                }
            }
        }
    }
}

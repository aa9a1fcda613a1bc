//! The kernel on f32 vectors of any width that the CPU has.

use super::product::{Start, Tile};
use super::rhs::PANEL;
use super::round::widen;
use crate::line::as_words;
use pulp::{Simd, WithSimd};

/// See [`Tile`].
pub(super) fn run(tile: Tile<'_>) {
    pulp::Arch::new().dispatch(tile);
}

impl WithSimd for Tile<'_> {
    type Output = ();

    /// Rows and vectors whose sums stay in registers: 32 registers with AVX-512, otherwise 16.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if S::F32_LANES == 16 { self.multiply::<S, 8, 2>(simd) } else { self.multiply::<S, 4, 2>(simd) }
    }
}

impl Tile<'_> {
    #[inline(always)]
    fn multiply<S: Simd, const R: usize, const V: usize>(&mut self, simd: S) {
        for column in (0..self.width).step_by(V * S::F32_LANES) {
            let mut row = 0;
            while row + R <= self.rows {
                self.block::<S, R, V>(simd, row, column);
                row += R;
            }
            while row < self.rows {
                self.block::<S, 1, V>(simd, row, column);
                row += 1;
            }
        }
    }

    /// Computes R rows and V vectors of columns.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, first: usize, column: usize) {
        let sums = self.sums::<S, R, V>(simd, first, column);
        let columns = column..self.width.min(column + V * S::F32_LANES);
        for (i, sums) in sums.iter().enumerate() {
            let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
            let out = &mut self.out[(first + i) * self.out_stride..][columns.clone()];
            match self.add {
                Start::Zero => out.copy_from_slice(&sums[..out.len()]),
                Start::Bias(bias) => {
                    for ((out, sum), bias) in out.iter_mut().zip(sums).zip(&bias[columns.clone()]) {
                        *out = bias + sum;
                    }
                }
                Start::Out => {
                    for (out, sum) in out.iter_mut().zip(sums) {
                        *out += sum;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn sums<S: Simd, const R: usize, const V: usize>(
        &self,
        simd: S,
        first: usize,
        column: usize,
    ) -> [[S::f32s; V]; R] {
        let lhs: [&[u16]; R] =
            std::array::from_fn(|i| &self.lhs[(first + i) * self.lhs_stride..][..self.depth]);
        let (panel, _) = S::as_simd_u32s(as_words(self.rhs));
        let (first_vector, upper, shift) =
            (column / S::F32_LANES, simd.splat_u32s(0xffff_0000), simd.splat_u32s(16));
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (pair, vectors) in panel.chunks_exact(PANEL / S::F32_LANES).enumerate() {
            let vectors = &vectors[first_vector..first_vector + V];
            let (mut low, mut high) = ([simd.splat_f32s(0.0); V], [simd.splat_f32s(0.0); V]);
            for v in 0..V {
                low[v] = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(vectors[v], shift));
                high[v] = simd.transmute_f32s_u32s(simd.and_u32s(vectors[v], upper));
            }
            for i in 0..R {
                let a = simd.splat_f32s(widen(lhs[i][2 * pair]));
                // An odd depth ends in half a pair; the other half is zero in the panel.
                let b = if 2 * pair + 1 < self.depth { widen(lhs[i][2 * pair + 1]) } else { 0.0 };
                let b = simd.splat_f32s(b);
                for v in 0..V {
                    sums[i][v] = simd.mul_add_e_f32s(a, low[v], sums[i][v]);
                    sums[i][v] = simd.mul_add_e_f32s(b, high[v], sums[i][v]);
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lhs, Rhs};
    use super::*;
    use crate::View;
    use micse_random::Stream;

    /// Checks one tile of 11 rows, depth 75 and 21 columns, added to ones, through `run`, against f64.
    fn check(run: impl Fn(Tile<'_>)) {
        const SHAPE: (usize, usize, usize) = (11, 75, 21);
        let (m, k, n) = SHAPE;
        let mut draws = Stream::new(3).draws();
        let mut normal = |count| -> Vec<f32> { (0..count).map(|_| draws.normal() as f32).collect() };
        let (x, w) = (normal(m * k), normal(k * n));
        let (mut lhs, mut rhs) = (Lhs::portable(), Rhs::portable());
        lhs.pack(View::new(&x, m, k, k));
        rhs.pack(View::new(&w, k, n, n));
        let (a, mut out) = (lhs.view(), vec![1.0; m * n]);
        let (_, depth, mut panels) = rhs.blocks().next().unwrap();
        run(Tile {
            rows: m,
            lhs: a.data,
            lhs_stride: a.row_stride,
            depth,
            rhs: panels.next().unwrap(),
            out: &mut out,
            out_stride: n,
            width: n,
            add: Start::Out,
        });
        for (i, &got) in out.iter().enumerate() {
            let (row, column) = (i / n, i % n);
            let half = |x: f32| f64::from(widen(super::super::round(x)));
            let want = 1.0 + (0..k).map(|l| half(x[row * k + l]) * half(w[l * n + column])).sum::<f64>();
            assert!((f64::from(got) - want).abs() < 1e-4, "({row}, {column}) is {got}, not {want}");
        }
    }

    #[test]
    fn every_width_of_vectors() {
        check(run);
        check(|tile| tile.with_simd(pulp::Scalar::new()));
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = pulp::x86::V3::try_new() {
                check(|tile| Simd::vectorize(simd, tile));
            }
            if let Some(simd) = pulp::x86::V4::try_new() {
                check(|tile| Simd::vectorize(simd, tile));
            }
        }
    }
}

//! GFLOP/s of bfloat16 products and of the `gemm` crate's f32 products, and GB/s of packing, for the shapes of
//! small transformer encoders, compared with the CPU's peak.
//!
//! ```text
//! cargo run --release -p micse-kernels --example bf16_speed [-- ROUNDS]
//! ```
//!
//! A product m x k x n counts as 2 m k n operations; packing counts the f32 bytes read. Each number is the best of
//! ROUNDS (30 by default) on rayon's pool (`RAYON_NUM_THREADS`).

mod timing;

use micse_kernels::View;
use micse_kernels::bf16::{Lhs, Rhs, Start, product};
use std::hint::black_box;
use timing::{best, normal, rounds};

/// `out += lhs . rhs` in f32 by the `gemm` crate.
#[allow(unsafe_code)]
fn product_f32(out: &mut [f32], lhs: View<'_>, rhs: View<'_>) {
    let (m, n) = (lhs.rows(), rhs.columns());
    assert!(out.len() == m * n && lhs.columns() == rhs.rows());
    // SAFETY: the views are within their slices, `out` is m x n.
    unsafe {
        gemm::gemm(
            m,
            n,
            lhs.columns(),
            out.as_mut_ptr(),
            1,
            n as isize,
            true,
            lhs.data().as_ptr(),
            lhs.column_stride() as isize,
            lhs.row_stride() as isize,
            rhs.data().as_ptr(),
            rhs.column_stride() as isize,
            rhs.row_stride() as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}

/// The kernel's instruction, and its GFLOP/s on registers only, for all threads together.
fn ceiling(rounds: usize) -> Option<(&'static str, f64)> {
    #[cfg(target_arch = "x86_64")]
    {
        use timing::tiles;
        if micse_kernels::uses_amx() {
            return Some(("tdpbf16ps", timing::ceiling(rounds, tiles::HALF_OPERATIONS, tiles::halves)));
        }
        if std::arch::is_x86_feature_detected!("avx512bf16") {
            return Some(("vdpbf16ps", timing::ceiling(rounds, peak::FLOPS, peak::steps)));
        }
    }
    let _ = rounds;
    None
}

#[cfg(target_arch = "x86_64")]
mod peak {
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_reduce_add_ps, _mm512_set1_epi32, _mm512_setzero_ps,
    };
    use std::hint::black_box;

    const SUMS: usize = 24;

    /// Operations per step.
    pub(crate) const FLOPS: usize = SUMS * 64;

    #[allow(unsafe_code)]
    pub(crate) fn steps(count: usize) {
        // SAFETY: the caller has detected the feature.
        black_box(unsafe { on_registers(count) });
    }

    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn on_registers(count: usize) -> f32 {
        // SAFETY: both are 512 bits without invalid patterns.
        let ones =
            unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(black_box(0x3f80_3f80))) };
        let other = black_box(ones);
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..count {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, ones, other);
            }
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }
}

fn main() {
    let rounds = rounds();
    if let Some((instruction, rate)) = ceiling(rounds) {
        println!("{instruction} on registers, {} threads: {rate:.0} GFLOP/s", rayon::current_num_threads());
    }
    println!("GFLOP/s; packing in GB/s");
    println!(
        "{:>20} {:>6} {:>9} {:>8} {:>9} {:>9} {:>8}",
        "m x k x n", "bf16", "with lhs", "portable", "gemm f32", "pack lhs", "pack rhs"
    );
    for (m, k, n) in
        [(1100, 384, 384), (2700, 384, 384), (2700, 384, 1152), (1100, 384, 1536), (2700, 384, 1536)]
    {
        line(rounds, "Y = X W^T", m, k, n);
    }
    for (m, k, n) in [(1100, 1536, 384), (2700, 1536, 384), (1100, 256, 1024), (1100, 1024, 256)] {
        line(rounds, "Y = X W^T", m, k, n);
    }
    for (m, k, n) in [(1100, 768, 768), (1100, 768, 3072), (1100, 3072, 768)] {
        line(rounds, "Y = X W^T", m, k, n);
    }
    for (m, k, n) in
        [(384, 1101, 384), (384, 2701, 384), (1152, 2701, 384), (1536, 2701, 384), (384, 2701, 1536)]
    {
        line(rounds, "dW = dY^T X", m, k, n);
    }
}

/// One shape. In a forward product, the left operand is by rows and the right one transposed; in a weight
/// gradient, the left one is transposed and the right one by rows.
fn line(rounds: usize, kind: &str, m: usize, k: usize, n: usize) {
    let (x, w) = (normal(1, m * k), normal(2, k * n));
    let (left, right) = if kind == "Y = X W^T" {
        (View::new(&x, m, k, k), View::new(&w, n, k, k).transposed())
    } else {
        (View::new(&x, k, m, m).transposed(), View::new(&w, k, n, n))
    };
    let mut out = vec![0.0; m * n];
    let rate = |seconds: f64| (2 * m * k * n) as f64 / seconds / 1e9;
    let (mut lhs, mut rhs) = (Lhs::new(), Rhs::new());
    let lhs_seconds = best(rounds, || lhs.pack(black_box(left)));
    let rhs_seconds = best(rounds, || rhs.pack(black_box(right)));
    let alone = best(rounds, || product(&mut out, n, lhs.view(), &rhs, Start::Zero));
    let with_lhs = best(rounds, || {
        lhs.pack(left);
        product(&mut out, n, lhs.view(), &rhs, Start::Zero);
    });
    let mut plain = Rhs::portable();
    plain.pack(right);
    let portable = best(rounds.div_ceil(4), || product(&mut out, n, lhs.view(), &plain, Start::Zero));
    let f32s = best(rounds.div_ceil(2), || product_f32(&mut out, left, right));
    println!(
        "{:>20} {:>6.0} {:>9.0} {:>8.0} {:>9.0} {:>9.1} {:>8.1}  {kind}",
        format!("{m} x {k} x {n}"),
        rate(alone),
        rate(with_lhs),
        rate(portable),
        rate(f32s),
        (4 * m * k) as f64 / lhs_seconds / 1e9,
        (4 * k * n) as f64 / rhs_seconds / 1e9
    );
}

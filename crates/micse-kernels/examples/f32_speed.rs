//! GFLOP/s of f32 products with a weight matrix `[n, k]`: with weights packed beforehand, and with the `gemm` crate, which
//! packs them in each product; compared with the CPU's peak with AVX2.
//!
//! ```text
//! cargo run --release -p micse-kernels --example f32_speed [-- ROUNDS]
//! ```
//!
//! A product m x k x n counts as 2 m k n operations. Each number is the best of ROUNDS (30 by default) on rayon's pool
//! (`RAYON_NUM_THREADS`). The weights of six layers take turns, as in an encoder, so that they come from memory.

mod timing;

use micse_kernels::panels::Panels;
use micse_kernels::{View, Write, panels, product};
use std::hint::black_box;
use timing::{best, normal, rounds};

const LAYERS: usize = 6;

#[cfg(target_arch = "x86_64")]
mod peak {
    use std::arch::x86_64::{_mm256_cvtss_f32, _mm256_fmadd_ps, _mm256_set1_ps, _mm256_setzero_ps};
    use std::hint::black_box;

    const SUMS: usize = 12;

    /// Operations per step.
    pub(crate) const OPERATIONS: usize = SUMS * 16;

    #[allow(unsafe_code)]
    pub(crate) fn steps(count: usize) {
        // SAFETY: the caller has detected the features.
        black_box(unsafe { on_registers(count) });
    }

    #[target_feature(enable = "avx2,fma")]
    fn on_registers(count: usize) -> f32 {
        let mut factor = _mm256_set1_ps(black_box(0.5));
        let mut sums = [_mm256_setzero_ps(); SUMS];
        for _ in 0..count {
            // Otherwise the compiler would compute the product once.
            factor = black_box(factor);
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, factor);
            }
        }
        sums.into_iter().map(|sum| _mm256_cvtss_f32(sum)).sum()
    }
}

fn main() {
    let rounds = rounds();
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        let rate = timing::ceiling(rounds, peak::OPERATIONS, peak::steps);
        println!("vfmadd on registers, {} threads: {rate:.0} GFLOP/s", rayon::current_num_threads());
    }
    println!("{:>20} {:>8} {:>8}", "m x k x n", "packed", "gemm");
    for (k, n) in [(384, 1152), (384, 384), (384, 1536), (1536, 384)] {
        let weights: Vec<Vec<f32>> = (0..LAYERS).map(|layer| normal(2 + layer as u64, k * n)).collect();
        let packed: Vec<Panels> = weights
            .iter()
            .map(|weight| {
                let mut panels = Panels::default();
                panels.pack(weight, k);
                panels
            })
            .collect();
        for m in [1, 4, 12, 48, 128, 512, 2048] {
            let (x, mut out) = (normal(1, m * k), vec![0.0; m * n]);
            let mut rate = |product: &dyn Fn(&mut [f32], usize)| {
                let seconds =
                    best(rounds, || (0..LAYERS).for_each(|layer| product(black_box(&mut out), layer)));
                (LAYERS * 2 * m * k * n) as f64 / seconds / 1e9
            };
            let packed = rate(&|out, layer| panels::product(out, &x, &packed[layer], None));
            let gemm = rate(&|out, layer| {
                let weight = View::new(&weights[layer], n, k, k).transposed();
                product(out, View::new(&x, m, k, k), weight, Write::Replace);
            });
            println!("{:>20} {packed:>8.1} {gemm:>8.1}", format!("{m} x {k} x {n}"));
        }
    }
}

//! Gop/s of 8-bit products, with and without rounding the activations, and of the `gemm` crate's f32 products, for the
//! shapes of small transformer encoders, compared with the CPU's peak.
//!
//! ```text
//! cargo run --release -p micse-kernels --example int8_speed [-- ROUNDS]
//! ```
//!
//! A product m x k x n counts as 2 m k n operations. Each number is the best of ROUNDS (30 by default) on rayon's pool
//! (`RAYON_NUM_THREADS`).

mod timing;

use micse_kernels::int8::{Rows, Weights, product};
use micse_kernels::{View, Write};
use std::hint::black_box;
use timing::{best, normal, rounds};

/// The kernel's instructions, and their Gop/s on registers only, for all threads together.
fn ceiling(rounds: usize) -> Option<(&'static str, f64)> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        use timing::tiles;
        if micse_kernels::uses_amx() {
            return Some(("tdpbusd", timing::ceiling(rounds, tiles::BYTE_OPERATIONS, tiles::bytes)));
        }
        if has!("avx512f") && has!("avx512vnni") {
            let rate = timing::ceiling(rounds, peak::WIDE_VNNI_OPERATIONS, peak::wide_vnni_steps);
            return Some(("vpdpbusd on 512 bits", rate));
        }
        if has!("avx2") && has!("avxvnni") {
            let rate = timing::ceiling(rounds, peak::VNNI_OPERATIONS, peak::vnni_steps);
            return Some(("vpdpbusd on 256 bits", rate));
        }
        if has!("avx2") {
            return Some(("vpmaddwd and vpaddd", timing::ceiling(rounds, peak::OPERATIONS, peak::steps)));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("dotprod") {
        return Some(("sdot", timing::ceiling(rounds, peak::OPERATIONS, peak::steps)));
    }
    let _ = rounds;
    None
}

#[cfg(target_arch = "x86_64")]
mod peak {
    use std::arch::x86_64::{
        _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_extract_epi32, _mm256_madd_epi16,
        _mm256_set1_epi16, _mm256_setzero_si256, _mm512_dpbusd_epi32, _mm512_reduce_add_epi32,
        _mm512_set1_epi8, _mm512_setzero_si512,
    };
    use std::hint::black_box;

    const SUMS: usize = 12;

    /// Operations per step: of `vpmaddwd`, and of `vpdpbusd` on 256 and 512 bits.
    pub(crate) const OPERATIONS: usize = SUMS * 32;
    pub(crate) const VNNI_OPERATIONS: usize = SUMS * 64;
    pub(crate) const WIDE_VNNI_OPERATIONS: usize = SUMS * 128;

    macro_rules! steps {
        ($name:ident, $loop:ident, $features:literal, $factor:expr, $zero:expr, $step:expr, $read:expr) => {
            #[allow(unsafe_code)]
            pub(crate) fn $name(count: usize) {
                // SAFETY: the caller has detected the features.
                black_box(unsafe { $loop(count) });
            }

            #[target_feature(enable = $features)]
            fn $loop(count: usize) -> i32 {
                let mut factor = $factor;
                let mut sums = [$zero; SUMS];
                for _ in 0..count {
                    // Otherwise the compiler would compute the product once.
                    factor = black_box(factor);
                    for sum in &mut sums {
                        *sum = $step(*sum, factor);
                    }
                }
                sums.into_iter().map(|sum| $read(sum)).fold(0, i32::wrapping_add)
            }
        };
    }

    steps!(
        steps,
        on_registers,
        "avx2",
        _mm256_set1_epi16(black_box(3)),
        _mm256_setzero_si256(),
        |sum, factor| _mm256_add_epi32(sum, _mm256_madd_epi16(sum, factor)),
        |sum| _mm256_extract_epi32::<0>(sum)
    );
    steps!(
        vnni_steps,
        vnni_on_registers,
        "avx2,avxvnni",
        _mm256_set1_epi16(black_box(3)),
        _mm256_setzero_si256(),
        |sum, factor| _mm256_dpbusd_avx_epi32(sum, factor, factor),
        |sum| _mm256_extract_epi32::<0>(sum)
    );
    steps!(
        wide_vnni_steps,
        wide_vnni_on_registers,
        "avx512f,avx512vnni",
        _mm512_set1_epi8(black_box(3)),
        _mm512_setzero_si512(),
        |sum, factor| _mm512_dpbusd_epi32(sum, factor, factor),
        |sum| _mm512_reduce_add_epi32(sum)
    );
}

#[cfg(target_arch = "aarch64")]
mod peak {
    use std::arch::aarch64::{int8x16_t, int32x4_t, vaddvq_s32, vdupq_n_s8, vdupq_n_s32};
    use std::arch::asm;
    use std::hint::black_box;

    const SUMS: usize = 24;

    /// Operations per step.
    pub(crate) const OPERATIONS: usize = SUMS * 32;

    #[allow(unsafe_code)]
    pub(crate) fn steps(count: usize) {
        // SAFETY: the caller has detected the feature.
        black_box(unsafe { on_registers(count) });
    }

    #[allow(unsafe_code)]
    #[target_feature(enable = "neon,dotprod")]
    fn on_registers(count: usize) -> i32 {
        let factor: int8x16_t = vdupq_n_s8(black_box(3));
        let mut sums: [int32x4_t; SUMS] = [vdupq_n_s32(0); SUMS];
        for _ in 0..count {
            for sum in &mut sums {
                // SAFETY: the instruction changes its first operand only, and the function has the feature.
                unsafe {
                    asm!(
                        "sdot {0:v}.4s, {1:v}.16b, {1:v}.16b",
                        inout(vreg) *sum,
                        in(vreg) factor,
                        options(nomem, nostack, preserves_flags)
                    );
                }
            }
        }
        sums.into_iter().map(|sum| vaddvq_s32(sum)).fold(0, i32::wrapping_add)
    }
}

fn main() {
    let rounds = rounds();
    if let Some((name, rate)) = ceiling(rounds) {
        println!("{name} on registers, {} threads: {rate:.0} Gop/s", rayon::current_num_threads());
    }
    println!("Gop/s; rounding in GB/s of f32");
    println!(
        "{:>20} {:>6} {:>14} {:>9} {:>9} {:>9}",
        "m x k x n", "int8", "with rounding", "portable", "gemm f32", "rounding"
    );
    for (m, k, n) in
        [(2700, 384, 384), (2700, 384, 1152), (2700, 384, 1536), (2700, 1536, 384), (1100, 256, 1024)]
    {
        line(rounds, m, k, n);
    }
    for (m, k, n) in
        [(1100, 768, 768), (1100, 768, 3072), (1100, 3072, 768), (12, 384, 1536), (12, 1536, 384)]
    {
        line(rounds, m, k, n);
    }
}

fn line(rounds: usize, m: usize, k: usize, n: usize) {
    let (x, w, factors) = (normal(1, m * k), normal(2, k * n), vec![1.5; k]);
    let integers: Vec<i8> = w.iter().map(|w| (30.0 * w) as i8).collect();
    let weights = Weights::new(&integers, k, &vec![0.03; n]);
    let portable = weights.clone().portable();
    let (mut rows, mut out) = (Rows::default(), vec![0.0; m * n]);
    let rate = |seconds: f64| (2 * m * k * n) as f64 / seconds / 1e9;
    let rounding = best(rounds, || rows.round(black_box(&x), k, Some(&factors)));
    let alone = best(rounds, || product(&mut out, &rows, &weights, None));
    let both = best(rounds, || {
        rows.round(black_box(&x), k, Some(&factors));
        product(&mut out, &rows, &weights, None);
    });
    let plain = best(rounds.div_ceil(4), || product(&mut out, &rows, &portable, None));
    let f32s = best(rounds.div_ceil(2), || {
        micse_kernels::product(
            &mut out,
            View::new(&x, m, k, k),
            View::new(&w, n, k, k).transposed(),
            Write::Replace,
        );
    });
    println!(
        "{:>20} {:>6.0} {:>14.0} {:>9.0} {:>9.0} {:>9.1}",
        format!("{m} x {k} x {n}"),
        rate(alone),
        rate(both),
        rate(plain),
        rate(f32s),
        (4 * m * k) as f64 / rounding / 1e9,
    );
}

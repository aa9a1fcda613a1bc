//! What this machine can do, and what this process has taken of it.

use std::time::Instant;

/// Rows and columns of the measured product.
const SIZE: usize = 2048;
/// Products of one measurement, after one to warm up.
const REPEATS: usize = 6;

/// Rates of the `gemm` crate's f32 product of two 2048 x 2048 matrices with so many threads, in GFLOP/s.
pub(super) fn product_rates(threads: usize) -> Vec<f64> {
    let values = |step: usize| (0..SIZE * SIZE).map(|i| (i % step) as f32 / step as f32 - 0.5).collect();
    let (left, right): (Vec<f32>, Vec<f32>) = (values(101), values(103));
    let mut out = vec![0.0_f32; SIZE * SIZE];
    let operations = 2.0 * (SIZE as f64).powi(3);
    let mut rates = Vec::new();
    for _ in 0..=REPEATS {
        let begun = Instant::now();
        product(&mut out, &left, &right, threads);
        rates.push(operations / begun.elapsed().as_secs_f64() / 1e9);
    }
    rates.split_off(1)
}

#[allow(unsafe_code)]
fn product(out: &mut [f32], left: &[f32], right: &[f32], threads: usize) {
    assert!([out.len(), left.len(), right.len()] == [SIZE * SIZE; 3], "the product's sizes are fixed");
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    let (row, column) = (SIZE as isize, 1);
    // SAFETY: all three matrices are SIZE x SIZE in row-major order, as was checked, and `out` overlaps no other.
    unsafe {
        gemm::gemm(
            SIZE,
            SIZE,
            SIZE,
            out.as_mut_ptr(),
            column,
            row,
            false,
            left.as_ptr(),
            column,
            row,
            right.as_ptr(),
            column,
            row,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// The most memory that this process has had so far, in MB; `None` where the system does not tell.
pub(super) fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = kibibytes.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

//! The speed of this machine, and the peak memory of processes.

use std::time::Instant;

/// Rows and columns of the measured product.
const SIZE: usize = 2048;
/// Timed products per measurement, after one warm-up product.
const REPEATS: usize = 6;

/// Speeds of the `gemm` crate's f32 product of two 2048 x 2048 matrices on `threads` threads, in GFLOP/s.
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
    assert!([out.len(), left.len(), right.len()] == [SIZE * SIZE; 3], "all matrices are SIZE x SIZE");
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    let (row, column) = (SIZE as isize, 1);
    // SAFETY: all three matrices are SIZE x SIZE (asserted above) in row-major order, and `out` overlaps neither input.
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

/// Peak memory of this process so far, in MiB; `None` if the system does not report it.
pub(super) fn peak_memory() -> Option<f64> {
    peak_in("/proc/self/status")
}

/// The peak memory in a process's status file, in MiB; `None` if the process has ended, or the system has no such file.
pub(super) fn peak_in(status: &str) -> Option<f64> {
    let status = std::fs::read_to_string(status).ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = kibibytes.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

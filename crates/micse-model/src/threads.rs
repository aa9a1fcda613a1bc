//! The pool that computes.
//!
//! The kernels, candle's matrix products and the tokenizers all work in rayon's global pool, so its size bounds what
//! the process computes with. Results do not depend on it.

/// The variable that rayon reads, and that a process passes to the processes it starts.
pub const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

/// The threads of the pool that computes.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Runs work inside the pool. From outside, each parallel loop would wake the pool and wait for it, a few hundred
/// times per step.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

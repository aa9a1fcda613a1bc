//! What the speed examples share.

#[cfg(target_arch = "x86_64")]
#[allow(dead_code)] // each example uses one of two kinds, or none
pub(crate) mod tiles;

use std::time::Instant;

use micse_random::Stream;

/// `count` draws of a normal distribution.
pub(crate) fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut draws = Stream::new(seed).draws();
    (0..count).map(|_| draws.normal() as f32).collect()
}

/// The shortest time of `rounds` calls, in seconds.
pub(crate) fn best(rounds: usize, mut call: impl FnMut()) -> f64 {
    let seconds = (0..rounds).map(|_| {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

/// Operations per second, in billions, of `steps(count)`, which executes `operations` in each step, for all threads
/// together.
#[allow(dead_code)] // not every example has a limit to compare with
pub(crate) fn ceiling(rounds: usize, operations: usize, steps: impl Fn(usize) + Sync) -> f64 {
    const STEPS: usize = 1_000_000;
    let seconds = best(rounds, || {
        rayon::broadcast(|_| steps(STEPS));
    });
    (rayon::current_num_threads() * STEPS * operations) as f64 / seconds / 1e9
}

/// The number of rounds on the command line, by default 30.
pub(crate) fn rounds() -> usize {
    std::env::args().nth(1).map_or(30, |count| count.parse().expect("ROUNDS must be a number"))
}

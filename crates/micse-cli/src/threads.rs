//! The thread pool, started once when a command starts. Results do not depend on its size.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use micse_model::THREADS_VARIABLE;

use crate::output::notice;

/// Read by candle's own pool for elementwise operations on the CPU, which spins while it waits.
const CANDLE_VARIABLE: &str = "CANDLE_NUM_THREADS";

/// The most threads: this many per core, or `LEAST_BOUND` if that is more. A larger number is a mistake, such as a size
/// instead of a count.
const MOST_PER_CORE: usize = 8;
const LEAST_BOUND: usize = 64;

/// Checks `RAYON_NUM_THREADS`, so that no library starts a pool from an invalid one, and keeps candle from starting
/// its own pool, which would add threads and spin while it waits. An existing `CANDLE_NUM_THREADS` is kept.
///
/// # Errors
/// The variable is not a number of at least 1.
pub(crate) fn prepare_process() -> Result<()> {
    let variable = std::env::var(THREADS_VARIABLE).ok();
    let (threads, bounded) = choose(None, variable.as_deref())?;
    set_if_alone(CANDLE_VARIABLE, "1", std::env::var_os(CANDLE_VARIABLE).is_none());
    set_if_alone(THREADS_VARIABLE, &threads.to_string(), bounded.is_some());
    bounded.iter().for_each(notice);
    Ok(())
}

/// Starts the global pool with the requested number of threads, else `RAYON_NUM_THREADS`, else one per core that this
/// process may use (by its affinity and its control group's quota). Returns the number.
///
/// # Errors
/// This machine cannot run that many threads, or the pool is already running.
pub(crate) fn start_threads(requested: Option<NonZeroUsize>) -> Result<usize> {
    let variable = std::env::var(THREADS_VARIABLE).ok();
    let (threads, _) = choose(requested, variable.as_deref())?;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .with_context(|| format!("cannot compute with {threads} threads"))?;
    Ok(threads)
}

/// Sets an environment variable if `wanted`, but only while this process has a single thread.
#[allow(unsafe_code)] // an environment variable
fn set_if_alone(name: &str, value: &str, wanted: bool) {
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    if alone && wanted {
        // SAFETY: the system reports this thread as the only one of the process, so nothing else reads the
        // environment at the same time.
        unsafe { std::env::set_var(name, value) };
    }
}

/// The number of threads to start, and a notice if the variable asks for more.
fn choose(requested: Option<NonZeroUsize>, variable: Option<&str>) -> Result<(usize, Option<String>)> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let bound = (MOST_PER_CORE * cores).max(LEAST_BOUND);
    if let Some(requested) = requested {
        if requested.get() <= bound {
            return Ok((requested.get(), None));
        }
        bail!(
            "--threads requests {requested} threads, but this process may use {cores} cores; pass at most {bound}"
        );
    }
    let Some(text) = variable.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok((cores, None));
    };
    let threads = text.parse().map(NonZeroUsize::get).ok().with_context(|| {
        format!("{THREADS_VARIABLE} is \"{text}\"; set it to a number of threads from 1, or unset it")
    })?;
    let bounded = (threads > bound).then(|| {
        format!(
            "{THREADS_VARIABLE} requests {threads} threads, but this process may use {cores} cores; starting {bound}"
        )
    });
    Ok((threads.min(bound), bounded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_precedes_the_variable_and_the_variable_precedes_the_cores() {
        let three = NonZeroUsize::new(3);
        assert_eq!(choose(three, Some("2")).unwrap(), (3, None));
        assert_eq!(choose(None, Some("2")).unwrap(), (2, None));
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for none in [None, Some(""), Some(" ")] {
            assert_eq!(choose(None, none).unwrap(), (cores, None));
        }
        for wrong in ["0", "two", "-1"] {
            let error = choose(None, Some(wrong)).expect_err(wrong).to_string();
            assert!(error.contains("RAYON_NUM_THREADS") && error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_slip_of_a_million_threads_is_bounded() {
        let (threads, notice) = choose(None, Some("1000000")).expect("fewer threads");
        assert!((LEAST_BOUND..100_000).contains(&threads));
        assert!(notice.is_some_and(|text| text.contains("RAYON_NUM_THREADS requests 1000000 threads")));
        let error = choose(NonZeroUsize::new(1_000_000), None).expect_err("a million").to_string();
        assert!(error.contains("--threads requests 1000000 threads"), "{error}");
    }

    #[test]
    fn the_pool_has_the_requested_threads_and_is_set_once() {
        // The only unit test of this crate that may start the pool.
        let two = NonZeroUsize::new(2);
        match start_threads(two) {
            Ok(started) => assert_eq!((started, micse_model::threads()), (2, 2)),
            Err(error) => assert!(error.to_string().contains("2 threads"), "{error}"),
        }
        assert!(start_threads(two).is_err());
    }
}

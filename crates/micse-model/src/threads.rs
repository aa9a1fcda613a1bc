//! How many threads compute: one pool, set up once at a command's start.
//!
//! The kernels, candle's matrix products and the tokenizers all work in rayon's global pool, so its size
//! bounds what the process computes with. Results do not depend on it.

#[cfg(any(feature = "clap", test))]
use std::num::NonZeroUsize;

#[cfg(any(feature = "clap", test))]
use crate::{Error, Result};

/// candle's own pool for elementwise operations on the CPU, which spins while it waits, reads this.
#[cfg(feature = "clap")]
const CANDLE_VARIABLE: &str = "CANDLE_NUM_THREADS";

/// The variable that rayon reads, and that a process gives to those it starts.
pub const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";

/// Sets the global pool to the threads asked for; else to those of `RAYON_NUM_THREADS`; else to the cores that
/// this process may use (its affinity and its control group count). Returns the number.
///
/// # Errors
/// The variable is no number of at least 1, or the pool is at work already.
#[cfg(feature = "clap")]
pub(crate) fn start_threads(asked: Option<NonZeroUsize>) -> Result<usize> {
    let variable = std::env::var(THREADS_VARIABLE).ok();
    let threads = choose(asked, variable.as_deref())?;
    no_second_pool();
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Error::Input(format!("cannot compute with {threads} threads: {e}")))?;
    Ok(threads)
}

/// Keeps candle from starting a pool of its own beside rayon's: it would compute with more threads than asked
/// for, and where the cores are busy its spinning cost more than it brought.
#[cfg(feature = "clap")]
#[allow(unsafe_code)] // a variable of the environment
fn no_second_pool() {
    if std::env::var_os(CANDLE_VARIABLE).is_none() {
        // SAFETY: commands call this at their start, before they or their libraries have started a thread.
        unsafe { std::env::set_var(CANDLE_VARIABLE, "1") };
    }
}

/// The threads of the pool that computes.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Runs work inside the pool. From outside, each parallel loop would wake and await the pool for itself, a
/// few hundred times a step.
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

#[cfg(any(feature = "clap", test))]
fn choose(asked: Option<NonZeroUsize>, variable: Option<&str>) -> Result<usize> {
    if let Some(asked) = asked {
        return Ok(asked.get());
    }
    match variable.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => text.parse().map(NonZeroUsize::get).map_err(|_| {
            Error::Input(format!(
                "{THREADS_VARIABLE} is \"{text}\"; set it to a number of threads from 1, or unset it"
            ))
        }),
        None => Ok(std::thread::available_parallelism().map_or(1, NonZeroUsize::get)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_variable_and_the_variable_before_the_cores() {
        let three = NonZeroUsize::new(3);
        assert_eq!(choose(three, Some("2")).expect("threads"), 3);
        assert_eq!(choose(None, Some("2")).expect("threads"), 2);
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for none in [None, Some(""), Some(" ")] {
            assert_eq!(choose(None, none).expect("threads"), cores);
        }
        for wrong in ["0", "two", "-1"] {
            let error = choose(None, Some(wrong)).expect_err(wrong).to_string();
            assert!(error.contains("RAYON_NUM_THREADS") && error.contains(wrong), "{error}");
        }
    }

    #[cfg(feature = "clap")]
    #[test]
    fn the_pool_has_the_threads_asked_for_and_is_set_once() {
        // The one test of this crate's unit tests that may start the pool.
        let two = NonZeroUsize::new(2);
        match start_threads(two) {
            Ok(threads_now) => assert_eq!((threads_now, threads()), (2, 2)),
            Err(error) => assert!(error.to_string().contains("2 threads"), "{error}"),
        }
        assert!(start_threads(two).is_err());
    }
}

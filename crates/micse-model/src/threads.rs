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

/// What a command does before anything else: checks `RAYON_NUM_THREADS`, so that no library starts a pool by a wrong
/// one, and keeps candle from starting a pool of its own, which would compute with more threads than asked for and spins
/// while it waits. `CANDLE_NUM_THREADS`, where it is set, stays. Returns a notice where more threads are asked for than
/// are started.
///
/// # Errors
/// The variable is not a number of at least 1.
#[cfg(feature = "clap")]
pub fn prepare_process() -> Result<Option<String>> {
    let variable = std::env::var(THREADS_VARIABLE).ok();
    let (threads, notice) = choose(None, variable.as_deref())?;
    set_if_alone(CANDLE_VARIABLE, "1", std::env::var_os(CANDLE_VARIABLE).is_none());
    set_if_alone(THREADS_VARIABLE, &threads.to_string(), notice.is_some());
    Ok(notice)
}

/// Sets the global pool to the threads asked for; else to those of `RAYON_NUM_THREADS`; else to the cores that
/// this process may use (its affinity and its control group's quota count). Returns the number.
///
/// # Errors
/// The number is not one of threads that this machine can run, or the pool is running already.
#[cfg(feature = "clap")]
pub(crate) fn start_threads(asked: Option<NonZeroUsize>) -> Result<usize> {
    let variable = std::env::var(THREADS_VARIABLE).ok();
    let (threads, _) = choose(asked, variable.as_deref())?;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|e| Error::Input(format!("cannot compute with {threads} threads: {e}")))?;
    Ok(threads)
}

/// Sets a variable of the environment where it is wanted and this process has one thread: with more, the environment must
/// not change.
#[cfg(feature = "clap")]
#[allow(unsafe_code)] // a variable of the environment
fn set_if_alone(name: &str, value: &str, wanted: bool) {
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    if alone && wanted {
        // SAFETY: the system says that this is the process's only thread, so that nothing reads the environment
        // meanwhile.
        unsafe { std::env::set_var(name, value) };
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

/// Threads for each core that are accepted, and the least bound: more is a slip, such as a size in place of a count.
#[cfg(any(feature = "clap", test))]
const MOST_PER_CORE: usize = 8;
#[cfg(any(feature = "clap", test))]
const LEAST_BOUND: usize = 64;

/// The threads to start, and a notice where the variable asks for more than that.
#[cfg(any(feature = "clap", test))]
fn choose(asked: Option<NonZeroUsize>, variable: Option<&str>) -> Result<(usize, Option<String>)> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let bound = (MOST_PER_CORE * cores).max(LEAST_BOUND);
    if let Some(asked) = asked {
        if asked.get() <= bound {
            return Ok((asked.get(), None));
        }
        return Err(Error::Input(format!(
            "--threads asks for {asked} threads, but this process may use {cores} cores; at most {bound} threads are \
             started"
        )));
    }
    let Some(text) = variable.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok((cores, None));
    };
    let threads = text.parse().map(NonZeroUsize::get).map_err(|_| {
        Error::Input(format!(
            "{THREADS_VARIABLE} is \"{text}\"; set it to a number of threads from 1, or unset it"
        ))
    })?;
    let notice = (threads > bound).then(|| {
        format!(
            "{THREADS_VARIABLE} asks for {threads} threads, but this process may use {cores} cores; {bound} threads are \
             started"
        )
    });
    Ok((threads.min(bound), notice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_variable_and_the_variable_before_the_cores() {
        let three = NonZeroUsize::new(3);
        assert_eq!(choose(three, Some("2")).expect("threads"), (3, None));
        assert_eq!(choose(None, Some("2")).expect("threads"), (2, None));
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for none in [None, Some(""), Some(" ")] {
            assert_eq!(choose(None, none).expect("threads"), (cores, None));
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
        assert!(notice.is_some_and(|text| text.contains("RAYON_NUM_THREADS asks for 1000000 threads")));
        let error = choose(NonZeroUsize::new(1_000_000), None).expect_err("a million").to_string();
        assert!(error.contains("--threads asks for 1000000 threads"), "{error}");
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

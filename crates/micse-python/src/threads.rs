//! The pool that computes.
//!
//! It is not rayon's global pool: after a fork, the child has none of the parent's threads, and work for them would wait
//! forever. So the pool belongs to a process ID, and a child starts its own.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rayon::ThreadPool;

use crate::errors::refuse;

/// The variables that set the number of threads, in this order: rayon's, which the command reads too, and that of
/// numerical Python.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"];
/// The most threads: a larger number is a mistake.
const MOST: usize = 1024;

struct Pool {
    process: u32,
    pool: Arc<ThreadPool>,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// Runs work in this process's pool. Call it without the interpreter's lock.
pub(crate) fn install<R: Send>(work: impl FnOnce() -> R + Send) -> PyResult<R> {
    Ok(pool(None)?.install(work))
}

/// The pool of this process, started if need be; `requested` replaces one of another size.
fn pool(requested: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    let mut slot = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some(own) = slot.as_ref().filter(|own| own.process == process)
        && requested.is_none_or(|threads| threads == own.pool.current_num_threads())
    {
        return Ok(Arc::clone(&own.pool));
    }
    let threads = requested.map_or_else(default_threads, Ok)?;
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = Arc::new(built.map_err(|e| refuse(format!("cannot compute with {threads} threads: {e}")))?);
    let old = slot.replace(Pool { process, pool: Arc::clone(&pool) });
    // Dropping a pool tells its threads to end; those of a parent process do not exist here.
    if let Some(old) = old.filter(|old| old.process != process) {
        std::mem::forget(old);
    }
    Ok(pool)
}

/// The first of the [`VARIABLES`] that is set, else the cores that this process may use.
fn default_threads() -> PyResult<usize> {
    for name in VARIABLES {
        let Some(text) = std::env::var(name).ok().filter(|text| !text.trim().is_empty()) else { continue };
        // OpenMP allows a list, one number for each level of nesting.
        let first = text.split(',').next().unwrap_or_default().trim();
        return match first.parse() {
            Ok(threads @ 1..=MOST) => Ok(threads),
            _ => Err(PyValueError::new_err(format!(
                "{name} is \"{text}\"; set it to a number of threads from 1 to {MOST}, or unset it"
            ))),
        };
    }
    Ok(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

/// The number of computing threads.
#[pyfunction]
pub(crate) fn num_threads() -> PyResult<usize> {
    Ok(pool(None)?.current_num_threads())
}

/// Sets the number of computing threads.
#[pyfunction]
pub(crate) fn set_num_threads(threads: usize) -> PyResult<()> {
    if !(1..=MOST).contains(&threads) {
        return Err(PyValueError::new_err(format!("threads is {threads}; it must be between 1 and {MOST}")));
    }
    pool(Some(threads)).map(drop)
}

//! Stop requests: a run finishes the current step, saves a checkpoint and stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that a run checks after each step. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The exit status of a process that stopped on request and can resume: `EX_TEMPFAIL`.
    pub const STATUS: u8 = 75;

    /// A flag that is not set yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that SIGTERM, SIGINT and (on Unix) SIGUSR1 set; schedulers send these before they end a process. A second
    /// SIGINT ends the process immediately, with status 130.
    ///
    /// # Errors
    /// The system rejects a signal handler.
    pub fn on_signals() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let stop = Self::new();
        // Registered first, so that it sees the flag unset on the first SIGINT and acts on the second only.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stop.0))?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        #[cfg(unix)]
        signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&stop.0))?;
        Ok(stop)
    }

    /// The flag itself, for code that takes a plain flag.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Sets the flag.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is set.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

//! Asking a run to stop: after the step at hand it writes a checkpoint and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that a run looks at after each step. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The status with which a process ends that stopped on request and can go on: `EX_TEMPFAIL`.
    pub const STATUS: u8 = 75;

    /// A flag that nobody has set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that SIGTERM, SIGINT and (on Unix) SIGUSR1 set, which schedulers send before they end a process. A
    /// second SIGINT ends the process at once, with status 130.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn on_signals() -> std::io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let stop = Self::new();
        // Looked at before the flag is set: it acts on the second signal only.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stop.0))?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop.0))?;
        }
        #[cfg(unix)]
        signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&stop.0))?;
        Ok(stop)
    }

    /// Sets the flag.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody set it.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

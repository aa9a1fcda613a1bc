//! The time of a run, over all its starts.

use std::time::{Duration, Instant};

use serde_json::json;

/// The time since this start, plus the time of earlier starts up to the checkpoint that this one resumes from.
pub(super) struct Clock {
    before: Duration,
    since: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { before: Duration::ZERO, since: Instant::now() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.before + self.since.elapsed()
    }

    /// The facts of a checkpoint, with the time up to now.
    pub(super) fn facts(&self, selection: &serde_json::Value) -> serde_json::Value {
        json!({"selection": selection, "seconds": self.elapsed().as_secs_f64()})
    }

    /// Resumes from a checkpoint's time.
    pub(super) fn restore(&mut self, facts: &serde_json::Value) {
        let seconds = facts["seconds"].as_f64().filter(|s| s.is_finite() && *s >= 0.0).unwrap_or(0.0);
        self.before = Duration::from_secs_f64(seconds);
    }
}

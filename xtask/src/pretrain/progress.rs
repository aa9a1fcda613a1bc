//! How far a pre-training is: a bar on a terminal, else a line a minute.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two plain lines.
const QUIET: Duration = Duration::from_mins(1);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    first: usize,
    steps: usize,
    tokens: usize,
    started: Instant,
    /// Time spent on other things than steps.
    paused: Duration,
    told: Instant,
}

impl Progress {
    /// After `first` of `steps` steps.
    pub(super) fn new(first: usize, steps: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {msg}");
            let bar = ProgressBar::new(steps as u64);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        Self { bar, first, steps, tokens: 0, started: now, paused: Duration::ZERO, told: now }
    }

    /// A step of so many tokens is done.
    pub(super) fn step(&mut self, done: usize, tokens: usize, loss: f64) {
        self.tokens += tokens;
        let quiet = if self.bar.is_some() { Duration::from_millis(200) } else { QUIET };
        if self.told.elapsed() < quiet && done < self.steps && done > self.first + 1 {
            return;
        }
        self.told = Instant::now();
        let left = self.seconds() / (done - self.first) as f64 * (self.steps - done) as f64;
        let line = format!(
            "step {done}/{}, loss {loss:.3}, {:.0} tokens/s, {} left",
            self.steps,
            self.tokens_per_second(),
            duration(left as u64)
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(done as u64);
                bar.set_message(line);
            }
            None => eprintln!("{line}"),
        }
    }

    /// The rate of this start's steps.
    pub(super) fn tokens_per_second(&self) -> f64 {
        self.tokens as f64 / self.seconds()
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().saturating_sub(self.paused).as_secs_f64().max(1e-3)
    }

    /// Runs something that is no step, whose time does not count.
    pub(super) fn aside<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.paused += began.elapsed();
        result
    }

    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
pub(super) fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

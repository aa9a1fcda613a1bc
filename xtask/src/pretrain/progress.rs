//! The progress of a pre-training: a bar on a terminal, else a line per minute.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two plain lines.
const QUIET: Duration = Duration::from_mins(1);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    first: usize,
    steps: usize,
    shown: Instant,
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
        Self { bar, first, steps, shown: Instant::now() }
    }

    /// A step is done.
    pub(super) fn step(&mut self, done: usize, loss: f64, tokens_per_second: f64, left: Duration) {
        let quiet = if self.bar.is_some() { Duration::from_millis(200) } else { QUIET };
        if self.shown.elapsed() < quiet && done < self.steps && done > self.first + 1 {
            return;
        }
        self.shown = Instant::now();
        let line = format!(
            "step {done}/{}, loss {loss:.3}, {tokens_per_second:.0} tokens/s, {} left",
            self.steps,
            duration(left.as_secs())
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(done as u64);
                bar.set_message(line);
            }
            None => eprintln!("{line}"),
        }
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
fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

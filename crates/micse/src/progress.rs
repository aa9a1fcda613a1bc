//! How far a command is: a bar on a terminal, a spinner where the end is not known, elsewhere a plain line now and
//! then. All of it on standard error.

use std::fmt::{Display, Write};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Between two plain lines.
const QUIET: Duration = Duration::from_secs(15);

/// The state of one piece of work, which has a position, in any unit, and a count of what people count.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// The position of the end.
    end: Option<u64>,
    /// Position and count at the start.
    first: (u64, u64),
    unit: &'static str,
    since: Instant,
    told: Instant,
}

impl Progress {
    /// Work that ends at this position, if that is known; `unit` is what is counted: sentences, steps.
    pub(crate) fn new(end: Option<u64>, unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, template) = match end {
                Some(end) => (ProgressBar::new(end), "{bar:30} {msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
            };
            let style = ProgressStyle::with_template(template);
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let now = Instant::now();
        Self { bar, end, first: (0, 0), unit, since: now, told: now }
    }

    /// Begins after work that an earlier start did.
    pub(crate) fn after(mut self, position: u64, count: u64) -> Self {
        self.first = (position, count);
        self
    }

    /// So much is done; `more` is said behind it.
    pub(crate) fn set(&mut self, position: u64, count: u64, more: impl Display) {
        let over = self.end.is_some_and(|end| position >= end);
        if self.bar.is_none() && (over || self.told.elapsed() < QUIET) {
            return;
        }
        self.told = Instant::now();
        let seconds = self.since.elapsed().as_secs_f64();
        let rate = (count - self.first.1) as f64 / seconds;
        let mut line = match self.end {
            // Where the unit is that of the position, the end is worth saying.
            Some(end) if position == count => format!("{}/{}", HumanCount(count), HumanCount(end)),
            _ => HumanCount(count).to_string(),
        };
        // Writing into a String cannot fail.
        let _ = write!(line, " {}, {}/s{more}", self.unit, plain(rate));
        let done = position - self.first.0;
        if let Some(end) = self.end.filter(|_| done > 0) {
            let left = seconds / done as f64 * end.saturating_sub(position) as f64;
            let _ = write!(line, ", {} left", duration(Duration::from_secs_f64(left)));
        }
        match &self.bar {
            Some(bar) => {
                bar.set_position(position);
                bar.set_message(line);
                bar.tick();
            }
            None => eprintln!("{line}"),
        }
    }

    /// A line that stays, above the bar.
    pub(crate) fn say(&self, line: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A rate with as many digits as it deserves.
fn plain(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { HumanCount(rate as u64).to_string() }
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_for_people() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (3720, "1 h 02 min")] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!([plain(0.25), plain(31.9), plain(12_345.6)], ["0.2", "31", "12,345"]);
    }
}

//! Progress of a command, on standard error: bars on a terminal, occasional plain lines elsewhere, nothing with
//! `--quiet`.

use std::fmt::{Display, Write};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use crate::output::{is_quiet, note};

/// Time between two plain lines.
const PLAIN: Duration = Duration::from_secs(15);
/// Time between two redraws of a bar.
const REDRAW: Duration = Duration::from_millis(100);

/// Whether bars are drawn.
fn draws() -> bool {
    std::io::stderr().is_terminal() && !is_quiet()
}

fn bar(end: Option<u64>, template: &str) -> ProgressBar {
    let bar = end.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// A bar with a text that the caller writes.
pub struct Bar {
    bar: Option<ProgressBar>,
    shown: Option<Instant>,
}

impl Bar {
    /// A bar that is full at position `end`; a spinner if the end is unknown.
    pub fn new(end: Option<u64>) -> Self {
        let template = if end.is_some() { "{bar:30} {msg}" } else { "{spinner} {msg}" };
        Self { bar: draws().then(|| bar(end, template)), shown: None }
    }

    /// Moves the bar and shows a text, unless it did so just before.
    pub fn show(&mut self, position: u64, text: impl FnOnce() -> String) {
        let pause = if self.bar.is_some() { REDRAW } else { PLAIN };
        if self.shown.is_some_and(|shown| shown.elapsed() < pause) {
            return;
        }
        self.show_now(position, &text());
    }

    /// Always moves the bar and shows a text.
    pub fn show_now(&mut self, position: u64, text: &str) {
        self.shown = Some(Instant::now());
        match &self.bar {
            Some(bar) => {
                bar.set_position(position);
                bar.set_message(text.to_owned());
                bar.tick();
            }
            None => note(text),
        }
    }

    /// Changes the position at which the bar is full.
    pub fn set_end(&self, end: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(end);
        }
    }

    /// Prints a line that stays, above the bar.
    pub fn say(&self, line: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(line)),
            None => note(line),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Progress of one task: its position in any unit, a count for the user (sentences, steps), speed and time left.
pub struct Progress {
    bar: Bar,
    /// The position of the end.
    end: Option<u64>,
    /// Position and count at the start.
    first: (u64, u64),
    unit: &'static str,
    since: Instant,
}

impl Progress {
    /// A task that ends at position `end`, if known; `unit` names what is counted, such as sentences or steps.
    pub fn new(end: Option<u64>, unit: &'static str) -> Self {
        let mut bar = Bar::new(end);
        // The first plain line is delayed, so that short tasks print none.
        bar.shown = bar.bar.is_none().then(Instant::now);
        Self { bar, end, first: (0, 0), unit, since: Instant::now() }
    }

    /// Starts at the position and count that an earlier process reached.
    #[must_use]
    pub fn after(mut self, position: u64, count: u64) -> Self {
        self.first = (position, count);
        self
    }

    /// Sets position and count; `more` is appended to the line.
    pub fn set(&mut self, position: u64, count: u64, more: impl Display) {
        let (end, first, unit, since) = (self.end, self.first, self.unit, self.since);
        let over = end.is_some_and(|end| position >= end);
        if self.bar.bar.is_none() && over {
            return;
        }
        self.bar.show(position, || {
            let seconds = since.elapsed().as_secs_f64();
            let rate = (count - first.1) as f64 / seconds;
            let mut line = match end {
                // The position is in the user's unit, so the end is meaningful.
                Some(end) if position == count => format!("{}/{}", HumanCount(count), HumanCount(end)),
                _ => HumanCount(count).to_string(),
            };
            // Writing into a String cannot fail.
            let _ = write!(line, " {unit}, {}/s{more}", plain(rate));
            let done = position - first.0;
            if let Some(end) = end.filter(|_| done > 0) {
                let left = seconds / done as f64 * end.saturating_sub(position) as f64;
                let _ = write!(line, ", {} left", duration(Duration::from_secs_f64(left)));
            }
            line
        });
    }

    /// Prints a line that stays, above the bar.
    pub fn say(&self, line: impl Display) {
        self.bar.say(line);
    }
}

/// One bar for all the work and one per worker. Shows nothing without a terminal.
pub struct Bars(Option<(MultiProgress, ProgressBar, Vec<ProgressBar>)>);

impl Bars {
    /// The position at which a bar is full.
    pub const FULL: f64 = 1000.0;

    /// One bar per worker, and one for all the work.
    pub fn new(workers: usize) -> Self {
        Self(draws().then(|| {
            let all = MultiProgress::new();
            let end = Some(Self::FULL as u64);
            let whole = all.add(bar(end, "{bar:30} {msg}"));
            let workers = (0..workers).map(|_| all.add(bar(end, "{bar:30} {prefix}: {msg}"))).collect();
            (all, whole, workers)
        }))
    }

    /// Whether anything is drawn.
    pub fn are_drawn(&self) -> bool {
        self.0.is_some()
    }

    /// Names a worker's bar.
    pub fn name(&self, worker: usize, name: &str) {
        if let Some((_, _, workers)) = &self.0 {
            workers[worker].set_prefix(name.to_owned());
        }
    }

    /// Shows the finished share of a worker's work, and a text.
    pub fn worker(&self, worker: usize, share: f64, text: &str) {
        if let Some((_, _, workers)) = &self.0 {
            workers[worker].set_position((share * Self::FULL) as u64);
            workers[worker].set_message(text.to_owned());
        }
    }

    /// Shows the finished share of all the work, and a text.
    pub fn whole(&self, share: f64, text: &str) {
        if let Some((_, whole, _)) = &self.0 {
            whole.set_position((share * Self::FULL) as u64);
            whole.set_message(text.to_owned());
        }
    }

    /// Prints a line that stays, above the bars.
    pub fn say(&self, line: &str) {
        match &self.0 {
            Some((all, _, _)) => all.suspend(|| note(line)),
            None => note(line),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        if let Some((all, _, _)) = &self.0 {
            // A failure affects only the display.
            let _ = all.clear();
        }
    }
}

/// A speed, with one decimal below 10.
fn plain(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { HumanCount(rate as u64).to_string() }
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
pub fn duration(time: Duration) -> String {
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

//! The sweep's progress: one line for the whole and one for each running cell, on a terminal; elsewhere a
//! plain line for each finished cell.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::cell::Line;

pub(super) struct Progress {
    bars: Option<(MultiProgress, ProgressBar, Vec<ProgressBar>)>,
    cells: usize,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    finished: usize,
    /// The share done of each running cell.
    running: Vec<f64>,
    /// Notices already told: many cells have the same to say.
    told: BTreeSet<String>,
}

impl Progress {
    pub(super) fn new(cells: usize, jobs: usize) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let style = |template: &str| {
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
            };
            let whole = all.add(ProgressBar::new(1000).with_style(style("{bar:30} {msg}")));
            let cells = (0..jobs)
                .map(|_| all.add(ProgressBar::new(1000).with_style(style("{bar:30} {prefix}: {msg}"))))
                .collect();
            (all, whole, cells)
        });
        let state = State { finished: 0, running: vec![0.0; jobs], told: BTreeSet::new() };
        Self { bars, cells, started: Instant::now(), state: Mutex::new(state) }
    }

    pub(super) fn start(&self, slot: usize, cell: &str) {
        if let Some((_, _, bars)) = &self.bars {
            bars[slot].set_prefix(cell.to_owned());
            bars[slot].set_message("starting");
            bars[slot].set_position(0);
        }
    }

    pub(super) fn tell(&self, slot: usize, line: Line) {
        match line {
            Line::Progress { share, doing } => {
                if let Ok(mut state) = self.state.lock() {
                    state.running[slot] = share;
                }
                if let Some((_, whole, bars)) = &self.bars {
                    bars[slot].set_position((share * 1000.0) as u64);
                    bars[slot].set_message(doing);
                    let (share, text) = self.whole();
                    whole.set_position((share * 1000.0) as u64);
                    whole.set_message(text);
                }
            }
            Line::Notice(text) => {
                let new = self.state.lock().is_ok_and(|mut state| state.told.insert(text.clone()));
                if new {
                    self.say(&format!("notice: {text}"));
                }
            }
        }
    }

    pub(super) fn finish(&self, slot: usize, cell: &str, good: bool) {
        if let Ok(mut state) = self.state.lock() {
            state.finished += 1;
            state.running[slot] = 0.0;
        }
        let (_, text) = self.whole();
        self.say(&format!("{text}: {cell} {}", if good { "done" } else { "FAILED" }));
    }

    pub(super) fn close(&self) {
        if let Some((all, _, _)) = &self.bars {
            // Only the drawing is at stake.
            let _ = all.clear();
        }
        eprintln!("{} cells in {}", self.cells, duration(self.started.elapsed()));
    }

    fn say(&self, text: &str) {
        match &self.bars {
            Some((all, _, _)) => {
                let _ = all.println(text);
            }
            None => eprintln!("{text}"),
        }
    }

    /// The share of all cells' work that is done, and a line on it with the time left.
    fn whole(&self) -> (f64, String) {
        let (finished, running) = match self.state.lock() {
            Ok(state) => (state.finished, state.running.iter().sum::<f64>()),
            Err(_) => (0, 0.0),
        };
        let share = ((finished as f64 + running) / self.cells as f64).clamp(0.0, 1.0);
        let elapsed = self.started.elapsed().as_secs_f64();
        let left = if share > 0.0 {
            duration(Duration::from_secs_f64(elapsed / share * (1.0 - share)))
        } else {
            "?".into()
        };
        (share, format!("[{finished}/{}] {left} left", self.cells))
    }
}

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

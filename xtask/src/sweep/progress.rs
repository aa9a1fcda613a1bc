//! The sweep's progress: one line for the whole and one for each running cell, on a terminal; elsewhere a
//! plain line for each finished cell.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::cell::CellSpec;
use super::process::Line;

pub(super) struct Progress {
    bars: Option<(MultiProgress, ProgressBar, Vec<ProgressBar>)>,
    cells: usize,
    /// The weight of all cells.
    whole: f64,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    finished: usize,
    /// The weight of the finished cells.
    done: f64,
    running: Vec<Option<Running>>,
    /// Notices already told: many cells have the same to say.
    told: BTreeSet<String>,
}

/// A cell at work.
struct Running {
    name: String,
    weight: f64,
    share: f64,
}

impl Progress {
    pub(super) fn new(cells: &[&CellSpec], jobs: usize) -> Self {
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
        let running = (0..jobs).map(|_| None).collect();
        let state = State { finished: 0, done: 0.0, running, told: BTreeSet::new() };
        Self {
            bars,
            cells: cells.len(),
            whole: cells.iter().map(|cell| cell.weight()).sum(),
            started: Instant::now(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn start(&self, slot: usize, cell: &CellSpec) {
        let name = cell.to_string();
        if let Some((_, _, bars)) = &self.bars {
            bars[slot].set_prefix(name.clone());
            bars[slot].set_message("starting");
            bars[slot].set_position(0);
        }
        if let Ok(mut state) = self.state.lock() {
            state.running[slot] = Some(Running { name, weight: cell.weight(), share: 0.0 });
        }
    }

    pub(super) fn tell(&self, slot: usize, line: Line) {
        match line {
            Line::Progress { share, doing } => {
                if let Ok(mut state) = self.state.lock()
                    && let Some(running) = &mut state.running[slot]
                {
                    running.share = share;
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

    /// A cell ended: `how` is done, stopped or FAILED.
    pub(super) fn finish(&self, slot: usize, how: &str) {
        let mut name = String::new();
        if let Ok(mut state) = self.state.lock()
            && let Some(running) = state.running[slot].take()
        {
            state.finished += 1;
            state.done += running.weight;
            name = running.name;
        }
        let (_, text) = self.whole();
        self.say(&format!("{text}: {name} {how}"));
    }

    pub(super) fn close(&self, stopped: bool) {
        if let Some((all, _, _)) = &self.bars {
            // Only the drawing is at stake.
            let _ = all.clear();
        }
        if !stopped {
            let time = duration(self.started.elapsed());
            drop(writeln!(std::io::stderr(), "{} cells in {time}", self.cells));
        }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            Some((all, _, _)) => {
                let _ = all.println(text);
            }
            // A log that cannot be written is no reason to lose the sweep.
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    /// The share of all cells' work that is done, and a line on it with the time left. Cells weigh as many passes as
    /// they have, at the rate that was measured so far.
    fn whole(&self) -> (f64, String) {
        let (finished, done) = match self.state.lock() {
            Ok(state) => {
                let running = state.running.iter().flatten().map(|r| r.weight * r.share).sum::<f64>();
                (state.finished, state.done + running)
            }
            Err(_) => (0, 0.0),
        };
        let share = (done / self.whole).clamp(0.0, 1.0);
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

//! Progress of a sweep: on a terminal, one bar for the sweep and one per running cell; elsewhere, a plain line per
//! finished cell.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use micse_cli::note;
use micse_cli::progress::{Bars, duration};

use crate::cell::CellSpec;
use crate::process::Line;

pub(crate) struct Progress {
    bars: Bars,
    cells: usize,
    /// The total weight of all cells.
    whole: f64,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    finished: usize,
    /// The total weight of the finished cells.
    done: f64,
    running: Vec<Option<Running>>,
    /// Notices already shown, because many cells send the same ones.
    shown: BTreeSet<String>,
}

/// A running cell.
struct Running {
    name: String,
    weight: f64,
    share: f64,
}

impl Progress {
    pub(crate) fn new(cells: &[&CellSpec], jobs: usize) -> Self {
        let running = (0..jobs).map(|_| None).collect();
        let state = State { finished: 0, done: 0.0, running, shown: BTreeSet::new() };
        Self {
            bars: Bars::new(jobs),
            cells: cells.len(),
            whole: cells.iter().map(|cell| cell.weight()).sum(),
            started: Instant::now(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn start(&self, slot: usize, cell: &CellSpec) {
        let name = cell.to_string();
        self.bars.name(slot, &name);
        self.bars.worker(slot, 0.0, "starting");
        if let Ok(mut state) = self.state.lock() {
            state.running[slot] = Some(Running { name, weight: cell.weight(), share: 0.0 });
        }
    }

    pub(crate) fn tell(&self, slot: usize, line: Line) {
        match line {
            Line::Progress { share, doing } => {
                if let Ok(mut state) = self.state.lock()
                    && let Some(running) = &mut state.running[slot]
                {
                    running.share = share;
                }
                if self.bars.are_drawn() {
                    self.bars.worker(slot, share, &doing);
                    let (share, text) = self.whole();
                    self.bars.whole(share, &text);
                }
            }
            Line::Notice(text) => {
                let new = self.state.lock().is_ok_and(|mut state| state.shown.insert(text.clone()));
                if new {
                    self.bars.say(&format!("notice: {text}"));
                }
            }
        }
    }

    /// Reports that a cell ended; `how` is done, stopped or FAILED.
    pub(crate) fn finish(&self, slot: usize, how: &str) {
        let mut name = String::new();
        if let Ok(mut state) = self.state.lock()
            && let Some(running) = state.running[slot].take()
        {
            state.finished += 1;
            state.done += running.weight;
            name = running.name;
        }
        let (_, text) = self.whole();
        self.bars.say(&format!("{text}: {name} {how}"));
    }

    /// Removes the bars, and prints the time unless the sweep was stopped.
    pub(crate) fn close(self, stopped: bool) {
        drop(self.bars);
        if !stopped {
            note(format_args!("{} cells in {}", self.cells, duration(self.started.elapsed())));
        }
    }

    /// The finished share of the work of all cells, and a text with the estimated time left. A cell's weight is its
    /// number of passes; the speed is the average so far.
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

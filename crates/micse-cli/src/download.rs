//! Downloads from the Hub, with a progress bar per file.

use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use micse_hub::Event;

use crate::output::note;
use crate::progress::{Bar, duration};

/// Shows the events that [`micse_hub`] reports during a download.
#[derive(Default)]
pub struct Download {
    file: String,
    bar: Option<(Bar, Instant, u64)>,
}

impl Download {
    /// Shows nothing until the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows an event.
    pub fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Bytes { file, done, total } => self.bytes(file, done, total),
            Event::Note(text) => match &self.bar {
                Some((bar, ..)) => bar.say(text),
                None => note(text),
            },
            _ => {}
        }
    }

    fn bytes(&mut self, file: &str, done: u64, total: Option<u64>) {
        if self.file != file {
            file.clone_into(&mut self.file);
            self.bar = None;
        }
        let (bar, began, first) =
            self.bar.get_or_insert_with(|| (Bar::new(Some(total.unwrap_or(done))), Instant::now(), done));
        bar.set_end(total.unwrap_or(done));
        let text = || {
            let of = total.map_or_else(String::new, |total| format!(" of {}", HumanBytes(total)));
            let seconds = began.elapsed().as_secs_f64();
            let fetched = done.saturating_sub(*first) as f64;
            let left = total.filter(|_| fetched > 0.0).map_or_else(String::new, |total| {
                let left = seconds / fetched * total.saturating_sub(done) as f64;
                format!(", {} left", duration(Duration::from_secs_f64(left)))
            });
            format!("{file}: {}{of}{left}", HumanBytes(done))
        };
        if total == Some(done) {
            bar.show_now(done, &text());
        } else {
            bar.show(done, text);
        }
    }
}

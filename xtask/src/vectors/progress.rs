//! Progress of word-vector training: a bar on a terminal, else one line per minute; and the time of each part.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use micse_vectors::Progress as At;

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    epochs: usize,
    told: Instant,
    /// The part reported last: reading, counting or training.
    part: usize,
    /// The start of each part.
    began: [Option<Instant>; 3],
    read: usize,
    kept: usize,
    pairs: usize,
    loss: f64,
}

impl Progress {
    pub(super) fn new(epochs: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {msg}");
            let bar = ProgressBar::new(1000);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let now = Instant::now();
        let began = [Some(now), None, None];
        Self { bar, epochs, told: now, part: 0, began, read: 0, kept: 0, pairs: 0, loss: 0.0 }
    }

    pub(super) fn tell(&mut self, at: At) {
        let part = match at {
            At::Reading { .. } => 0,
            At::Counting { .. } => 1,
            At::Training { .. } => 2,
        };
        self.began[part].get_or_insert_with(Instant::now);
        let (share, line) = match at {
            At::Reading { sentences, tokens } => {
                self.read = tokens;
                (0.0, format!("reading, {sentences} sentences, {:.1} million tokens", millions(tokens)))
            }
            At::Counting { words, tokens, done } => {
                self.kept = tokens;
                if done >= 1.0 {
                    // The first report of training comes after part of the training.
                    self.began[2] = Some(Instant::now());
                }
                let percent = 100.0 * done;
                let tokens = millions(tokens);
                (done, format!("counting, {percent:.0} %, {words} words in {tokens:.1} million tokens"))
            }
            At::Training { epoch, pairs, done, loss } => {
                (self.pairs, self.loss) = (pairs, loss);
                let share = (epoch as f64 - 1.0 + done as f64 / pairs as f64) / self.epochs as f64;
                let line = format!(
                    "epoch {epoch}/{}, loss {loss:.4}, {:.2} million pairs/s",
                    self.epochs,
                    share * self.epochs as f64 * millions(pairs) / self.seconds(2)
                );
                (share, line)
            }
        };
        let quiet = if self.bar.is_some() { Duration::from_millis(200) } else { Duration::from_mins(1) };
        if part == self.part && self.told.elapsed() < quiet {
            return;
        }
        self.part = part;
        self.told = Instant::now();
        match &self.bar {
            Some(bar) => {
                bar.set_position((1000.0 * share) as u64);
                bar.set_message(line);
            }
            None => eprintln!("{line}"),
        }
    }

    /// A summary of the work and its speed.
    pub(super) fn finish(self) -> String {
        let [reading, counting, training] = [0, 1, 2].map(|part| self.seconds(part));
        format!(
            "read {:.1} million tokens in {reading:.1} s ({:.2} million/s), counted the {:.1} million kept in \
             {counting:.1} s ({:.2} million/s), trained {} epochs of {:.1} million pairs in {training:.1} s \
             ({:.2} million/s), loss {:.4}",
            millions(self.read),
            millions(self.read) / reading,
            millions(self.kept),
            millions(self.kept) / counting,
            self.epochs,
            millions(self.pairs),
            self.epochs as f64 * millions(self.pairs) / training,
            self.loss
        )
    }

    /// The duration of a part, or its duration so far.
    fn seconds(&self, part: usize) -> f64 {
        let ended = self.began.get(part + 1).copied().flatten().unwrap_or_else(Instant::now);
        let time = self.began[part].map_or(Duration::ZERO, |began| ended.duration_since(began));
        time.as_secs_f64().max(1e-3)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn millions(count: usize) -> f64 {
    count as f64 / 1e6
}

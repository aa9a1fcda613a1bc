//! Progress of word-vector training, and the duration of each part.

use std::time::{Duration, Instant};

use micse_cli::progress::Bar;
use micse_vectors::Progress as At;

/// The position at which the bar is full.
const FULL: f64 = 1000.0;

pub(super) struct VectorsProgress {
    bar: Bar,
    epochs: usize,
    /// The part shown last: reading, counting or training.
    part: usize,
    /// The start of each part.
    began: [Option<Instant>; 3],
    read: usize,
    kept: usize,
    pairs: usize,
    loss: f64,
}

impl VectorsProgress {
    pub(super) fn new(epochs: usize) -> Self {
        let began = [Some(Instant::now()), None, None];
        let bar = Bar::new(Some(FULL as u64));
        Self { bar, epochs, part: 0, began, read: 0, kept: 0, pairs: 0, loss: 0.0 }
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
                    // Training makes its first report only after some work.
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
        let position = (FULL * share) as u64;
        if part == self.part {
            self.bar.show(position, || line);
        } else {
            self.part = part;
            self.bar.show_now(position, &line);
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

fn millions(count: usize) -> f64 {
    count as f64 / 1e6
}

//! How far a download is, on standard error: for commands.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Event, Hub, Result, is_hub_id};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Between two plain lines.
const QUIET: Duration = Duration::from_secs(15);

/// The folder of the model whose id a command's `--model` is, after what is missing of it was fetched under a bar. `None`:
/// it is no id, or there is a file or folder of that name, which goes before.
///
/// # Errors
/// As [`Hub::model`].
pub fn folder_of_id(name: &str) -> Result<Option<PathBuf>> {
    if Path::new(name).exists() || !is_hub_id(name) {
        return Ok(None);
    }
    eprintln!("there is no folder {name} here, so it is taken from the Hub");
    let mut download = Download::new();
    let folder = Hub::from_env()?.model(name, &mut |event| download.tell(event));
    download.finish();
    folder.map(Some)
}

/// A bar for each file on a terminal, elsewhere a plain line now and then.
pub struct Download {
    file: String,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Default for Download {
    fn default() -> Self {
        Self::new()
    }
}

impl Download {
    /// Nothing is shown yet.
    pub fn new() -> Self {
        Self { file: String::new(), bar: None, told: Instant::now() }
    }

    /// Shows what happens.
    pub fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Bytes { file, done, total } => self.bytes(file, done, total),
            Event::Note(text) => match &self.bar {
                Some(bar) => bar.suspend(|| eprintln!("{text}")),
                None => eprintln!("{text}"),
            },
        }
    }

    fn bytes(&mut self, file: &str, done: u64, total: Option<u64>) {
        if self.file != file {
            self.finish();
            file.clone_into(&mut self.file);
            if std::io::stderr().is_terminal() {
                let template = "{msg}: {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
                let style = ProgressStyle::with_template(template);
                let bar = ProgressBar::new(total.unwrap_or(0));
                let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_message(file.to_owned());
                self.bar = Some(bar);
            }
        }
        match &self.bar {
            Some(bar) => {
                bar.set_length(total.unwrap_or(done));
                bar.set_position(done);
            }
            None if self.told.elapsed() >= QUIET || total == Some(done) => {
                self.told = Instant::now();
                let of = total.map_or_else(String::new, |total| format!(" of {}", HumanBytes(total)));
                eprintln!("{file}: {}{of}", HumanBytes(done));
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

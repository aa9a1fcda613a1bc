//! `micse data overlap`: test sentences that also occur in a training corpus.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use micse_cli::output::plain_table;
use micse_cli::{print, print_json};

use crate::cli::commands::cut;
use crate::data::{Corpus, Locator, Overlap, Suite};

/// List test sentences that also occur in a training corpus
///
/// Two sentences are the same if their words are, ignoring case and punctuation; an apostrophe separates words.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse data overlap --corpus notes.txt --sts demo")]
pub(super) struct OverlapOf {
    /// Text file, one sentence per line, plain, zstd or gzip
    #[arg(long, value_name = "FILE", required_unless_present = "train")]
    corpus: Option<PathBuf>,
    /// STS sets: a folder in SentEval's layout, or `demo` [default: `MICSE_DATA`/senteval, else demo]
    #[arg(long, value_name = "FOLDER")]
    sts: Option<String>,
    /// Maximum number of shared sentences to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
    /// Former form of --corpus
    #[arg(hide = true, conflicts_with = "corpus")]
    train: Option<PathBuf>,
    /// Former form of --sts
    #[arg(hide = true, conflicts_with = "sts")]
    sets: Option<String>,
}

impl OverlapOf {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        let Some(train) = self.corpus.as_ref().or(self.train.as_ref()) else {
            bail!("no corpus; pass --corpus FILE");
        };
        let sts = self.sts.as_ref().or(self.sets.as_ref());
        let sts = micse_cli::data::sts(&Locator::from_env()?, sts.map(String::as_str))?;
        let overlap =
            Overlap::find(&Corpus::open(std::slice::from_ref(train))?, &Suite::load(&sts.place, None)?);
        if as_json { print_json(&overlap) } else { print(&self.text(&overlap, train)) }
    }

    fn text(&self, overlap: &Overlap, train: &Path) -> String {
        let header = ["task", "subset", "sentences", "in the corpus", "pairs", "both in the corpus"];
        let rows = overlap.subsets.iter().map(|row| {
            let numbers = [row.sentences, row.shared, row.pairs, row.shared_pairs].map(|n| n.to_string());
            [row.task.clone(), row.subset.clone()].into_iter().chain(numbers).collect()
        });
        let mut text = format!("{}\n", plain_table(&header, rows, 2));
        for shared in overlap.shared.iter().take(self.show) {
            let (line, task) = (shared.index + 1, &shared.task);
            // Writing into a String cannot fail.
            let _ =
                writeln!(text, "{task}: {} (sentence {line} of the corpus)", cut(&shared.evaluation, 100));
        }
        let (count, train) = (overlap.shared.len(), train.display());
        if count > self.show {
            let _ = writeln!(text, "... and {} more (--show N)", count - self.show);
        }
        let _ = match count {
            0 => writeln!(text, "no test sentence occurs in {train}"),
            1 => writeln!(text, "1 test sentence occurs in {train}"),
            n => writeln!(text, "{n} test sentences occur in {train}"),
        };
        text
    }
}

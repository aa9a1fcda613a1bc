//! `micse data overlap`: which evaluation sentences stand in a training text.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use micse::data::{Corpus, Locator, Overlap, Suite};

use crate::commands::{cut, print, print_json};

/// Tell which sentences of a test set stand in a training text
///
/// Sentences are the same if their letters and digits are, in lower case.
#[derive(Args)]
#[command(after_help = "Example:\n  micse data overlap notes.txt demo")]
pub(super) struct OverlapOf {
    /// A text file, one sentence a line, plain, zstd or gzip
    #[arg(value_name = "TRAIN")]
    train: PathBuf,
    /// A folder of STS sets in SentEval's layout, or `demo`
    #[arg(value_name = "STS")]
    sts: String,
    /// Shared sentences to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
}

impl OverlapOf {
    pub(super) fn run(&self, as_json: bool) -> Result<()> {
        let suite = Suite::load(&Locator::from_env()?.sts(Some(&self.sts))?.place, None)?;
        let overlap = Overlap::find(&Corpus::open(std::slice::from_ref(&self.train))?, &suite);
        if as_json {
            return print_json(&overlap);
        }
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["task", "subset", "sentences", "in the text", "pairs", "both in the text"]);
        for row in &overlap.subsets {
            let numbers = [row.sentences, row.shared, row.pairs, row.shared_pairs].map(|n| n.to_string());
            table.add_row([row.task.clone(), row.subset.clone()].into_iter().chain(numbers));
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
        let mut text = format!("{table}\n");
        for shared in overlap.shared.iter().take(self.show) {
            let (line, task) = (shared.index + 1, &shared.task);
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{task}: {} (sentence {line} of the text)", cut(&shared.evaluation, 100));
        }
        let (count, train) = (overlap.shared.len(), self.train.display());
        if count > self.show {
            let _ = writeln!(text, "... and {} more (--show N)", count - self.show);
        }
        let _ = match count {
            0 => writeln!(text, "none of the test sentences stands in {train}"),
            1 => writeln!(text, "1 test sentence stands in {train}"),
            n => writeln!(text, "{n} test sentences stand in {train}"),
        };
        print(&text)
    }
}

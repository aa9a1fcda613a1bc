//! `micse data`: downloads corpora and test sets from the Hub, and finds the sentences they share.

mod fetch;
mod overlap;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Download datasets; find test sentences in a corpus
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse data overlap --corpus notes.txt --sts demo")]
pub(crate) struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Fetch(fetch::Fetch),
    Overlap(overlap::OverlapOf),
}

impl Data {
    pub(crate) fn run(&self, as_json: bool) -> Result<()> {
        match &self.command {
            DataCommand::Fetch(fetch) => fetch.run(as_json),
            DataCommand::Overlap(overlap) => overlap.run(as_json),
        }
    }
}

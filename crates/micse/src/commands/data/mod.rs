//! `micse data`: texts and test sets from the Hub, and what they share.

mod fetch;
mod overlap;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Fetch texts and test sets, or see what a text shares with a test set
#[derive(Args)]
#[command(after_help = "Example:\n  micse data overlap notes.txt demo")]
pub(crate) struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Subcommand)]
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

//! `micse completions` and `micse man`: from the same definitions that the command line is read by.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use clap_complete::Shell;

use super::print;

/// Write a shell's completions to standard output
#[derive(Args)]
#[command(
    after_help = "Example:\n  micse completions bash > ~/.local/share/bash-completion/completions/micse"
)]
pub(crate) struct Completions {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, mut command: clap::Command) -> Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "micse", &mut text);
        print(&String::from_utf8_lossy(&text))
    }
}

/// Write the manual: all pages into a folder, or the first to standard output
#[derive(Args)]
#[command(after_help = "Example:\n  micse man --to ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder of the pages micse.1, micse-encode.1 and so on
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self, command: clap::Command) -> Result<()> {
        let Some(folder) = &self.to else {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text)?;
            return print(&String::from_utf8_lossy(&text));
        };
        let failed = || format!("cannot write the manual into {}", folder.display());
        std::fs::create_dir_all(folder).with_context(failed)?;
        clap_mangen::generate_to(command, folder).with_context(failed)
    }
}

//! `micse completions` and `micse man`, generated from the definition of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use clap_complete::Shell;

use micse_cli::output::{print, reject_json};

/// Print the completion script for a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  micse completions bash > ~/.local/share/bash-completion/completions/micse"
)]
pub(crate) struct Completions {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, mut command: clap::Command, as_json: bool) -> Result<()> {
        reject_json(as_json, "a completion script")?;
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "micse", &mut text);
        print(&String::from_utf8_lossy(&text))
    }
}

/// Write the manual pages to a folder, or print the first one
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  micse man --output ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder for the pages: micse.1, micse-encode.1, ... [default: print micse.1]
    #[arg(long, value_name = "FOLDER", alias = "to")]
    output: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(&self, command: clap::Command, as_json: bool) -> Result<()> {
        reject_json(as_json, "a manual page")?;
        let Some(folder) = &self.output else {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text)?;
            return print(&String::from_utf8_lossy(&text));
        };
        let failed = || format!("cannot write the manual pages to {}", folder.display());
        std::fs::create_dir_all(folder).with_context(failed)?;
        clap_mangen::generate_to(command, folder).with_context(failed)
    }
}

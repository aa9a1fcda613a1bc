//! The `micse` command (feature `cli`): every command that works on models, corpora and sweeps.

mod cache;
mod commands;
mod embed;
mod output;
#[cfg(feature = "parquet")]
mod parquet;
mod vectors_progress;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
pub use commands::Command;
use micse_cli::GlobalOptions;

/// Sentence embeddings from unlabelled sentences
#[derive(Debug, Parser)]
#[command(
    name = "micse",
    version,
    after_help = "Example:\n  micse train --model demo --corpus notes.txt --out runs/notes\n  micse search --model \
                  runs/notes --corpus notes.txt --query \"broken pump\""
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: GlobalOptions,
}

/// The command line of `micse`, for completions and manual pages.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the `micse` command on the process's arguments.
pub fn main() -> ExitCode {
    run_with(std::env::args_os())
}

/// Runs the `micse` command on these arguments, the first of which is its name. Wrong arguments, and requests for help,
/// end the process.
pub fn run_with(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = Cli::parse_from(arguments);
    micse_cli::run(&cli.global, || cli.command.run(cli.global.json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_an_example() {
        command().debug_assert();
        for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("\n  micse {}", command.get_name());
            let rest = help.strip_prefix("Examples:").or_else(|| help.strip_prefix("Example:"));
            assert!(rest.is_some_and(|rest| rest.starts_with(&example)), "{}: {help}", command.get_name());
        }
    }
}

//! The `micse` command.

mod before;
mod cache;
mod commands;
mod embed;
mod model;
mod output;
mod pairs;
#[cfg(feature = "parquet")]
mod parquet;
mod progress;
mod settings;

use std::io::{ErrorKind, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use commands::Command;
use embed::Interrupted;
use micse::train::Stop;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The status of a process that a person interrupted: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Sentence embeddings from unlabelled sentences
#[derive(Parser)]
#[command(
    name = "micse",
    version,
    after_help = "Example:\n  micse train --model demo --sentences notes.txt --out runs/notes\n  micse search --model \
                  runs/notes --corpus notes.txt --query \"broken pump\""
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// For scripts: the result as one JSON document on standard output
    #[arg(long, global = true, display_order = 1000)]
    json: bool,
    /// Say more on standard error; twice for details
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 1001)]
    verbose: u8,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = ["warn", "info", "debug"][usize::from(cli.verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && coloured())
        .with_env_filter(filter.unwrap_or_else(|_| level.into()))
        .without_time()
        .with_target(false)
        .init();
    match prepared().and_then(|()| cli.command.run::<Cli>(cli.json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ended(&error),
    }
}

/// Tells why a command ended, and gives its status.
fn ended(error: &anyhow::Error) -> ExitCode {
    if let Some(stopped @ micse::train::Error::Stopped { .. }) = error.downcast_ref() {
        eprintln!("{stopped}\n{error}");
        return ExitCode::from(Stop::STATUS);
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        eprintln!("{interrupted}");
        return ExitCode::from(INTERRUPTED);
    }
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
    };
    // Who reads has seen enough, as in `micse encode | head`.
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    eprintln!("{}", told(error));
    ExitCode::FAILURE
}

/// An error and its causes, a line each; a cause that the line before has told already is left out.
fn told(error: &anyhow::Error) -> String {
    let mut lines = vec![format!("error: {error}")];
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if lines.last().is_none_or(|line| !line.contains(&cause)) {
            lines.push(format!("  caused by: {cause}"));
        }
    }
    lines.join("\n")
}

/// Whether the user has nothing against colours: <https://no-color.org>.
fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The process made ready to compute, before it has threads.
fn prepared() -> anyhow::Result<()> {
    if let Some(notice) = micse::model::prepare_process()? {
        eprintln!("notice: {notice}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_an_example() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("Example:\n  micse {}", command.get_name());
            assert!(help.starts_with(&example), "{}: {help}", command.get_name());
        }
    }

    #[test]
    fn causes_are_told_once() {
        let error = anyhow!("no such file").context("a.txt: no such file").context("cannot read the text");
        assert_eq!(told(&error), "error: cannot read the text\n  caused by: a.txt: no such file");
    }
}

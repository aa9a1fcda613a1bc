//! The `micse` command.

mod encode;
mod train;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sentence embeddings from unlabelled sentences
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more on stderr; twice for details
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Train),
    Encode(encode::Encode),
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
    let done = match cli.command {
        Command::Train(train) => train.run(),
        Command::Encode(encode) => encode.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(stopped @ micse::train::Error::Stopped { .. }) = error.downcast_ref() {
                eprintln!("{stopped}");
                return ExitCode::from(micse::train::Stop::STATUS);
            }
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the user has nothing against colours: <https://no-color.org>.
fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

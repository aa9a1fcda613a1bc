//! The project's own commands: `cargo xtask sweep`, `report`, `golden`, `methods`, `bench`, `pretrain`, `vectors` and
//! `dependencies`.

mod bench;
mod dependencies;
mod encoder;
mod golden;
mod methods;
mod pretrain;
mod report;
mod sweep;
mod vectors;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

// Tensors come and go by the hundred each step; the system's allocator gives their pages back every time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Sweeps, pre-training, measurements and checks of the micse workspace"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more on stderr; twice for details
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// The form of log lines
    #[arg(long, value_enum, default_value = "text", global = true)]
    log_format: LogFormat,
}

#[derive(Subcommand)]
enum Command {
    Sweep(Box<sweep::Sweep>),
    Golden(golden::Golden),
    Methods(methods::Methods),
    Report(report::Report),
    Pretrain(Box<pretrain::Pretrain>),
    Bench(Box<bench::Bench>),
    Vectors(vectors::Vectors),
    Dependencies(dependencies::Dependencies),
    #[command(hide = true)]
    SweepCell(sweep::SweepCell),
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = ["warn", "info", "debug"][usize::from(cli.verbose.min(2))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let log = log.with_ansi(std::io::stderr().is_terminal() && coloured());
    match cli.log_format {
        LogFormat::Text => log.without_time().with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    let done = prepared().and_then(|()| run(cli.command));
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Sweep(sweep) => sweep.run(),
        Command::Golden(golden) => golden.run().map(success),
        Command::Methods(methods) => methods.run().map(success),
        Command::Report(report) => report.run().map(success),
        Command::Pretrain(pretrain) => pretrain.run(),
        Command::Bench(bench) => bench.run().map(success),
        Command::Vectors(vectors) => vectors.run().map(success),
        Command::Dependencies(dependencies) => dependencies.run().map(success),
        Command::SweepCell(cell) => cell.run(),
    }
}

fn success((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Whether the user has nothing against colours: <https://no-color.org>.
fn coloured() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The process made ready to compute, before it has threads.
fn prepared() -> anyhow::Result<()> {
    if let Some(notice) = micse_model::prepare_process()? {
        eprintln!("notice: {notice}");
    }
    Ok(())
}

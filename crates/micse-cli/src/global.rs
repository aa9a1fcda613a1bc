//! Options that every command accepts, and the startup of a command.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::{exit, output, threads};

/// Options that every command accepts.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// Print the result as JSON
    #[arg(long, global = true, display_order = 1000)]
    pub json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true, display_order = 1001, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show more logs on stderr (-vv for debug)
    #[arg(short, long, action = ArgAction::Count, global = true, display_order = 1002)]
    pub verbose: u8,
    /// Format of log lines
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, global = true, display_order = 1003)]
    pub log_format: LogFormat,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Human-readable lines
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// Runs a command: sets up logging, prepares the process for computing, and turns the outcome into an exit status.
///
/// Call it first in `main`: it may set environment variables, which is safe only while the process has one thread.
pub fn run(global: &GlobalOptions, command: impl FnOnce() -> anyhow::Result<ExitCode>) -> ExitCode {
    output::set_quiet(global.quiet);
    start_logging(*global);
    exit::status(threads::prepare_process().and_then(|()| command()))
}

fn start_logging(global: GlobalOptions) {
    let level =
        if global.quiet { "error" } else { ["warn", "info", "debug"][usize::from(global.verbose.min(2))] };
    // --quiet takes precedence over RUST_LOG, which takes precedence over -v.
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty() && !global.quiet);
    let filter = asked.and_then(|text| text.parse().ok()).unwrap_or_else(|| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let log = log.with_ansi(std::io::stderr().is_terminal() && output::coloured());
    match global.log_format {
        LogFormat::Text => log.without_time().with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

//! `cargo xtask`: the commands of `micse`, built from the checkout, and the maintainer commands `bench`, `adaptation`,
//! `golden`, `methods` and `dependencies`.

mod adaptation;
mod bench;
mod dependencies;
mod floors;
mod golden;
mod methods;
mod units;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use micse_cli::GlobalOptions;
use micse_cli::output::reject_json;

/// Sweeps, training, measurements and checks of the micse workspace
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: GlobalOptions,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Micse(micse::cli::Command),
    Bench(Box<bench::Bench>),
    Adaptation(adaptation::Adaptation),
    Golden(golden::Golden),
    Methods(methods::Methods),
    Dependencies(dependencies::Dependencies),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    micse_cli::run(&cli.global, || cli.command.run(cli.global.json))
}

impl Command {
    fn run(&self, json: bool) -> Result<ExitCode> {
        let done = match self {
            Self::Micse(command) => return command.run(json),
            Self::Golden(golden) => return golden.run(json),
            Self::Bench(bench) => bench.run(json),
            Self::Adaptation(adaptation) => reject_json(json, "`adaptation`").and_then(|()| adaptation.run()),
            Self::Methods(methods) => reject_json(json, "`methods`").and_then(|()| methods.run()),
            Self::Dependencies(dependencies) => {
                reject_json(json, "`dependencies`").and_then(|()| dependencies.run())
            }
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

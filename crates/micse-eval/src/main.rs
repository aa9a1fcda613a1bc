//! The command `micse-eval`.

use std::process::ExitCode;

use clap::Parser;
use micse_eval::cli::Eval;

#[derive(Parser)]
#[command(name = "micse-eval", version)]
struct Cli {
    #[command(flatten)]
    eval: Eval,
    #[command(flatten)]
    global: micse_cli::GlobalOptions,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    micse_cli::run(&cli.global, || cli.eval.run(cli.global.json))
}

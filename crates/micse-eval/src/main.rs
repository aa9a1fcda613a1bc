//! The command `micse-eval`.

use std::process::ExitCode;

use clap::Parser;
use micse_eval::cli::Eval;

/// Score a model on STS sets (Spearman and Pearson x 100, alignment, uniformity) and transfer tasks (accuracy x 100)
// Without words of its own, the command would be described by those of the options that it flattens last.
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

//! Writes the demo treebank: `cargo run --release -p micse-data --example write_demo_treebank -- data/treebank-demo`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: write_demo_treebank FOLDER");
        return ExitCode::from(2);
    };
    let path = Path::new(&folder).join(micse_data::treebank::DEMO_FILE);
    if let Err(error) = std::fs::write(&path, micse_data::demo::treebank_file()) {
        eprintln!("cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

//! Writes the demo transfer tasks: `cargo run --release -p micse-data --example write_demo_transfer --
//! data/transfer-demo`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: write_demo_transfer FOLDER");
        return ExitCode::from(2);
    };
    for (name, contents) in micse_data::demo::transfer_files() {
        let path = Path::new(&folder).join(name);
        if let Err(error) = std::fs::write(&path, contents) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

//! Writes the valid files that a search starts from to `corpus/TARGET/`, where cargo-fuzz expects them.

use std::path::Path;

fn main() {
    for target in micse_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (index, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index}")), seed).expect("a file");
        }
        println!("{}", folder.display());
    }
}

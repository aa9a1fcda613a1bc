//! Readers of untrusted files, each as a function of the file's bytes, for tests and for a fuzzer.
//!
//! Every reader must accept a file or reject it with an error that names it, and must not panic.
//! `cargo test --release -p micse-fuzz` damages valid files at random. A coverage-guided search with
//! [cargo-fuzz](https://rust-fuzz.github.io/book/cargo-fuzz.html) goes deeper and also limits memory:
//!
//! ```text
//! cargo run --release -p micse-fuzz --example seeds
//! cargo fuzz run --fuzz-dir tests/fuzz --features libfuzzer -s none TARGET -- -timeout=10 -rss_limit_mb=1024
//! ```
//!
//! Put its findings into `found/TARGET/`, which the tests read.

mod archive;
mod model;
mod parts;
mod static_model;
mod text;
mod transfer;
mod treebank;

use std::fmt::Display;
use std::path::Path;
use std::sync::Once;

/// A kind of file, with its reader.
pub struct Target {
    /// The name, also of the fuzz program.
    pub name: &'static str,
    /// Valid files to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads a file. An error is the message that a user would see; a panic, or an error that does not name the file,
    /// is a bug.
    pub read: fn(&[u8]) -> Result<(), String>,
}

/// All targets.
pub const TARGETS: [Target; 22] = [
    Target { name: "model_folder", seeds: model::folder_seeds, read: model::folder },
    Target { name: "model_shards", seeds: model::shards_seeds, read: model::shards },
    Target { name: "model_int8", seeds: model::int8_seeds, read: model::int8 },
    Target { name: "static_model", seeds: static_model::seeds, read: static_model::read },
    Target { name: "config", seeds: model::config_seeds, read: model::config },
    Target { name: "model_parts", seeds: parts::seeds, read: parts::read },
    Target { name: "safetensors", seeds: model::safetensors_seeds, read: model::safetensors },
    Target { name: "pytorch", seeds: model::pytorch_seeds, read: model::pytorch },
    Target { name: "pickle", seeds: model::pickle_seeds, read: model::pickle },
    Target { name: "tokenizer", seeds: model::tokenizer_seeds, read: model::tokenizer },
    Target { name: "vocabulary", seeds: model::vocabulary_seeds, read: model::vocabulary },
    Target { name: "sentences", seeds: model::sentences_seeds, read: model::sentences },
    Target { name: "corpus", seeds: text::corpus_seeds, read: text::corpus },
    Target { name: "corpus_zstd", seeds: text::corpus_zstd_seeds, read: text::corpus_zstd },
    Target { name: "sts", seeds: text::sts_seeds, read: text::sts },
    Target { name: "transfer", seeds: transfer::seeds, read: transfer::read },
    Target { name: "treebank", seeds: treebank::seeds, read: treebank::read },
    Target { name: "word_vectors", seeds: text::word_vectors_seeds, read: text::word_vectors },
    Target { name: "word_vectors_binary", seeds: text::binary_vectors_seeds, read: text::binary_vectors },
    Target { name: "npy", seeds: text::npy_seeds, read: text::npy },
    Target { name: "recipe", seeds: text::recipe_seeds, read: text::recipe },
    Target { name: "settings", seeds: text::settings_seeds, read: text::settings },
];

/// Reads bytes as the kind of file with this name; the fuzz programs call this.
///
/// # Panics
/// Like [`Target::read`], and if no target has the name.
pub fn run(name: &str, bytes: &[u8]) {
    // libFuzzer's hook ends the process at every panic, even inside the tokenizers library, where we turn panics into
    // errors. A panic that leaves this function is still a finding.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| drop(std::panic::take_hook()));
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    let _ = (target.read)(bytes);
}

/// Checks that an error names `place`.
fn told<T, E: Display>(result: Result<T, E>, place: impl AsRef<Path>) -> Result<T, String> {
    result.map_err(|error| {
        let (error, place) = (error.to_string(), place.as_ref().display().to_string());
        assert!(error.contains(&place), "the error does not name {place}: {error}");
        error
    })
}

/// The index below `count` chosen by the first byte, and the remaining bytes.
fn chosen(bytes: &[u8], count: usize) -> Option<(usize, &[u8])> {
    bytes.split_first().map(|(first, rest)| (usize::from(*first) % count, rest))
}

/// The bytes of a file, preceded by the byte that chooses `index`.
fn choosing(index: usize, bytes: &[u8]) -> Vec<u8> {
    [&[index as u8], bytes].concat()
}

//! Shared by the end-to-end tests: running commands, and a small model to run them on.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use micse_files as files;
use micse_model::{BertConfig, Encoder, RandomWeights, TensorEncoder, Trainable, save_safetensors};
use micse_random::Stream;

pub mod folders;
pub mod models;
pub mod onnx;
pub mod protobuf;
pub mod setting;
pub mod sweeps;
pub mod token_vectors;

/// The repository root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The outcome of a command.
pub struct Ended {
    /// Whether its status was 0.
    pub success: bool,
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// Checks that the command succeeded, and returns its standard output.
    ///
    /// # Panics
    /// If it failed, with its standard error.
    pub fn output(self) -> String {
        assert!(self.success, "the command failed: {}", self.stderr);
        self.stdout
    }

    /// Checks that the command failed with each of these reasons on standard error.
    ///
    /// # Panics
    /// If it succeeded, or a reason is missing.
    pub fn refused(self, reasons: &[&str]) {
        assert!(!self.success, "the command succeeded: {}", self.stdout);
        for reason in reasons {
            assert!(self.stderr.contains(reason), "{reason:?} is not in: {}", self.stderr);
        }
    }
}

/// Runs a command in the repository root. External data is hidden unless `data` names it, so that tests read only what
/// they ask for.
///
/// # Panics
/// If the command does not start.
pub fn run(program: &str, data: Option<&Path>, arguments: &[impl AsRef<OsStr>]) -> Ended {
    ended(command(program, data).args(arguments))
}

/// A program in the environment of [`run`], without arguments.
pub fn command(program: &str, data: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env_remove("MICSE_DATA").env_remove("RAYON_NUM_THREADS");
    if let Some(data) = data {
        command.env("MICSE_DATA", data);
    }
    command
}

/// Runs a command to completion.
///
/// # Panics
/// If it does not start.
pub fn ended(command: &mut Command) -> Ended {
    let ended = command.output().expect("the command starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended {
        success: ended.status.success(),
        status: ended.status.code(),
        stdout: text(ended.stdout),
        stderr: text(ended.stderr),
    }
}

/// The folder of external data, or `None` after printing what is skipped.
pub fn external_data(skipped: &str) -> Option<PathBuf> {
    let data = std::env::var_os("MICSE_DATA").map(|data| root().join(data));
    if data.is_none() {
        // Bypasses the test harness, which hides the output of passing tests.
        let _ = writeln!(std::io::stderr(), "skipped: {skipped} (MICSE_DATA is not set)");
    }
    data
}

/// Words of the small model's vocabulary.
const WORDS: [&str; 24] = [
    "a", "the", "old", "young", "red", "quick", "farmer", "teacher", "river", "house", "boat", "dog", "sees",
    "paints", "likes", "buys", "near", "behind", "in", "winter", "morning", "today", "slowly", "again",
];

/// `count` different sentences of words in the small model's vocabulary.
pub fn sentences(count: usize) -> Vec<String> {
    let mut draws = Stream::new(1).draws();
    let mut sentences = Vec::new();
    while sentences.len() < count {
        let words = 3 + draws.below(8);
        let sentence: Vec<&str> =
            (0..words).map(|_| WORDS[draws.below(WORDS.len() as u64) as usize]).collect();
        let sentence = sentence.join(" ");
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

/// Writes a BERT with random weights (4 layers, hidden size 32, 4 heads, 29 word pieces) as a model folder.
///
/// # Panics
/// If the folder cannot be written.
pub fn write_small_model(folder: &Path) {
    let mut vocabulary = vec!["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    vocabulary.extend(WORDS);
    files::write_whole(&folder.join("vocab.txt"), (vocabulary.join("\n") + "\n").as_bytes())
        .expect("vocab.txt");
    let config = BertConfig::with_sizes(vocabulary.len(), 4, 32, 4, 32);
    files::write_json(&folder.join("config.json"), &config).expect("config.json");
    let mut weights = RandomWeights { deviation: 0.2, stream: Stream::new(7) };
    let encoder = TensorEncoder::new(config, &mut weights, &candle_core::Device::Cpu).expect("an encoder");
    let names = encoder.parameters().into_iter().map(|info| info.name);
    let tensors: Vec<_> = names.zip(encoder.values().expect("values")).collect();
    save_safetensors(&folder.join("model.safetensors"), &tensors).expect("model.safetensors");
    assert_eq!(encoder.config().vocab_size, 29);
}

/// Makes a command offline, with the small model as `owner/small` in its Hub cache.
///
/// # Panics
/// If the cache cannot be written.
pub fn with_small_model_of_the_hub(mut command: Command, cache: &Path) -> Command {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let model = cache.join("models--owner--small");
    files::write_whole(&model.join("refs/main"), commit.as_bytes()).expect("the branch");
    write_small_model(&model.join("snapshots").join(commit));
    command.env("HF_HUB_CACHE", cache).env("HF_HUB_OFFLINE", "1");
    command
}

/// Writes an STS folder in the demo layout, with sentences of words in the small model's vocabulary.
///
/// # Panics
/// If the folder cannot be written.
pub fn write_small_sts(folder: &Path) {
    let sentences = sentences(60);
    for (name, shift) in [("demo-dev.csv", 1), ("demo-test.csv", 3)] {
        let line = |i: usize| {
            let (a, b) = (&sentences[i], &sentences[(i + shift * (i % 4)) % sentences.len()]);
            format!("group-{}\tkind\tdemo\t{i}\t{}\t{a}\t{b}\n", i % 2, 5 - (i % 4))
        };
        let text: String = (0..40).map(line).collect();
        files::write_whole(&folder.join(name), text.as_bytes()).expect(name);
    }
}

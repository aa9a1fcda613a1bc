//! A small Hub on the loopback interface, and clients of it.
#![allow(dead_code, reason = "each test program uses only part of it")]

pub(crate) mod repo;
pub(crate) mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use micse_hub::{Error, Event, Hub, Patience, Settings};
pub(crate) use repo::Repo;
pub(crate) use server::Server;

/// Settings for a server and a cache, with short pauses to keep the tests fast.
pub(crate) fn settings(server: &Server, cache: &Path) -> Settings {
    Settings {
        cache: cache.to_owned(),
        endpoint: server.endpoint(),
        token: None,
        offline: false,
        patience: Patience {
            attempts: 4,
            pause: Duration::from_millis(1),
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(20),
            lock: Duration::from_mins(1),
        },
    }
}

/// A client of a server.
pub(crate) fn hub(server: &Server, cache: &Path) -> Hub {
    Hub::new(settings(server, cache)).expect("a hub")
}

/// A client in offline mode.
pub(crate) fn offline(server: &Server, cache: &Path) -> Hub {
    Hub::new(Settings { offline: true, ..settings(server, cache) }).expect("a hub")
}

/// Downloads a model, ignoring events.
pub(crate) fn model(hub: &Hub, id: &str) -> Result<PathBuf, Error> {
    hub.model(id, &mut |_| {})
}

/// Downloads a model and collects the notes.
pub(crate) fn model_and_notes(hub: &Hub, id: &str) -> (Result<PathBuf, Error>, Vec<String>) {
    let mut notes = Vec::new();
    let result = hub.model(id, &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note.to_owned());
        }
    });
    (result, notes)
}

/// Bytes without a pattern, so that a shifted or repeated part is detected.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// A repository like those of sentence-transformers models, with files that nobody needs.
pub(crate) fn sentence_model() -> Repo {
    let modules = r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
    Repo::new()
        .small("config.json", br#"{"model_type": "bert"}"#)
        .small("modules.json", modules.as_bytes())
        .small("1_Pooling/config.json", br#"{"word_embedding_dimension": 4}"#)
        .small("sentence_bert_config.json", br#"{"max_seq_length": 32}"#)
        .small("tokenizer.json", b"{}")
        .small("vocab.txt", b"[PAD]\n[UNK]\n")
        .small("README.md", b"# a model")
        .small(".gitattributes", b"")
        .small("onnx/config.json", b"{}")
        .large("model.safetensors", &noise(400_000))
        .large("pytorch_model.bin", b"not wanted")
        .large("tf_model.h5", b"not wanted")
        .large("onnx/model.onnx", b"not wanted")
}

/// The files expected of [`sentence_model`], sorted.
pub(crate) const WANTED: [&str; 7] = [
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "vocab.txt",
];

/// The files below a folder, sorted, with `/` between names.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let entry = entry.expect("an entry");
            let name = format!("{prefix}{}", entry.file_name().to_str().expect("UTF-8"));
            if entry.path().is_dir() {
                collect(&entry.path(), &format!("{name}/"), names);
            } else {
                names.push(name);
            }
        }
    }
    let mut names = Vec::new();
    collect(folder, "", &mut names);
    names.sort();
    names
}

/// Asserts that a snapshot's files are complete and that no partial file is in the snapshots.
pub(crate) fn assert_whole(folder: &Path, repo: &Repo) {
    for name in files(folder) {
        let found = std::fs::read(folder.join(&name)).expect("a file");
        assert!(found == repo.bytes(&name), "{name} differs from the server's file");
    }
}

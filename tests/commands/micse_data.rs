//! `micse data`, and a model by its Hub ID, against a small Hub on the loopback interface.

#[path = "../../crates/micse-hub/tests/common/mod.rs"]
mod common;

use std::path::Path;

use common::{Repo, Server};
use micse_hub::catalogue;
use micse_tests::{Ended, command, ended, root, run, write_small_model};
use serde_json::Value;

fn micse(arguments: &[&str]) -> Ended {
    run(env!("CARGO_BIN_EXE_micse"), None, arguments)
}

/// Runs the command with this server as the Hub and with a separate cache.
fn with_hub(server: &Server, cache: &Path, arguments: &[&str]) -> Ended {
    let mut command = command(env!("CARGO_BIN_EXE_micse"), None);
    command.args(arguments).env("HF_ENDPOINT", server.endpoint()).env("HF_HUB_CACHE", cache);
    for variable in ["HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        command.env_remove(variable);
    }
    ended(command.env("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"))
}

#[test]
fn overlap_counts_what_stands_in_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let suite = micse::data::Suite::load(&root().join("data/sts-demo"), None).unwrap();
    let first = &suite.tasks[0].subsets[0].pairs[0];
    let notes = folder.path().join("notes.txt");
    // One sentence unchanged, one with different case and punctuation, and one that no test set contains.
    let dressed = first.second.to_uppercase().replace('.', " !");
    std::fs::write(&notes, format!("No test set contains this sentence.\n{}\n{dressed}\n", first.first))
        .unwrap();
    let asked = ["--json", "data", "overlap", "--corpus", notes.to_str().unwrap(), "--sts", "demo"];
    let told: Value = serde_json::from_str(&micse(&asked).output()).unwrap();
    assert_eq!(told["sentences"], 3);
    let shared = told["shared"].as_array().unwrap();
    let places: Vec<_> = shared.iter().map(|s| s["index"].as_u64().unwrap()).collect();
    assert_eq!(places, [1, 2], "{shared:?}");
    assert!(told["subsets"][0]["shared_pairs"].as_u64().unwrap() >= 1);
    let text = micse(&asked[1..]).output();
    assert!(text.contains("2 test sentences occur in") && text.contains(&first.first), "{text}");
}

#[test]
fn what_can_be_fetched_is_listed_with_its_licence() {
    let text = micse(&["data", "fetch"]).output();
    for dataset in catalogue() {
        assert!(text.contains(dataset.name) && text.contains(dataset.licence), "{text}");
    }
    micse(&["data", "fetch", "nothing"]).refused(&["unknown dataset `nothing`", "wiki1m"]);
    micse(&["data", "fetch", "wiki1m"]).refused(&["--output FOLDER", "MICSE_DATA"]);
}

#[test]
fn texts_without_a_known_sum_come_with_theirs() {
    let (cache, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dataset = catalogue().iter().find(|d| d.files.iter().any(|f| f.sha256.is_none())).unwrap();
    // Files with a known checksum are served with other bytes: they must be rejected and not kept.
    let content = |path: &str| format!("a sentence of {path}\n").into_bytes();
    let repo =
        dataset.files.iter().fold(Repo::new(), |repo, file| repo.large(file.path, &content(file.path)));
    let server = Server::start();
    server.dataset(dataset.id, dataset.revision, &repo);
    let to_text = to.path().to_str().unwrap();
    let arguments = ["data", "fetch", dataset.name, "--output", to_text];
    with_hub(&server, cache.path(), &arguments).refused(&["SHA-256"]);
    let first = dataset.files[0].path;
    assert!(dataset.files[0].sha256.is_none());
    assert_eq!(std::fs::read(to.path().join("wiki").join(first)).unwrap(), content(first));
    for file in dataset.files.iter().filter(|file| file.sha256.is_some()) {
        assert!(
            !to.path().join("wiki").join(file.path).exists(),
            "{} has the wrong checksum but was kept",
            file.path
        );
    }
}

#[test]
fn a_model_is_taken_by_its_id_and_from_the_cache_thereafter() {
    let (source, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_small_model(source.path());
    let mut repo = Repo::new();
    for entry in std::fs::read_dir(source.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            repo = repo.large(path.file_name().unwrap().to_str().unwrap(), &std::fs::read(&path).unwrap());
        }
    }
    let server = Server::with_model("owner/small", &repo);
    let ask = |model: &str| {
        let asked = ["similarity", "--model", model, "--pooling", "mean", "the old boat", "a red house"];
        with_hub(&server, cache.path(), &asked)
    };
    let by_id = ask("owner/small").output();
    assert_eq!(by_id, ask(source.path().to_str().unwrap()).output());
    assert!(!server.downloads().is_empty());
    assert_eq!(ask("owner/small").output(), by_id);
    assert!(server.downloads().is_empty(), "the model must not be downloaded twice");
    ask("owner/none").refused(&["no local folder owner/none", "Hub"]);
}

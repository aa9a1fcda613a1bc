//! The cache is shared with Python's `huggingface_hub`: each library finds the other's downloads.
//!
//! Needs `MICSE_PYTHON=PYTHON`, an interpreter with that library.
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    Repo, Server, WANTED, assert_whole, files, hub, model, model_and_notes, offline, sentence_model,
};

const ID: &str = "owner/name";

/// Runs a script and returns its output lines. The script can use `id`, `files` and the library as `h`.
fn python(server: &Server, cache: &Path, variables: &[(&str, &str)], script: &str) -> Option<Vec<String>> {
    let Some(python) = std::env::var_os("MICSE_PYTHON") else {
        println!("skipped: MICSE_PYTHON is not a Python with huggingface_hub");
        return None;
    };
    let head = format!("import huggingface_hub as h\nid = {ID:?}\nfiles = {WANTED:?}\n");
    let output = Command::new(python)
        .args(["-c", &(head + script)])
        .env("HF_HOME", cache.with_extension("home"))
        .env("HF_HUB_CACHE", cache)
        .env("HF_ENDPOINT", server.endpoint())
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        .envs(variables.iter().copied())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect())
}

#[test]
fn what_python_has_fetched_is_found() {
    for script in [
        "print([h.hf_hub_download(id, f) for f in files][1])",
        "import os; print(os.path.join(h.snapshot_download(id), 'config.json'))",
    ] {
        let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
        let server = Server::with_model(ID, &repo);
        let Some(lines) = python(&server, cache.path(), &[], script) else { return };
        let config = PathBuf::from(&lines[0]);
        server.requests();
        let (folder, notes) = model_and_notes(&offline(&server, cache.path()), ID);
        let folder = folder.unwrap();
        assert_eq!(notes, Vec::<String>::new());
        assert_eq!(folder.join("config.json"), config);
        assert_whole(&folder, &repo);
        assert_eq!(model(&hub(&server, cache.path()), ID).unwrap(), folder);
        assert_eq!(server.requests().len(), 1, "one request only, for the commit of main");
    }
}

#[test]
fn python_finds_what_was_fetched_here() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let folder = model(&hub(&server, cache.path()), ID).unwrap();
    server.requests();
    let script = "
print(h.snapshot_download(id))
for f in files:
    print(h.hf_hub_download(id, f))
print(h.hf_hub_download(id, 'config.json', revision='main'))
";
    let Some(lines) = python(&server, cache.path(), &[("HF_HUB_OFFLINE", "1")], script) else { return };
    assert_eq!(server.requests().len(), 0);
    assert_eq!(Path::new(&lines[0]), folder);
    for (line, file) in lines[1..].iter().zip(WANTED) {
        assert_eq!(Path::new(line), folder.join(file));
    }
    let script = "
for f in files:
    h.hf_hub_download(id, f)
info = h.scan_cache_dir()
assert not info.warnings, info.warnings
repo = next(iter(info.repos))
print(repo.repo_id, repo.repo_type, next(iter(repo.refs)), repo.nb_files)
";
    let lines = python(&server, cache.path(), &[], script).expect("Python runs");
    assert_eq!(server.downloads().len(), 0, "Python compares the files and downloads nothing");
    assert_eq!(lines[0], format!("{ID} model main {}", WANTED.len()));
}

#[test]
fn the_locks_are_the_same() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let held = cache.path().join("held");
    let lock = cache
        .path()
        .join(".locks/models--owner--name")
        .join(format!("{}.lock", common::repo::etag(true, repo.bytes("model.safetensors"))));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let script = format!(
        "
import time, pathlib
from huggingface_hub.utils import WeakFileLock
with WeakFileLock({lock:?}):
    pathlib.Path({held:?}).touch()
    time.sleep(2)
"
    );
    std::thread::scope(|scope| {
        let python = scope.spawn(|| python(&server, cache.path(), &[], &script));
        while !held.exists() {
            if python.is_finished() {
                assert!(python.join().expect("Python holds the lock").is_none());
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let (folder, notes) = model_and_notes(&hub(&server, cache.path()), ID);
        assert_whole(&folder.unwrap(), &repo);
        assert!(notes.iter().any(|note| note.contains("another process")), "{notes:?}");
        assert!(!files(cache.path()).iter().any(|name| name.ends_with(".incomplete")));
    });
}

/// The encoder in this repository, as a Hub repository.
fn shipped() -> (PathBuf, Repo) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/encoder");
    let mut repo = Repo::new();
    for name in files(&folder) {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        repo = if name.ends_with(".safetensors") {
            repo.large(&name, &bytes)
        } else {
            repo.small(&name, &bytes)
        };
    }
    (folder, repo)
}

#[test]
fn sentence_transformers_needs_no_more_than_is_fetched_and_the_other_way_round() {
    let ((folder, repo), cache) = (shipped(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let fetched = model(&hub(&server, cache.path()), ID).unwrap();
    server.requests();
    let script = format!(
        "
try:
    from sentence_transformers import SentenceTransformer
except ImportError:
    raise SystemExit
encode = lambda name: SentenceTransformer(name, device='cpu').encode(['a dog runs', 'two birds'])
assert (encode(id) == encode({folder:?})).all()
print('same')
"
    );
    let Some(lines) = python(&server, cache.path(), &[("HF_HUB_OFFLINE", "1")], &script) else { return };
    if lines.is_empty() {
        println!("skipped: MICSE_PYTHON is a Python without sentence-transformers");
        return;
    }
    assert_eq!(lines, ["same"]);
    assert_eq!(server.requests().len(), 0);

    let other = tempfile::tempdir().unwrap();
    python(&server, other.path(), &[], &script).expect("Python runs");
    let found = model(&offline(&server, other.path()), ID).unwrap();
    let (here, there) = (files(&fetched), files(&found));
    // A masked-LM head is specific to this project, and the README is not needed.
    let differs = |name: &&String| !name.starts_with("mlm_head") && !name.starts_with("README");
    assert_eq!(
        here.iter().filter(differs).collect::<Vec<_>>(),
        there.iter().filter(differs).collect::<Vec<_>>()
    );
}

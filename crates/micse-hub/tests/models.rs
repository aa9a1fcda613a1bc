//! Models from a small local Hub: which files are downloaded, and how the cache is used.
mod common;

use std::path::Path;
use std::sync::Arc;
use std::thread;

use common::server::Fault;
use common::{
    Repo, Server, WANTED, assert_whole, files, hub, model, model_and_notes, noise, offline, sentence_model,
    settings,
};
use micse_hub::{Error, Event, Hub, Settings};

const ID: &str = "owner/name";

#[test]
fn a_model_is_fetched_whole_and_without_what_nobody_needs() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let folder = model(&hub(&server, cache.path()), ID).unwrap();
    let root = cache.path().join("models--owner--name");
    assert_eq!(folder, root.join("snapshots").join(repo.commit()));
    assert_eq!(files(&folder), WANTED);
    assert_whole(&folder, &repo);
    assert_eq!(std::fs::read_to_string(root.join("refs/main")).unwrap(), repo.commit());
    let blobs = files(&root.join("blobs"));
    assert_eq!(blobs.len(), WANTED.len(), "{blobs:?}");
    assert!(!blobs.iter().any(|name| name.contains('.')), "no leftovers: {blobs:?}");
    let link = std::fs::read_link(folder.join("1_Pooling/config.json")).unwrap();
    assert!(
        link.starts_with("../../../blobs"),
        "links must be relative, so that a cache can be moved: {}",
        link.display()
    );
}

#[test]
fn progress_counts_every_file_to_its_end() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let mut last = std::collections::BTreeMap::new();
    let mut note = |event: Event<'_>| {
        if let Event::Bytes { file, done, total } = event {
            let before = last.insert(file.to_owned(), (done, total));
            assert!(before.is_none_or(|(before, _)| before <= done), "{file}");
        }
    };
    hub(&server, cache.path()).model(ID, &mut note).unwrap();
    assert_eq!(last.len(), WANTED.len());
    for (file, (done, total)) in last {
        let size = repo.bytes(&file).len() as u64;
        assert_eq!((done, total), (size, Some(size)), "{file}");
    }
}

/// As sentence-transformers completes names.
#[test]
fn a_name_without_an_owner_is_looked_for_in_sentence_transformers() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model("sentence-transformers/short", &repo);
    let (folder, notes) = model_and_notes(&hub(&server, cache.path()), "short");
    let folder = folder.unwrap();
    assert!(folder.starts_with(cache.path().join("models--sentence-transformers--short")));
    assert_eq!(notes, ["short: using sentence-transformers/short"]);
    assert_eq!(model(&offline(&server, cache.path()), "short").unwrap(), folder);
    // Without a connection, and at a commit, the cached copy of that owner is used.
    server.fail("GET", "/api/", usize::MAX, Fault::Status(503, &[]));
    assert_eq!(model(&hub(&server, cache.path()), "short").unwrap(), folder);
    let pinned = format!("short@{}", repo.commit());
    assert_eq!(model(&hub(&server, cache.path()), &pinned).unwrap(), folder);
    server.heal();
    // Errors name what was asked for, or what failed.
    let error = model(&hub(&server, cache.path()), "other").unwrap_err().to_string();
    assert!(error.contains("other") && !error.contains("sentence-transformers/other"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = model(&hub(&server, empty.path()), "short@v9").unwrap_err();
    assert!(matches!(error, Error::NoSuchRevision { .. }), "{error}");
    // The answer to an anonymous request has no code.
    server.fail("GET", "/api/models/short/", 1, Fault::Status(401, &[]));
    assert!(model(&hub(&server, empty.path()), "short").unwrap().starts_with(empty.path()));
    // A model of that very name comes first.
    server.model("short", "main", &repo);
    let fresh = tempfile::tempdir().unwrap();
    let own = model(&hub(&server, fresh.path()), "short").unwrap();
    assert!(own.starts_with(fresh.path().join("models--short")));
}

#[test]
fn a_second_call_fetches_nothing_and_a_commit_asks_nothing() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    let first = model(&hub, ID).unwrap();
    assert!(server.requests().len() > WANTED.len());
    assert_eq!(model(&hub, ID).unwrap(), first);
    let again = server.requests();
    assert_eq!(again.len(), 1, "one request, for the commit of main: {again:?}");
    let pinned = format!("{ID}@{}", repo.commit());
    assert_eq!(model(&hub, &pinned).unwrap(), first);
    assert_eq!(server.requests().len(), 0, "a commit's files never change");
}

#[test]
fn a_new_commit_brings_what_changed_only() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    let old = model(&hub, ID).unwrap();
    server.requests();
    let newer = repo.clone().small("config.json", br#"{"model_type": "roberta"}"#);
    server.model(ID, "main", &newer);
    let folder = model(&hub, ID).unwrap();
    assert_ne!(folder, old);
    assert_eq!(files(&folder), WANTED);
    assert_whole(&folder, &newer);
    assert_whole(&old, &repo);
    let downloads = server.downloads();
    assert_eq!(downloads.len(), 1, "{downloads:?}");
    assert!(downloads[0].path.ends_with("/config.json"));
    assert_eq!(model(&offline(&server, cache.path()), ID).unwrap(), folder);
    assert_eq!(model(&offline(&server, cache.path()), &format!("{ID}@{}", repo.commit())).unwrap(), old);
}

#[test]
fn a_branch_that_fails_halfway_still_means_the_old_commit() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    let old = model(&hub, ID).unwrap();
    let newer = repo.clone().large("model.safetensors", &noise(500_000));
    server.model(ID, "main", &newer);
    server.fail("GET", "resolve", 99, Fault::Status(404, &[("X-Error-Code", "EntryNotFound")]));
    assert!(matches!(model(&hub, ID), Err(Error::NoSuchFile { .. })));
    assert_eq!(model(&offline(&server, cache.path()), ID).unwrap(), old);
    server.heal();
    assert_whole(&model(&hub, ID).unwrap(), &newer);
}

#[test]
fn sharded_weights_come_with_all_shards() {
    let index = br#"{"metadata": {"total_size": 1}, "weight_map": {
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    let repo = Repo::new()
        .small("config.json", b"{}")
        .small("tokenizer.json", b"{}")
        .small("model.safetensors.index.json", index)
        .large("model-00001-of-00002.safetensors", &noise(70_000))
        .large("model-00002-of-00002.safetensors", &noise(50_000))
        .large("model-00003-of-00003.safetensors", b"of another index")
        .large("pytorch_model.bin", b"not wanted");
    let cache = tempfile::tempdir().unwrap();
    let server = Server::with_model("sharded", &repo);
    let folder = model(&hub(&server, cache.path()), "sharded").unwrap();
    let expected = [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    assert_eq!(files(&folder), expected);
    assert_whole(&folder, &repo);
    assert!(folder.starts_with(cache.path().join("models--sharded")));
    std::fs::remove_file(folder.join("model-00002-of-00002.safetensors")).unwrap();
    let error = model(&offline(&server, cache.path()), "sharded").unwrap_err().to_string();
    assert!(error.contains("model-00002-of-00002.safetensors"), "{error}");
}

#[test]
fn offline_the_cache_is_all_there_is() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub_without = offline(&server, cache.path());
    let error = model(&hub_without, ID).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error}");
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    let folder = model(&hub(&server, cache.path()), ID).unwrap();
    server.requests();
    assert_eq!(model(&hub_without, ID).unwrap(), folder);
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    let error = model(&hub_without, ID).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("part of it"), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn offline_it_is_said_when_modules_may_be_missing() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let folder = model(&hub(&server, cache.path()), ID).unwrap();
    std::fs::remove_file(folder.join("modules.json")).unwrap();
    let (result, notes) = model_and_notes(&offline(&server, cache.path()), ID);
    assert_eq!(result.unwrap(), folder);
    assert!(notes.len() == 1 && notes[0].contains("modules.json"), "{notes:?}");

    let plain = repo.without("modules.json");
    server.model("plain", "main", &plain);
    model(&hub(&server, cache.path()), "plain").unwrap();
    let (result, notes) = model_and_notes(&offline(&server, cache.path()), "plain");
    assert!(result.is_ok());
    assert_eq!(notes, Vec::<String>::new(), "the download recorded that it has no modules");
}

#[test]
fn without_an_answer_the_cache_is_taken_and_that_is_said() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    let folder = model(&hub, ID).unwrap();
    server.fail("GET", "/api/", 99, Fault::Status(503, &[]));
    let (result, notes) = model_and_notes(&hub, ID);
    assert_eq!(result.unwrap(), folder);
    assert!(
        notes.len() == 1 && notes[0].contains("the cached copy") && notes[0].contains("503"),
        "{notes:?}"
    );
    let nobody = Settings { endpoint: "http://127.0.0.1:1".to_owned(), ..settings(&server, cache.path()) };
    let (result, notes) = model_and_notes(&Hub::new(nobody).unwrap(), ID);
    assert_eq!(result.unwrap(), folder);
    assert!(notes.len() == 1 && notes[0].contains("cannot reach"), "{notes:?}");
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_host() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let with_token = Settings { token: Some("hf_secret".to_owned()), ..settings(&server, cache.path()) };
    model(&Hub::new(with_token).unwrap(), ID).unwrap();
    let requests = server.requests();
    assert!(requests.iter().any(|request| request.storage));
    for request in requests {
        let expected = (!request.storage).then_some("Bearer hf_secret");
        assert_eq!(request.authorization.as_deref(), expected, "{} {}", request.method, request.path);
    }
}

#[test]
fn a_renamed_repository_is_followed_and_kept_under_the_given_name() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model("google-bert/bert-base-uncased", &repo);
    server.rename("bert-base-uncased", "google-bert/bert-base-uncased");
    let folder = model(&hub(&server, cache.path()), "bert-base-uncased").unwrap();
    assert!(folder.starts_with(cache.path().join("models--bert-base-uncased")));
    assert_whole(&folder, &repo);
}

#[test]
fn branches_tags_and_pull_requests() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let other = repo.clone().small("config.json", b"{\"a\": 1}");
    server.model(ID, "refs/pr/1", &other);
    let hub = hub(&server, cache.path());
    let folder = model(&hub, &format!("{ID}@refs/pr/1")).unwrap();
    assert!(folder.ends_with(other.commit()));
    let noted = cache.path().join("models--owner--name/refs/refs/pr/1");
    assert_eq!(std::fs::read_to_string(noted).unwrap(), other.commit());
    assert_eq!(model(&offline(&server, cache.path()), &format!("{ID}@refs/pr/1")).unwrap(), folder);
    let error = model(&hub, &format!("{ID}@v9")).unwrap_err();
    assert!(matches!(error, Error::NoSuchRevision { .. }), "{error}");
}

#[test]
fn a_damaged_file_of_the_cache_is_fetched_again() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    let folder = model(&hub, ID).unwrap();
    let weights = folder.join("model.safetensors");
    let blob = std::fs::canonicalize(&weights).unwrap();
    std::fs::write(&blob, b"half").unwrap();
    server.requests();
    let (result, notes) = model_and_notes(&hub, ID);
    assert_whole(&result.unwrap(), &repo);
    assert!(notes.len() == 1 && notes[0].contains("4 bytes"), "{notes:?}");
    assert_eq!(server.downloads().iter().filter(|request| request.storage).count(), 1);
}

#[test]
fn names_that_lead_out_of_the_cache_are_refused() {
    let outside = "../../../../outside";
    let modules = format!(r#"[{{"path": ""}}, {{"path": "{outside}"}}]"#);
    let index = format!(r#"{{"weight_map": {{"a": "{outside}/x.safetensors"}}}}"#);
    let base = sentence_model();
    let by_modules = base.clone().small("modules.json", modules.as_bytes());
    let by_index = base
        .without("model.safetensors")
        .small("model.safetensors.index.json", index.as_bytes())
        .small(&format!("{outside}/x.safetensors"), b"x");
    for repo in [by_modules.small(&format!("{outside}/config.json"), b"{}"), by_index] {
        let parent = tempfile::tempdir().unwrap();
        let cache = parent.path().join("cache");
        let server = Server::with_model(ID, &repo);
        let error = model(&hub(&server, &cache), ID).unwrap_err();
        assert!(matches!(error, Error::NotAModel { .. }), "{error}");
        assert!(error.to_string().contains("outside the model folder"), "{error}");
        assert_eq!(files(parent.path()).iter().filter(|name| !name.starts_with("cache/")).count(), 0);
        assert!(server.requests().iter().all(|request| !request.path.contains("outside")));
    }
}

#[test]
fn two_at_once_fetch_each_file_once() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let path: Arc<Path> = cache.path().into();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let hub = hub(&server, &path);
            thread::spawn(move || model(&hub, ID).unwrap())
        })
        .collect();
    for thread in threads {
        // While other threads still create links, this thread's folder is already complete.
        assert_whole(&thread.join().unwrap(), &repo);
    }
    let mut paths: Vec<_> = server.downloads().into_iter().map(|request| request.path).collect();
    paths.sort();
    let count = paths.len();
    paths.dedup();
    assert_eq!(paths.len(), count, "the other threads wait and find it");
    let root = cache.path().join("models--owner--name");
    assert_eq!(files(&root.join("snapshots").join(repo.commit())), WANTED, "no temporary files are left");
}

//! Failed downloads, and what they leave behind.
mod common;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::repo::etag;
use common::server::Fault;
use common::{
    Repo, Server, assert_whole, files, hub, model, model_and_notes, noise, sentence_model, settings,
};
use micse_hub::{Error, Event, Hub, Patience, Settings};

const ID: &str = "owner/name";

fn message(result: Result<std::path::PathBuf, Error>) -> String {
    result.expect_err("expected an error").to_string()
}

/// Path of the partial download of the weights.
fn partial(cache: &std::path::Path, repo: &Repo) -> std::path::PathBuf {
    let tag = etag(true, repo.bytes("model.safetensors"));
    cache.join("models--owner--name/blobs").join(format!("{tag}.incomplete"))
}

/// Path of the weights in the external storage.
fn stored(repo: &Repo) -> String {
    etag(true, repo.bytes("model.safetensors"))
}

#[test]
fn a_cut_connection_goes_on_where_it_ended() {
    for fault in [Fault::Cut(150_000), Fault::CutWithoutLength(150_000)] {
        let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
        let server = Server::with_model(ID, &repo);
        server.fail("GET", &stored(&repo), 2, fault);
        assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);
        let ranges: Vec<_> = server
            .downloads()
            .into_iter()
            .filter(|r| r.storage)
            .map(|r| r.range.unwrap_or_default())
            .collect();
        assert_eq!(ranges, ["", "bytes=150000-", "bytes=300000-"]);
    }
}

#[test]
fn many_cuts_with_progress_are_no_failure_and_cuts_without_are() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    server.fail("GET", &stored(&repo), 20, Fault::Cut(20_000));
    assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);

    let cache = tempfile::tempdir().unwrap();
    server.heal();
    server.fail("GET", &stored(&repo), 1, Fault::Cut(100_000));
    server.fail("GET", &stored(&repo), 99, Fault::Cut(0));
    let hub = hub(&server, cache.path());
    let error = model(&hub, ID).unwrap_err();
    assert!(matches!(error, Error::BrokenOff { times: 4, .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("model.safetensors") && text.contains("/resolve/") && text.contains("again"),
        "{text}"
    );
    let snapshot = cache.path().join("models--owner--name/snapshots").join(repo.commit());
    assert!(!snapshot.join("model.safetensors").exists(), "no partial file in the snapshot");
    assert_eq!(partial(cache.path(), &repo).metadata().unwrap().len(), 100_000, "the partial file is kept");

    server.heal();
    server.requests();
    assert_whole(&model(&hub, ID).unwrap(), &repo);
    let ranges: Vec<_> = server.downloads().into_iter().filter_map(|request| request.range).collect();
    assert_eq!(
        ranges,
        ["bytes=100000-", "bytes=100000-"],
        "one request to the Hub, one to the storage it redirects to"
    );
}

/// A stop within a file keeps what has arrived; the next download asks for the rest.
#[test]
fn a_stopped_download_goes_on_later() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let stop = Arc::new(AtomicBool::new(false));
    let error = hub(&server, cache.path()).stopped_by(Arc::clone(&stop)).model(ID, &mut |event| {
        if let Event::Bytes { file: "model.safetensors", done: 1.., .. } = event {
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(error, Err(Error::Stopped)), "{error:?}");
    let arrived = partial(cache.path(), &repo).metadata().unwrap().len();
    assert!(arrived > 0 && arrived < repo.bytes("model.safetensors").len() as u64, "{arrived}");
    server.requests();
    assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);
    let ranges: Vec<_> = server.downloads().into_iter().filter_map(|request| request.range).collect();
    assert_eq!(ranges, vec![format!("bytes={arrived}-"); 2]);
}

/// A stop ends the pause before another attempt.
#[test]
fn a_stop_ends_a_pause() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    server.fail("GET", &stored(&repo), 99, Fault::Status(503, &[("Retry-After", "60")]));
    let stop = Arc::new(AtomicBool::new(false));
    let patient = hub(&server, cache.path()).stopped_by(Arc::clone(&stop));
    let error = std::thread::scope(|scope| {
        let asked = scope.spawn(|| patient.model(ID, &mut |_| {}));
        while !server.requests().iter().any(|request| request.storage) {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        asked.join().unwrap()
    });
    assert!(matches!(error, Err(Error::Stopped)), "{error:?}");
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    for (fault, requests) in [(Fault::IgnoreRange, 2), (Fault::OtherRange, 3)] {
        let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
        let server = Server::with_model(ID, &repo);
        server.fail("GET", &stored(&repo), 1, Fault::Cut(150_000));
        server.fail("GET", &stored(&repo), 1, fault);
        assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);
        assert_eq!(server.downloads().iter().filter(|request| request.storage).count(), requests);
    }
}

#[test]
fn a_partial_file_that_is_wrong_is_thrown_away() {
    let repo = sentence_model();
    let weights = repo.bytes("model.safetensors");
    let mut wrong_head = weights[..1000].to_vec();
    wrong_head[10] ^= 1;
    let mut wrong_whole = weights.to_vec();
    wrong_whole[10] ^= 1;
    let longer = [weights, b"and more"].concat();
    for (what, bytes) in [
        ("a wrong beginning", wrong_head),
        ("the right length but wrong", wrong_whole),
        ("longer", longer),
        ("complete and correct", weights.to_vec()),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::with_model(ID, &repo);
        let path = partial(cache.path(), &repo);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);
        assert!(!path.exists(), "{what}");
        let fetched = server.downloads().iter().filter(|request| request.storage).count();
        assert_eq!(
            fetched,
            match what {
                "complete and correct" => 0,
                "a wrong beginning" => 2,
                _ => 1,
            },
            "{what}"
        );
    }
}

#[test]
fn wrong_bytes_never_become_a_file() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    server.fail("GET", &stored(&repo), 1, Fault::Corrupt);
    assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);

    let cache = tempfile::tempdir().unwrap();
    server.fail("GET", &stored(&repo), 99, Fault::Corrupt);
    let error = model(&hub(&server, cache.path()), ID).unwrap_err();
    let expected = stored(&repo);
    assert!(matches!(&error, Error::Checksum { expected: sum, .. } if *sum == expected), "{error}");
    let names = files(cache.path());
    assert!(
        !names.iter().any(|name| name.ends_with(&expected) || name.ends_with("model.safetensors")),
        "{names:?}"
    );
    assert_eq!(partial(cache.path(), &repo).metadata().unwrap().len(), 0);
}

#[test]
fn a_wrong_size_is_said() {
    let (repo, size) = (sentence_model(), 400_000);
    let faults =
        [("GET", Fault::Shorter(7)), ("GET", Fault::Longer(9)), ("HEAD", Fault::LinkedSize(size + 5))];
    for (method, fault) in faults {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::with_model(ID, &repo);
        let part = if method == "HEAD" { "model.safetensors".to_owned() } else { stored(&repo) };
        server.fail(method, &part, 99, fault.clone());
        let error = model(&hub(&server, cache.path()), ID).unwrap_err();
        assert!(matches!(error, Error::Size { .. }), "{fault:?}: {error}");
        assert!(!files(cache.path()).iter().any(|name| name.ends_with("model.safetensors")), "{fault:?}");
    }
    // A small file has no checksum, so only its size is checked.
    let (cache, server) = (tempfile::tempdir().unwrap(), Server::with_model(ID, &repo));
    server.fail("GET", "/vocab.txt", 99, Fault::Shorter(3));
    assert!(matches!(model(&hub(&server, cache.path()), ID), Err(Error::Size { .. })));
}

#[test]
fn no_answer_at_all() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let nobody = Settings { endpoint: "http://127.0.0.1:1".to_owned(), ..settings(&server, cache.path()) };
    let error = message(model(&Hub::new(nobody).unwrap(), ID));
    assert!(error.contains("127.0.0.1:1") && error.contains("connection"), "{error}");

    let patience = Patience {
        attempts: 2,
        stall: Duration::from_millis(300),
        ..settings(&server, cache.path()).patience
    };
    let hurried = Hub::new(Settings { patience, ..settings(&server, cache.path()) }).unwrap();
    server.fail("GET", "/api/", 2, Fault::Stall(Duration::from_secs(3)));
    let error = model(&hurried, ID).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    server.fail("GET", &stored(&repo), 1, Fault::Stall(Duration::from_secs(3)));
    assert_whole(&model(&hurried, ID).unwrap(), &repo);
}

#[test]
fn a_file_that_another_process_holds_is_waited_for() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let lock = cache.path().join(".locks/models--owner--name").join(format!("{}.lock", stored(&repo)));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let held = File::create(&lock).unwrap();
    held.lock().unwrap();
    let patience = Patience { lock: Duration::from_millis(250), ..settings(&server, cache.path()).patience };
    let hurried = Hub::new(Settings { patience, ..settings(&server, cache.path()) }).unwrap();
    let (result, notes) = model_and_notes(&hurried, ID);
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Locked { lock: path, .. } if *path == lock), "{error}");
    assert!(notes.iter().any(|note| note.contains("another process")), "{notes:?}");

    let free = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(held);
    });
    assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);
    free.join().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_leaves_nothing_behind() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let path = partial(cache.path(), &repo);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let error = model(&hub(&server, cache.path()), ID).unwrap_err();
    assert!(matches!(error, Error::DiskFull { missing: Some(400_000), .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("400000 more bytes") && text.contains("HF_HUB_CACHE"), "{text}");
    let names = files(cache.path());
    assert!(!names.iter().any(|name| name.ends_with("model.safetensors")), "{names:?}");
}

#[test]
fn a_cache_that_is_no_folder_is_said() {
    let repo = Repo::new()
        .small("config.json", b"{}")
        .small("tokenizer.json", b"{}")
        .large("model.safetensors", &noise(10));
    let server = Server::with_model(ID, &repo);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache");
    std::fs::write(&file, b"").unwrap();
    let error = message(model(&hub(&server, &file), ID));
    assert!(error.contains("HF_HUB_CACHE") && error.contains("cannot"), "{error}");
}

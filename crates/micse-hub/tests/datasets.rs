//! Dataset files, with and without a checksum.
mod common;

use std::path::PathBuf;

use common::repo::etag;
use common::server::Fault;
use common::{Repo, Server, hub, offline};
use micse_hub::{Error, Event, Hub};

const ID: &str = "owner/data";

fn get(hub: &Hub, file: &str, sum: Option<&str>) -> Result<PathBuf, Error> {
    hub.dataset_file(ID, file, "main", sum, &mut |_| {})
}

fn repo() -> Repo {
    Repo::new()
        .large("big.txt", b"one\ntwo\n")
        .small("small.txt", b"three\n")
        .small("a folder/x.txt", b"four\n")
}

fn start() -> (Server, tempfile::TempDir) {
    let server = Server::start();
    server.dataset(ID, "main", &repo());
    (server, tempfile::tempdir().unwrap())
}

#[test]
fn a_file_is_fetched_once_and_found_offline() {
    let (server, cache) = start();
    let hub = hub(&server, cache.path());
    for file in ["big.txt", "small.txt", "a folder/x.txt"] {
        assert!(matches!(get(&offline(&server, cache.path()), file, None), Err(Error::Offline { .. })));
        let path = get(&hub, file, None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), repo().bytes(file));
        assert!(path.starts_with(cache.path().join("datasets--owner--data/snapshots")));
        assert_eq!(server.downloads().len(), if file == "big.txt" { 2 } else { 1 }, "{file}");
        assert_eq!(get(&hub, file, None).unwrap(), path);
        assert_eq!(server.downloads().len(), 0, "{file}");
        assert_eq!(get(&offline(&server, cache.path()), file, None).unwrap(), path);
    }
}

#[test]
fn a_right_checksum_needs_no_request_a_second_time() {
    let (server, cache) = start();
    let hub = hub(&server, cache.path());
    for file in ["big.txt", "small.txt"] {
        let sum = etag(true, repo().bytes(file));
        let path = get(&hub, file, Some(&sum.to_uppercase())).unwrap();
        assert_eq!(micse_hub::sha256(&path).unwrap(), sum);
        server.requests();
        assert_eq!(get(&hub, file, Some(&sum)).unwrap(), path);
        assert_eq!(server.requests().len(), 0);
    }
}

#[test]
fn a_wrong_checksum_removes_the_file() {
    let (server, cache) = start();
    let hub = hub(&server, cache.path());
    let wrong = "0".repeat(64);
    let Err(Error::Checksum { found, expected, .. }) = get(&hub, "small.txt", Some(&wrong)) else {
        panic!("expected an error")
    };
    assert_eq!((found, expected), (etag(true, b"three\n"), wrong.clone()));
    let left = common::files(cache.path());
    assert!(!left.iter().any(|name| name.contains("small") || name.contains("/blobs/")), "{left:?}");
    server.requests();
    assert!(matches!(get(&hub, "big.txt", Some(&wrong)), Err(Error::Checksum { .. })));
    assert_eq!(server.downloads().len(), 0, "the Hub states the checksum of a large file");
    assert!(matches!(get(&hub, "big.txt", Some("1234")), Err(Error::Name { .. })));
}

#[test]
fn a_file_that_was_changed_in_the_cache_is_seen_by_its_sum() {
    let (server, cache) = start();
    let hub = hub(&server, cache.path());
    let sum = etag(true, b"three\n");
    let path = get(&hub, "small.txt", Some(&sum)).unwrap();
    std::fs::write(std::fs::canonicalize(&path).unwrap(), b"thr3e\n").unwrap();
    assert!(matches!(get(&hub, "small.txt", Some(&sum)), Err(Error::Checksum { .. })));
    assert!(!path.exists());
    assert_eq!(std::fs::read(get(&hub, "small.txt", Some(&sum)).unwrap()).unwrap(), b"three\n");
}

#[test]
fn without_an_answer_the_cache_is_taken_and_that_is_said() {
    let (server, cache) = start();
    let hub = hub(&server, cache.path());
    let path = get(&hub, "small.txt", None).unwrap();
    server.fail("HEAD", "small.txt", 99, Fault::Status(503, &[]));
    let mut notes = Vec::new();
    let mut note = |event: Event<'_>| notes.push(format!("{event:?}"));
    assert_eq!(hub.dataset_file(ID, "small.txt", "main", None, &mut note).unwrap(), path);
    assert!(notes.len() == 1 && notes[0].contains("the cached copy"), "{notes:?}");
    let error = get(&hub, "big.txt", None).map(|_| ());
    assert!(error.is_ok(), "another file is not affected");
}

#[test]
fn what_is_not_there_and_what_leads_out() {
    let (server, cache) = start();
    let hub = hub(&server, cache.path());
    assert!(matches!(get(&hub, "other.txt", None), Err(Error::NoSuchFile { .. })));
    for file in ["../small.txt", "/small.txt", "a/../../x", ""] {
        assert!(matches!(get(&hub, file, None), Err(Error::Name { .. })), "{file}");
    }
    let at = |id: &str, revision: &str| hub.dataset_file(id, "small.txt", revision, None, &mut |_| {});
    assert!(matches!(at(ID, "v7"), Err(Error::NoSuchRevision { .. })));
    assert!(matches!(at(ID, "../x"), Err(Error::Name { .. })));
    assert!(matches!(at("owner/none", "main"), Err(Error::NoSuchRepository { kind: "dataset", .. })));
    assert!(matches!(at("a/b/c", "main"), Err(Error::Name { .. })));
}

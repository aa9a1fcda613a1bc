//! Error answers of the Hub, and the resulting messages.
mod common;

use std::time::Duration;

use common::repo::etag;
use common::server::Fault;
use common::{Repo, Server, assert_whole, hub, model, sentence_model, settings};
use micse_hub::{Error, Hub, Settings};

const ID: &str = "owner/name";

fn message(result: Result<std::path::PathBuf, Error>) -> String {
    result.expect_err("expected an error").to_string()
}

#[test]
fn a_fault_of_the_hub_passes() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    for (method, part) in [
        ("GET", "/api/"),
        ("HEAD", "config.json"),
        ("GET", "vocab.txt"),
        ("GET", &etag(true, repo.bytes("model.safetensors"))),
    ] {
        server.fail(method, part, 3, Fault::Status(500, &[]));
    }
    assert_whole(&model(&hub(&server, cache.path()), ID).unwrap(), &repo);

    let cache = tempfile::tempdir().unwrap();
    server.fail("GET", "/api/", 99, Fault::Status(500, &[("X-Error-Message", "on fire")]));
    server.requests();
    let error = message(model(&hub(&server, cache.path()), ID));
    assert!(error.contains("500") && error.contains("on fire") && error.contains("/api/models/"), "{error}");
    assert_eq!(server.requests().len(), 4);
    server.heal();
    server.fail("GET", "/api/", 99, Fault::Status(429, &[("Retry-After", "0")]));
    let error = message(model(&hub(&server, cache.path()), ID));
    assert!(error.contains("429") && error.contains("rate limited"), "{error}");
}

#[test]
fn the_wish_to_be_left_alone_is_granted() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    server.fail("GET", "/api/", 1, Fault::Status(429, &[("Retry-After", "1")]));
    let begun = std::time::Instant::now();
    model(&hub(&server, cache.path()), ID).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn refusals_say_what_to_do() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    let page = format!("{}/{ID}", server.endpoint());

    let error = model(&hub, "owner/other").unwrap_err();
    assert!(matches!(error, Error::NoSuchRepository { status: 401, .. }), "{error}");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");

    server.fail("GET", "/api/", 1, Fault::Status(404, &[]));
    assert!(matches!(model(&hub, ID), Err(Error::NoSuchRepository { status: 404, .. })));

    for status in [401, 403] {
        server.fail("HEAD", "model.safetensors", 1, Fault::Status(status, &[("X-Error-Code", "GatedRepo")]));
        let error = message(model(&hub, ID));
        assert!(error.contains("accept the model's licence") && error.contains(&page), "{error}");
        assert!(error.contains("HF_TOKEN") && error.contains(&status.to_string()), "{error}");
    }
    for status in [401, 403] {
        server.fail("GET", "/api/", 1, Fault::Status(status, &[]));
        let error = message(model(&hub, ID));
        assert!(error.contains("HF_TOKEN") && error.contains(&page), "{error}");
    }
    let invalid = &[("X-Error-Message", "Invalid credentials in Authorization header")];
    server.fail("GET", "/api/", 1, Fault::Status(401, invalid));
    let with_token = Settings { token: Some("hf_old".to_owned()), ..settings(&server, cache.path()) };
    let error = message(model(&Hub::new(with_token).unwrap(), ID));
    assert!(error.contains("token is invalid"), "{error}");

    server.fail("HEAD", "model.safetensors", 1, Fault::Status(404, &[("X-Error-Code", "EntryNotFound")]));
    let error = model(&hub, ID).unwrap_err();
    assert!(matches!(&error, Error::NoSuchFile { file, .. } if file == "model.safetensors"), "{error}");
}

#[test]
fn what_is_no_hub_is_seen() {
    let (repo, cache) = (sentence_model(), tempfile::tempdir().unwrap());
    let server = Server::with_model(ID, &repo);
    let hub = hub(&server, cache.path());
    for page in ["<html>log in first</html>", "{}", r#"{"sha": "../../x", "siblings": []}"#] {
        server.fail("GET", "/api/", 1, Fault::Body(page));
        let error = model(&hub, ID).unwrap_err();
        assert!(matches!(error, Error::Reply { .. }), "{error}");
        assert!(error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
    server.fail("HEAD", "config.json", 1, Fault::Body("no ETag"));
    assert!(matches!(model(&hub, ID), Err(Error::Reply { .. })));
    server.fail("GET", "/api/", 99, Fault::Redirect("/api/again"));
    let error = message(model(&hub, ID));
    assert!(error.contains("redirects"), "{error}");
    server.heal();
    server.fail("GET", "/api/", 99, Fault::Redirect("file:///etc/passwd"));
    assert!(matches!(model(&hub, ID), Err(Error::Unreachable { .. })));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let (server, cache) = (Server::start(), tempfile::tempdir().unwrap());
    for endpoint in ["huggingface.co", "ftp://huggingface.co", ""] {
        let bad = Settings { endpoint: endpoint.to_owned(), ..settings(&server, cache.path()) };
        assert!(
            matches!(Hub::new(bad), Err(Error::Environment { variable: "HF_ENDPOINT", .. })),
            "{endpoint}"
        );
    }
    for token in ["hf a", "hf\u{e4}", "hf\r\nX: y"] {
        let bad = Settings { token: Some(token.to_owned()), ..settings(&server, cache.path()) };
        let error = Hub::new(bad).unwrap_err();
        assert!(matches!(error, Error::Environment { variable: "HF_TOKEN", .. }), "{error}");
        assert!(!error.to_string().contains(token), "the message must not contain the token");
    }
    assert!(matches!(model(&hub(&server, cache.path()), "../up"), Err(Error::Name { .. })));
}

#[test]
fn what_holds_no_model_is_said() {
    let server = Server::start();
    let cache = tempfile::tempdir().unwrap();
    let repo =
        Repo::new().small("config.json", b"{}").small("tokenizer.json", b"{}").large("tf_model.h5", b"x");
    server.model("tf", "main", &repo);
    let error = message(model(&hub(&server, cache.path()), "tf"));
    assert!(error.contains("tf_model.h5") && error.contains("save_pretrained"), "{error}");
    server.model("empty", "main", &Repo::new());
    assert!(matches!(model(&hub(&server, cache.path()), "empty"), Err(Error::NotAModel { .. })));
    assert!(server.downloads().is_empty());
}

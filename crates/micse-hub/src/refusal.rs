//! From a status that is no success to an error with a remedy.
use std::time::Duration;

use ureq::http::header;

use crate::error::Error;
use crate::http::{Client, Reply};
use crate::id::{Kind, Repository};

/// Why a step failed, and whether to try it again.
pub(crate) enum Fault {
    /// Another attempt would fail as well.
    Final(Error),
    /// Another attempt may succeed.
    Passing {
        /// What to report if it does not.
        error: Error,
        /// How long the server wants to be left alone.
        wait: Option<Duration>,
    },
}

impl Fault {
    pub(crate) fn passing(error: Error) -> Self {
        Self::Passing { error, wait: None }
    }
}

/// What was asked for.
pub(crate) struct Subject<'a> {
    pub(crate) repository: &'a Repository,
    /// A file, or the list of files.
    pub(crate) file: Option<&'a str>,
    pub(crate) revision: &'a str,
    pub(crate) url: &'a str,
}

/// What a status that is no success means.
pub(crate) fn refusal(client: &Client, subject: &Subject<'_>, reply: &Reply) -> Fault {
    let Subject { repository, file, revision, url } = subject;
    let status = reply.status.as_u16();
    let said = reply.header("x-error-message").map_or_else(String::new, |words| format!(": {words}"));
    let id = repository.id.clone();
    let page = client.address(&repository.page());
    if matches!(status, 408 | 429 | 500..=599) {
        let remedy = match status {
            429 => "the Hub wants fewer requests: wait some minutes, or set HF_TOKEN to get a larger share",
            _ => "the Hub has a fault of its own: run the command again later",
        };
        let wait = reply.header(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        let error = Error::Status { url: (*url).to_owned(), status, said, remedy };
        return Fault::Passing { error, wait: wait.map(Duration::from_secs) };
    }
    let missing =
        |page| Error::NoSuchRepository { kind: repository.kind.name(), id: id.clone(), status, page };
    let no_such_file = |file: &str, page| Error::NoSuchFile {
        id: id.clone(),
        file: file.to_owned(),
        revision: (*revision).to_owned(),
        page,
    };
    let refused = |remedy| Error::Refused { id: id.clone(), status, said: said.clone(), remedy };
    let terms = match repository.kind {
        Kind::Model => "the model's licence",
        Kind::Dataset => "the dataset's terms",
    };
    let bad_token = client.has_token() && said.contains("Invalid credentials");
    Fault::Final(match (reply.header("x-error-code"), status, file) {
        (_, 401, _) if bad_token => refused(
            "the token is not valid: make a new one in the Hub's settings and set HF_TOKEN to it".into(),
        ),
        (Some("GatedRepo"), ..) => refused(format!(
            "accept {terms} at {page} with your account, and set HF_TOKEN to a token of that account"
        )),
        (Some("RevisionNotFound"), ..) => {
            Error::NoSuchRevision { id: id.clone(), revision: (*revision).to_owned(), page }
        }
        (Some("RepoNotFound"), ..) | (_, 404 | 410, None) => missing(page),
        (Some("EntryNotFound"), _, Some(file)) | (_, 404 | 410, Some(file)) => no_such_file(file, page),
        (_, 401 | 403, _) => refused(format!(
            "check the name at {page}, accept {terms} there if it asks for that, and set HF_TOKEN to a token that \
             may read it (a fine-grained one needs access to public gated repositories)"
        )),
        _ => Error::Status {
            url: (*url).to_owned(),
            status,
            said,
            remedy: "is HF_ENDPOINT the address of a Hub, and is no proxy between?",
        },
    })
}

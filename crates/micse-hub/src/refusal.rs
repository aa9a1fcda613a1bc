//! Turns an error status into an error with a remedy.
use std::time::Duration;

use ureq::http::header;

use crate::error::Error;
use crate::http::{Client, Reply};
use crate::id::{Kind, Repository};

/// Why a step failed, and whether to retry it.
pub(crate) enum Fault {
    /// Another attempt would fail too.
    Final(Error),
    /// Another attempt may succeed.
    Passing {
        /// The error to report if it does not.
        error: Error,
        /// How long the server asks clients to wait.
        wait: Option<Duration>,
    },
}

impl Fault {
    pub(crate) fn passing(error: Error) -> Self {
        Self::Passing { error, wait: None }
    }
}

/// The subject of a request.
pub(crate) struct Subject<'a> {
    pub(crate) repository: &'a Repository,
    /// A file, or `None` for the list of files.
    pub(crate) file: Option<&'a str>,
    pub(crate) revision: &'a str,
    pub(crate) url: &'a str,
}

/// The error that a failure status stands for.
pub(crate) fn refusal(client: &Client, subject: &Subject<'_>, reply: &Reply) -> Fault {
    let Subject { repository, file, revision, url } = subject;
    let status = reply.status.as_u16();
    let said = reply.header("x-error-message").map_or_else(String::new, |words| format!(": {words}"));
    let id = repository.id.clone();
    let page = client.address(&repository.page());
    if matches!(status, 408 | 429 | 500..=599) {
        let remedy = match status {
            429 => "rate limited by the Hub; wait a few minutes, or set HF_TOKEN for a higher limit",
            _ => "the Hub has a problem; run the command again later",
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
            "the token is invalid; create a new one in the Hub's settings and set HF_TOKEN to it".into(),
        ),
        (Some("GatedRepo"), ..) => refused(format!(
            "accept {terms} at {page} with your account, and set HF_TOKEN to one of its tokens"
        )),
        (Some("RevisionNotFound"), ..) => {
            Error::NoSuchRevision { id: id.clone(), revision: (*revision).to_owned(), page }
        }
        (Some("RepoNotFound"), ..) | (_, 404 | 410, None) => missing(page),
        (Some("EntryNotFound"), _, Some(file)) | (_, 404 | 410, Some(file)) => no_such_file(file, page),
        (_, 401 | 403, _) => refused(format!(
            "check the name at {page}, accept {terms} there if required, and set HF_TOKEN to a token with \
             read access (a fine-grained token needs access to public gated repositories)"
        )),
        _ => Error::Status {
            url: (*url).to_owned(),
            status,
            said,
            remedy: "check that HF_ENDPOINT is the address of a Hub and that no proxy interferes",
        },
    })
}

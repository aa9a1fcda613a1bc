//! Requests: redirects followed by hand, because the Hub's own headers stand on the answer that redirects, and the
//! token must not follow to another host.
use std::time::Duration;

use ureq::http::{HeaderMap, StatusCode, Uri, header};
use ureq::{Agent, Body};

use crate::error::{Error, Result};
use crate::settings::{Patience, Settings};

/// The most redirects of one request.
const REDIRECTS: usize = 10;

/// The most bytes of a text answer, such as the list of a repository's files.
const LONGEST_TEXT: u64 = 64 << 20;

/// Sends requests to the Hub and, where it redirects, to others.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What is asked of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// What the Hub says of it; a redirect to another host is not followed.
    Head,
    /// Its bytes from an offset on.
    Get {
        /// The offset.
        from: u64,
    },
}

/// An answer, of whatever status.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// Of the last answer.
    pub(crate) headers: HeaderMap,
    /// What the Hub said of the file on the way.
    pub(crate) facts: Facts,
    body: Body,
}

/// What the Hub's headers say of a file. A large file is stored elsewhere, and the answer that redirects there has the
/// headers of its own for it (`X-Linked-...`); otherwise the last answer counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The commit it belongs to.
    pub(crate) commit: Option<String>,
    etag: Option<String>,
    linked_etag: Option<String>,
    size: Option<u64>,
    linked_size: Option<u64>,
}

impl Reply {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        text(&self.headers, name)
    }

    /// The body's length, if announced.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(header::CONTENT_LENGTH)?.parse().ok()
    }

    /// The body, byte by byte.
    pub(crate) fn reader(self) -> impl std::io::Read {
        self.body.into_reader()
    }

    /// The body as text.
    pub(crate) fn text(self) -> std::result::Result<String, String> {
        let body = self.body.into_with_config().limit(LONGEST_TEXT).read_to_string();
        body.map_err(|error| error.to_string())
    }
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let endpoint = settings.endpoint.trim_end_matches('/').to_owned();
        if origin(&endpoint).is_none() {
            return Err(Error::Environment {
                variable: "HF_ENDPOINT",
                problem: format!("{endpoint:?} is no address; write one like https://huggingface.co"),
            });
        }
        if settings.token.as_deref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Error::Environment {
                variable: "HF_TOKEN",
                problem: "the token (of this variable, or of the token's file) has a blank or a sign in it that no \
                          token has; copy it anew from the Hub's settings"
                    .to_owned(),
            });
        }
        let patience = settings.patience;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .accept_encoding("identity")
            .user_agent(concat!("micse-hub/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.stall))
            .timeout_per_read(Some(patience.stall))
            .timeout_per_write(Some(patience.stall))
            .build()
            .new_agent();
        Ok(Self { agent, endpoint, token: settings.token.clone() })
    }

    /// An address below the endpoint.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// Whether requests to the Hub carry a token.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// One request with its redirects. An error is a connection's, in words.
    pub(crate) fn send(&self, ask: Ask, url: &str) -> std::result::Result<Reply, String> {
        let mut url = url.to_owned();
        let mut facts = Facts::default();
        for _ in 0..=REDIRECTS {
            let mut request = match ask {
                Ask::Head => self.agent.head(&url),
                Ask::Get { .. } => self.agent.get(&url),
            };
            if let Ask::Get { from } = ask
                && from > 0
            {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            let at_hub = self.is_hub(&url);
            if let Some(token) = self.token.as_ref().filter(|_| at_hub) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let (parts, body) = request.call().map_err(|error| error.to_string())?.into_parts();
            if at_hub && ask == Ask::Head {
                facts.learn(parts.status, &parts.headers);
            }
            let next = match text(&parts.headers, header::LOCATION) {
                Some(location) if parts.status.is_redirection() => Some(resolve(&url, location)?),
                _ => None,
            };
            match next {
                Some(next) if ask != Ask::Head || self.is_hub(&next) => url = next,
                _ => return Ok(Reply { status: parts.status, headers: parts.headers, facts, body }),
            }
        }
        Err(format!("more than {REDIRECTS} redirects"))
    }

    fn is_hub(&self, url: &str) -> bool {
        origin(url).is_some_and(|origin_of_url| origin(&self.endpoint) == Some(origin_of_url))
    }
}

impl Facts {
    fn learn(&mut self, status: StatusCode, headers: &HeaderMap) {
        let take = |place: &mut Option<String>, name: &str| {
            if let Some(value) = text(headers, name) {
                *place = Some(value.to_owned());
            }
        };
        take(&mut self.commit, "x-repo-commit");
        take(&mut self.etag, "etag");
        take(&mut self.linked_etag, "x-linked-etag");
        let number = |name: &str| text(headers, name)?.parse().ok();
        self.linked_size = number("x-linked-size").or(self.linked_size);
        self.size = number("content-length").filter(|_| status.is_success());
    }

    /// The tag of the content: the SHA-256 of a large file, the Git hash of a small one.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.linked_etag.as_deref().or(self.etag.as_deref())
    }

    /// The size in bytes.
    pub(crate) fn size(&self) -> Option<u64> {
        self.linked_size.or(self.size)
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Scheme and host with port, in lower case.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| *scheme == "http" || *scheme == "https")?;
    Some((scheme.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()))
}

/// The address that a `Location` names, seen from another one.
fn resolve(base: &str, location: &str) -> std::result::Result<String, String> {
    if origin(location).is_some() {
        return Ok(location.to_owned());
    }
    let refused = || format!("a redirect to {location:?}");
    let (scheme, host) = origin(base).ok_or_else(refused)?;
    if let Some(rest) = location.strip_prefix("//") {
        Ok(format!("{scheme}://{rest}"))
    } else if location.starts_with('/') {
        Ok(format!("{scheme}://{host}{location}"))
    } else {
        Err(refused())
    }
}

/// Counts failures in a row and pauses between them.
pub(crate) struct Retry<'a> {
    patience: &'a Patience,
    failed: u32,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(patience: &'a Patience) -> Self {
        Self { patience, failed: 0 }
    }

    /// Forgets earlier failures: there was progress.
    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// After a failure: pauses, at least for as long as the server wants (a minute at most), if there is another
    /// attempt; otherwise gives the number of attempts.
    pub(crate) fn again(&mut self, wanted: Option<Duration>) -> std::result::Result<(), u32> {
        self.failed += 1;
        if self.failed >= self.patience.attempts {
            return Err(self.failed);
        }
        let pause = self.patience.pause * (1 << (self.failed - 1).min(10));
        std::thread::sleep(pause.max(wanted.unwrap_or_default().min(Duration::from_mins(1))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved_as_browsers_do() {
        let base = "https://hub.org/a/resolve/main/f";
        assert_eq!(resolve(base, "/b/f?x=1").as_deref(), Ok("https://hub.org/b/f?x=1"));
        assert_eq!(resolve(base, "//cdn.org/f").as_deref(), Ok("https://cdn.org/f"));
        assert_eq!(resolve(base, "http://cdn.org/f").as_deref(), Ok("http://cdn.org/f"));
        assert!(resolve(base, "ftp://cdn.org/f").is_err());
        assert!(resolve(base, "file:///etc/passwd").is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://Hub.org/x"), origin("https://hub.org"));
        assert_ne!(origin("https://hub.org"), origin("http://hub.org"));
        assert_ne!(origin("https://hub.org"), origin("https://hub.org:8443"));
        assert_ne!(origin("https://hub.org"), origin("https://hub.org.evil.com"));
        assert_eq!(origin("huggingface.co"), None);
        assert_eq!(origin("ftp://hub.org"), None);
    }
}

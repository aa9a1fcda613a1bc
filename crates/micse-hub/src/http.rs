//! HTTP requests. Redirects are followed by hand: the Hub's own headers are in the redirecting answer, and
//! the token must not be sent to another host.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, StatusCode, Uri, header};
use ureq::{Agent, Body};

use crate::error::{Error, Result};
use crate::settings::{Patience, Settings};

/// How long a pause may continue after a stop.
const SLICE: Duration = Duration::from_millis(100);

/// Maximum number of redirects per request.
const REDIRECTS: usize = 10;

/// Maximum size in bytes of a text answer, such as a repository's list of files.
const LONGEST_TEXT: u64 = 64 << 20;

/// Sends requests to the Hub and to the hosts that it redirects to.
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

/// The kind of request for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The Hub's description of the file; a redirect to another host is not followed.
    Head,
    /// The bytes of the file from an offset.
    Get {
        /// The offset.
        from: u64,
    },
}

/// An answer of any status.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The headers of the last answer.
    pub(crate) headers: HeaderMap,
    /// The file's description, collected over all redirects.
    pub(crate) facts: Facts,
    body: Body,
}

/// The Hub's headers about a file. A large file is stored elsewhere, and the redirecting answer describes it
/// in headers of its own (`X-Linked-...`); otherwise the last answer counts.
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

    /// A reader of the body.
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
                problem: format!(
                    "{endpoint:?} is not a valid address; write one like https://huggingface.co"
                ),
            });
        }
        if settings.token.as_deref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Error::Environment {
                variable: "HF_TOKEN",
                problem: "the token (from this variable or the token file) contains a space or another \
                          character that no token has; copy it again from the Hub's settings"
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

    /// A URL below the endpoint.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// Whether requests to the Hub carry a token.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Sends one request and follows its redirects. An error is the message of a failed connection.
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

    /// The ETag of the blob: the SHA-256 of a large file, the Git hash of a small one.
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

/// Resolves a `Location` header against the URL that returned it.
fn resolve(base: &str, location: &str) -> std::result::Result<String, String> {
    if origin(location).is_some() {
        return Ok(location.to_owned());
    }
    let refused = || format!("invalid redirect to {location:?}");
    let (scheme, host) = origin(base).ok_or_else(refused)?;
    if let Some(rest) = location.strip_prefix("//") {
        Ok(format!("{scheme}://{rest}"))
    } else if location.starts_with('/') {
        Ok(format!("{scheme}://{host}{location}"))
    } else {
        Err(refused())
    }
}

/// Counts consecutive failures and pauses between attempts.
pub(crate) struct Retry<'a> {
    patience: &'a Patience,
    /// Ends a pause early.
    stop: &'a AtomicBool,
    failed: u32,
}

impl<'a> Retry<'a> {
    pub(crate) fn new(patience: &'a Patience, stop: &'a AtomicBool) -> Self {
        Self { patience, stop, failed: 0 }
    }

    /// Resets the count after progress.
    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// After a failure: pauses if another attempt is left, at least as long as the server requests (up to a
    /// minute). Otherwise returns the number of attempts.
    pub(crate) fn again(&mut self, wanted: Option<Duration>) -> std::result::Result<(), u32> {
        self.failed += 1;
        if self.failed >= self.patience.attempts {
            return Err(self.failed);
        }
        let pause = self.patience.pause * (1 << (self.failed - 1).min(10));
        let end = Instant::now() + pause.max(wanted.unwrap_or_default().min(Duration::from_mins(1)));
        while !self.stop.load(Ordering::Relaxed) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(SLICE));
        }
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

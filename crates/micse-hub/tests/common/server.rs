//! A server that implements the needed part of the Hub's protocol, with faults on demand.
//!
//! A large file is described by a redirect to a second address, which plays the Hub's storage: another host,
//! as far as tokens are concerned.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::repo::{Repo, etag};

/// A fault to inject.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An error status with headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// The connection closes after this many bytes of the body.
    Cut(usize),
    /// Like `Cut`, without a Content-Length header.
    CutWithoutLength(usize),
    /// The complete file is sent, whatever range was requested.
    IgnoreRange,
    /// A different range than requested is sent.
    OtherRange,
    /// One byte of the body is wrong.
    Corrupt,
    /// The body and its announced length are this many bytes too short.
    Shorter(usize),
    /// This many extra bytes are sent, without an announced length.
    Longer(usize),
    /// Nothing is sent for a while.
    Stall(Duration),
    /// A different body.
    Body(&'static str),
    /// A redirect.
    Redirect(&'static str),
    /// A wrong size in the file's description.
    LinkedSize(usize),
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
    /// Whether the storage received it.
    pub(crate) storage: bool,
}

#[derive(Default)]
struct State {
    /// By "models/ID@REVISION" and "datasets/ID@REVISION".
    repos: HashMap<String, Repo>,
    renamed: HashMap<String, String>,
    /// (method, part of the path, remaining times, fault); the first match counts.
    faults: Vec<(&'static str, String, usize, Fault)>,
    requests: Vec<Request>,
}

/// The server. Its threads end with the process.
pub(crate) struct Server {
    hub: SocketAddr,
    storage: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let hub = TcpListener::bind("127.0.0.1:0").expect("a port");
        let storage = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Self {
            hub: hub.local_addr().expect("an address"),
            storage: storage.local_addr().expect("an address"),
            state,
        };
        for (listener, is_storage) in [(hub, false), (storage, true)] {
            let (state, storage) = (Arc::clone(&server.state), server.storage);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    // A client that disconnects does not fail the test.
                    thread::spawn(move || drop(serve(&stream, is_storage, &state, storage)));
                }
            });
        }
        server
    }

    /// Starts a server with a model at `main`.
    pub(crate) fn with_model(id: &str, repo: &Repo) -> Self {
        let server = Self::start();
        server.model(id, "main", repo);
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.hub)
    }

    pub(crate) fn model(&self, id: &str, revision: &str, repo: &Repo) {
        self.put("models", id, revision, repo);
    }

    pub(crate) fn dataset(&self, id: &str, revision: &str, repo: &Repo) {
        self.put("datasets", id, revision, repo);
    }

    fn put(&self, kind: &str, id: &str, revision: &str, repo: &Repo) {
        let repos = &mut self.state.lock().expect("state").repos;
        repos.insert(format!("{kind}/{id}@{revision}"), repo.clone());
        repos.insert(format!("{kind}/{id}@{}", repo.commit()), repo.clone());
    }

    /// Redirects requests for one ID to another.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        self.state.lock().expect("state").renamed.insert(from.to_owned(), to.to_owned());
    }

    /// Injects a fault into the next `times` requests with this method whose path contains `part`.
    pub(crate) fn fail(&self, method: &'static str, part: &str, times: usize, fault: Fault) {
        self.state.lock().expect("state").faults.push((method, part.to_owned(), times, fault));
    }

    /// Removes all faults.
    pub(crate) fn heal(&self) {
        self.state.lock().expect("state").faults.clear();
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().expect("state").requests)
    }

    /// The download requests since the last call.
    pub(crate) fn downloads(&self) -> Vec<Request> {
        let is_download = |request: &Request| {
            request.method == "GET" && (request.storage || !request.path.starts_with("/api/"))
        };
        self.requests().into_iter().filter(is_download).collect()
    }
}

fn serve(
    stream: &TcpStream,
    storage: bool,
    state: &Mutex<State>,
    storage_address: SocketAddr,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut request =
        Request { method: method.clone(), path: path.clone(), range: None, authorization: None, storage };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut state = state.lock().expect("state");
    state.requests.push(request.clone());
    let fault =
        state.faults.iter_mut().find(|(m, part, times, _)| *m == method && path.contains(part) && *times > 0);
    let fault = fault.map(|fault| {
        fault.2 -= 1;
        fault.3.clone()
    });
    let answer = answer(&state, &request, fault.as_ref(), storage_address);
    drop(state);
    if let Some(Fault::Stall(time)) = fault {
        thread::sleep(time);
    }
    write(stream, &answer, method == "HEAD")
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The announced length of the body.
    length: Option<usize>,
    /// The number of bytes that are sent.
    sent: usize,
}

impl Answer {
    fn new(status: u16, body: &[u8]) -> Self {
        let length = body.len();
        Self { status, headers: Vec::new(), body: body.to_owned(), length: Some(length), sent: length }
    }

    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

fn write(mut stream: &TcpStream, answer: &Answer, head: bool) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if let Some(length) = answer.length {
        text.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
    }
    text += "\r\n";
    stream.write_all(text.as_bytes())?;
    if !head {
        stream.write_all(&answer.body[..answer.sent])?;
    }
    stream.flush()
}

fn answer(state: &State, request: &Request, fault: Option<&Fault>, storage: SocketAddr) -> Answer {
    match fault {
        Some(Fault::Status(status, headers)) => {
            let answer = Answer::new(*status, b"refused");
            return headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value));
        }
        Some(Fault::Body(text)) => return Answer::new(200, text.as_bytes()),
        Some(Fault::Redirect(location)) => return Answer::new(302, b"").with("Location", location),
        _ => {}
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if request.storage {
        let content = state
            .repos
            .values()
            .flat_map(|repo| repo.files.values())
            .find(|(large, bytes)| *large && path.trim_start_matches('/') == etag(true, bytes));
        return match content {
            Some((_, bytes)) => body(bytes, request, fault).with("ETag", "\"of-the-storage\""),
            None => Answer::new(404, b""),
        };
    }
    for (from, to) in &state.renamed {
        let renamed = path.replacen(&format!("/{from}/"), &format!("/{to}/"), 1);
        if renamed != path && !path.contains(&format!("/{to}/")) {
            return Answer::new(307, b"moved")
                .with("Location", renamed)
                .with("ETag", "W/\"of-the-redirect\"");
        }
    }
    if let Some(rest) = path.strip_prefix("/api/") {
        for (separator, of) in [("/revision/", Repo::listing as fn(&Repo) -> String), ("/tree/", Repo::tree)]
        {
            if let Some((id, revision)) = rest.split_once(separator) {
                // A subfolder: no repository of these tests has the requested ones.
                if revision.contains('/') {
                    return Answer::new(404, b"").with("X-Error-Code", "EntryNotFound");
                }
                let key = format!("{id}@{}", decode(revision));
                return match state.repos.get(&key) {
                    Some(repo) => {
                        Answer::new(200, of(repo).as_bytes()).with("Content-Type", "application/json")
                    }
                    None => missing(state, id),
                };
            }
        }
        return Answer::new(404, b"");
    }
    let Some((id, rest)) = path.trim_start_matches('/').split_once("/resolve/") else {
        return Answer::new(404, b"");
    };
    let id = if id.starts_with("datasets/") { id.to_owned() } else { format!("models/{id}") };
    let Some((revision, name)) = rest.split_once('/') else { return Answer::new(404, b"") };
    let Some(repo) = state.repos.get(&format!("{id}@{}", decode(revision))) else {
        return missing(state, &id);
    };
    let Some((large, bytes)) = repo.files.get(&decode(name)) else {
        return Answer::new(404, b"")
            .with("X-Error-Code", "EntryNotFound")
            .with("X-Repo-Commit", repo.commit());
    };
    let tag = etag(*large, bytes);
    if *large {
        let size = if let Some(Fault::LinkedSize(size)) = fault { *size } else { bytes.len() };
        Answer::new(302, b"elsewhere")
            .with("Location", format!("http://{storage}/{tag}"))
            .with("X-Repo-Commit", repo.commit())
            .with("X-Linked-Etag", format!("\"{tag}\""))
            .with("X-Linked-Size", size)
            .with("ETag", "\"of-the-pointer\"")
    } else {
        body(bytes, request, fault).with("ETag", format!("\"{tag}\"")).with("X-Repo-Commit", repo.commit())
    }
}

fn missing(state: &State, id: &str) -> Answer {
    let known = state.repos.keys().any(|key| key.starts_with(&format!("{id}@")));
    if known {
        return Answer::new(404, b"").with("X-Error-Code", "RevisionNotFound");
    }
    let refused = Answer::new(401, b"").with("X-Error-Code", "RepoNotFound");
    refused.with("X-Error-Message", "Repository not found")
}

/// A file's bytes, or the requested range, modified by the fault.
fn body(bytes: &[u8], request: &Request, fault: Option<&Fault>) -> Answer {
    let from = request.range.as_deref().and_then(|range| range.strip_prefix("bytes="));
    let from = from.and_then(|range| range.trim_end_matches('-').parse::<usize>().ok()).unwrap_or(0);
    let mut bytes = bytes.to_owned();
    if let Some(Fault::Corrupt) = fault
        && let Some(byte) = bytes.last_mut()
    {
        *byte ^= 1;
    }
    let total = bytes.len();
    let mut answer = match fault {
        _ if from == 0 => Answer::new(200, &bytes),
        Some(Fault::IgnoreRange) => Answer::new(200, &bytes),
        _ if from >= total => return Answer::new(416, b"").with("Content-Range", format!("bytes */{total}")),
        Some(Fault::OtherRange) => {
            Answer::new(206, &bytes[1..]).with("Content-Range", format!("bytes 1-{}/{total}", total - 1))
        }
        _ => Answer::new(206, &bytes[from..])
            .with("Content-Range", format!("bytes {from}-{}/{total}", total - 1)),
    };
    match fault {
        Some(Fault::Cut(after)) => answer.sent = answer.sent.min(*after),
        Some(Fault::CutWithoutLength(after)) => {
            answer.sent = answer.sent.min(*after);
            answer.length = None;
        }
        Some(Fault::Shorter(by)) => {
            answer.sent -= by;
            answer.length = Some(answer.sent);
        }
        Some(Fault::Longer(by)) => {
            answer.body.extend(vec![7; *by]);
            answer.sent += by;
            answer.length = None;
        }
        _ => {}
    }
    answer
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = std::str::from_utf8(&digits).expect("digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("digits"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

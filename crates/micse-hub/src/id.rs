//! Validates names of repositories, revisions, files and blobs. Every name passes through here before it
//! becomes part of a path.
use crate::error::{Error, Result};

/// The default revision.
const MAIN: &str = "main";

/// Maximum length of a Hub ID in characters.
const LONGEST_ID: usize = 96;

/// Whether a value has the form of a Hub ID: `name` or `owner/name`, with an optional `@revision`.
///
/// A file or folder name can have that form too, so check for those first.
///
/// ```
/// use micse_hub::is_hub_id;
/// assert!(is_hub_id("bert-base-uncased") && is_hub_id("princeton-nlp/sup-simcse-roberta-base@refs/pr/1"));
/// assert!(!is_hub_id("./model") && !is_hub_id("runs/a/model") && !is_hub_id("/model"));
/// ```
pub fn is_hub_id(value: &str) -> bool {
    split(value).is_some()
}

/// Splits a value into ID and revision.
fn split(value: &str) -> Option<(&str, &str)> {
    let (id, revision) = value.split_once('@').unwrap_or((value, MAIN));
    let parts: Vec<&str> = id.split('/').collect();
    let good = parts.len() <= 2 && id.len() <= LONGEST_ID && parts.iter().all(|part| is_part(part));
    (good && is_revision(revision)).then_some((id, revision))
}

/// Whether a string is valid as one half of a Hub ID. The Hub allows letters, digits, `-`, `_` and `.`, but
/// no `--` or `..`, no `-` or `.` at either end, and no `.git` at the end.
fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !part.contains("--")
        && !part.contains("..")
        && !part.starts_with(['-', '.'])
        && !part.ends_with(['-', '.'])
        && part.strip_suffix(".git").is_none()
}

/// Whether a branch, tag or commit is safe as a relative path.
fn is_revision(revision: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    revision.bytes().all(plain) && is_safe_path(revision)
}

/// Whether a name from the Hub stays inside the folder it is joined to, on every operating system.
pub(crate) fn is_safe_path(name: &str) -> bool {
    name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.contains(['\\', ':'])
        && !name.contains(char::is_control)
}

/// Whether a revision is a full commit hash, whose files never change.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && is_lower_hex(revision)
}

/// Whether a value is a SHA-256 as 64 lower-case hexadecimal digits.
pub(crate) fn is_sha256(value: &str) -> bool {
    value.len() == 64 && is_lower_hex(value)
}

fn is_lower_hex(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The blob name for an `ETag` header: without `W/` and quotes. `None` if it cannot be a file name.
pub(crate) fn blob_name(etag: &str) -> Option<String> {
    let name = etag.trim().trim_start_matches("W/").trim_matches('"');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (!name.is_empty() && name.len() <= 128 && name.bytes().all(plain)).then(|| name.to_owned())
}

/// The two kinds of repositories that this crate uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Dataset,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }
}

/// A repository at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) revision: String,
}

impl Repository {
    /// `owner/name` or `name`, with an optional `@revision`.
    pub(crate) fn model(value: &str) -> Result<Self> {
        let (id, revision) = split(value).ok_or_else(|| Error::Name {
            value: value.to_owned(),
            what: "Hub model ID",
            remedy: "write owner/name or name, optionally followed by @ and a branch, tag or commit",
        })?;
        Ok(Self { kind: Kind::Model, id: id.to_owned(), revision: revision.to_owned() })
    }

    /// The repository of this name in `sentence-transformers`, if the name has no owner.
    pub(crate) fn of_sentence_transformers(&self) -> Option<Self> {
        let id = (!self.id.contains('/')).then(|| format!("sentence-transformers/{}", self.id))?;
        Some(Self { id, ..self.clone() })
    }

    pub(crate) fn dataset(id: &str, revision: &str) -> Result<Self> {
        if split(id).is_none_or(|(plain, _)| plain != id) {
            return Err(Error::Name {
                value: id.to_owned(),
                what: "Hub dataset ID",
                remedy: "write owner/name or name",
            });
        }
        if !is_revision(revision) {
            return Err(Error::Name {
                value: revision.to_owned(),
                what: "revision",
                remedy: "write a branch, tag or commit",
            });
        }
        Ok(Self { kind: Kind::Dataset, id: id.to_owned(), revision: revision.to_owned() })
    }

    /// Its folder in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("{}s--{}", self.kind.name(), self.id.replace('/', "--"))
    }

    /// The URL path that lists the files of this revision.
    pub(crate) fn listing(&self) -> String {
        format!("api/{}s/{}/revision/{}?blobs=true", self.kind.name(), self.id, escape(&self.revision, false))
    }

    /// The URL path of a file at a revision.
    pub(crate) fn file(&self, revision: &str, file: &str) -> String {
        format!("{}/resolve/{}/{}", self.page(), escape(revision, false), escape(file, true))
    }

    /// The URL path of the repository's web page.
    pub(crate) fn page(&self) -> String {
        match self.kind {
            Kind::Model => self.id.clone(),
            Kind::Dataset => format!("datasets/{}", self.id),
        }
    }
}

/// Percent-encodes a URL path; slashes are kept only as separators.
fn escape(text: &str, slash_separates: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || (byte == b'/' && slash_separates) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for half in [byte >> 4, byte & 15] {
                escaped.extend(char::from_digit(u32::from(half), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_as_the_hub_allows_them() {
        for id in ["gpt2", "a/b", "BAAI/bge-small-en-v1.5", "a_b/c_", "a@main", "a/b@v1.0", "a@refs/pr/12"] {
            assert!(is_hub_id(id), "{id}");
        }
        let long = "a".repeat(97);
        let bad = [
            "", "/", "a/", "/a", "a/b/c", ".", "..", "../a", "a/..", "./a", "~/a", "a b", "a--b", "a..b",
            "-a", "a.", "a/b.git", "a\\b", "C:", "a@", "a@../b", "a@b//c", "a@/b", "a@b c", "ä/b", &long,
        ];
        for id in bad {
            assert!(!is_hub_id(id), "{id}");
        }
    }

    #[test]
    fn paths_that_leave_the_cache_are_seen() {
        for good in ["a", "1_Pooling/config.json", "a b/ü.txt", "..a/b..", "a/.b"] {
            assert!(is_safe_path(good), "{good}");
        }
        for bad in
            ["", "..", "../a", "a/../b", "a/..", "/a", "a//b", "a/", "./a", "..\\a", "C:a", "a\0", "a\n"]
        {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
    }

    #[test]
    fn blob_names_are_plain() {
        let sum = "0123456789abcdef".repeat(4);
        assert_eq!(blob_name(&format!("\"{sum}\"")).as_deref(), Some(sum.as_str()));
        assert_eq!(blob_name("W/\"abc-1\"").as_deref(), Some("abc-1"));
        for bad in ["", "\"\"", "\"../a\"", "\"a/b\"", "\"a.lock\"", "a b"] {
            assert_eq!(blob_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_and_folders() {
        let model = Repository::model("a/b-c@refs/pr/1").unwrap();
        assert_eq!(model.folder(), "models--a--b-c");
        assert_eq!(model.listing(), "api/models/a/b-c/revision/refs%2Fpr%2F1?blobs=true");
        assert_eq!(model.file("main", "x/ü 1.txt"), "a/b-c/resolve/main/x/%C3%BC%201.txt");
        let data = Repository::dataset("d", "v1").unwrap();
        assert_eq!(data.folder(), "datasets--d");
        assert_eq!(data.file("v1", "f"), "datasets/d/resolve/v1/f");
        assert!(Repository::dataset("d@v1", "main").is_err());
        assert!(Repository::dataset("d", "../x").is_err());
    }
}

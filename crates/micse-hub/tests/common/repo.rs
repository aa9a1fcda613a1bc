//! The contents of the small Hub.
use std::collections::BTreeMap;

use micse_files::Hash;
use serde_json::json;

/// A repository's files at one commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repo {
    /// By name: whether the file is stored elsewhere, and its bytes.
    pub(crate) files: BTreeMap<String, (bool, Vec<u8>)>,
}

impl Repo {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a file that the Hub itself stores.
    pub(crate) fn small(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.insert(name.to_owned(), (false, bytes.to_owned()));
        self
    }

    /// Adds a file that is stored elsewhere.
    pub(crate) fn large(mut self, name: &str, bytes: &[u8]) -> Self {
        self.files.insert(name.to_owned(), (true, bytes.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.files.remove(name);
        self
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        &self.files[name].1
    }

    /// A commit hash that depends on the files.
    pub(crate) fn commit(&self) -> String {
        let mut hash = Hash::new();
        for (name, (_, bytes)) in &self.files {
            hash.update(name);
            hash.update(bytes);
        }
        hash.digits()[..40].to_owned()
    }

    /// The answer that lists the files with their sizes.
    pub(crate) fn listing(&self) -> String {
        let sibling = |(name, (large, bytes)): (&String, &(bool, Vec<u8>))| {
            let size = bytes.len();
            if *large {
                json!({"rfilename": name, "size": size, "blobId": "0",
                       "lfs": {"sha256": etag(true, bytes), "size": size, "pointerSize": 134}})
            } else {
                json!({"rfilename": name, "size": size, "blobId": etag(false, bytes)})
            }
        };
        let siblings: Vec<_> = self.files.iter().map(sibling).collect();
        json!({"id": "x/y", "sha": self.commit(), "private": false, "tags": [], "siblings": siblings})
            .to_string()
    }

    /// The answer to the Python library's form of the same request.
    pub(crate) fn tree(&self) -> String {
        let entry = |(name, (large, bytes)): (&String, &(bool, Vec<u8>))| {
            let size = bytes.len();
            if *large {
                json!({"type": "file", "path": name, "size": size, "oid": "0".repeat(40),
                       "lfs": {"oid": etag(true, bytes), "size": size, "pointerSize": 134}})
            } else {
                json!({"type": "file", "path": name, "size": size, "oid": etag(false, bytes)})
            }
        };
        json!(self.files.iter().map(entry).collect::<Vec<_>>()).to_string()
    }
}

/// The ETag of a file's content.
pub(crate) fn etag(large: bool, bytes: &[u8]) -> String {
    let mut hash = Hash::new();
    hash.update(bytes);
    let sum = hash.digits();
    if large { sum } else { sum[..40].to_owned() }
}

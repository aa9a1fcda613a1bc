//! Folders with token vectors, and their embeddings by sentence-transformers and model2vec, from tests/fixtures/static.

use std::collections::BTreeMap;

use serde::Deserialize;
use tempfile::TempDir;

use crate::root;

/// All cases.
#[derive(Deserialize)]
pub struct StaticCases {
    /// The sentences that are embedded.
    pub texts: Vec<String>,
    /// The folders.
    pub cases: Vec<StaticCase>,
}

/// A folder with token vectors.
#[derive(Deserialize)]
pub struct StaticCase {
    /// The name of the case.
    pub name: String,
    /// The library that computed the rows.
    pub library: String,
    files: BTreeMap<String, Content>,
    /// The largest difference between equal rows.
    pub tolerance: f32,
    /// The embeddings of the sentences.
    pub rows: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    File(String),
    Tokenizer(String),
}

impl StaticCases {
    /// Reads all cases.
    ///
    /// # Panics
    /// If the file is missing or invalid.
    pub fn read() -> Self {
        let path = root().join("tests/fixtures/static/cases.json");
        serde_json::from_str(&std::fs::read_to_string(path).expect("the cases")).expect("their form")
    }

    /// The case with this name.
    ///
    /// # Panics
    /// If no case has the name.
    pub fn named(name: &str) -> StaticCase {
        Self::read().cases.into_iter().find(|case| case.name == name).expect(name)
    }
}

impl StaticCase {
    /// Writes the model folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let fixtures = root().join("tests/fixtures");
        for (path, content) in &self.files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            let copied = match content {
                Content::Text(text) => {
                    std::fs::write(&path, text).expect("a file");
                    continue;
                }
                Content::File(name) => fixtures.join("static").join(name),
                Content::Tokenizer(base) => fixtures.join("architectures").join(base).join("tokenizer.json"),
            };
            std::fs::copy(copied, &path).expect("a file");
        }
        folder
    }
}

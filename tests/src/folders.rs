//! Model folders with many keys, and their embeddings by sentence-transformers, from tests/fixtures/folders.

use std::collections::BTreeMap;

use serde::Deserialize;
use tempfile::TempDir;

use crate::root;

/// All cases.
#[derive(Deserialize)]
pub struct Cases {
    /// The sentences that are embedded.
    pub texts: Vec<String>,
    /// The folders.
    pub cases: Vec<Case>,
}

/// A model folder.
#[derive(Deserialize)]
pub struct Case {
    /// The name of the case.
    pub name: String,
    base: String,
    files: BTreeMap<String, Option<Content>>,
    /// The embeddings of the sentences.
    pub rows: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Text(String),
    File(String),
}

impl Cases {
    /// Reads all cases.
    ///
    /// # Panics
    /// If the file is missing or invalid.
    pub fn read() -> Self {
        let text =
            std::fs::read_to_string(root().join("tests/fixtures/folders/cases.json")).expect("the cases");
        serde_json::from_str(&text).expect("their form")
    }

    /// The case with this name.
    ///
    /// # Panics
    /// If no case has the name.
    pub fn named(name: &str) -> Case {
        Self::read().cases.into_iter().find(|case| case.name == name).expect(name)
    }
}

impl Case {
    /// Writes the model folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let fixtures = root().join("tests/fixtures");
        let base = std::fs::read_dir(fixtures.join("architectures").join(&self.base)).expect("a folder");
        for entry in base.flatten() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a file");
        }
        for (path, content) in &self.files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            match content {
                None => std::fs::remove_file(&path).expect("a file"),
                Some(Content::Text(text)) => std::fs::write(&path, text).expect("a file"),
                Some(Content::File(name)) => {
                    std::fs::copy(fixtures.join("folders").join(name), &path).expect("a file");
                }
            }
        }
        folder
    }
}

//! Folders with token vectors.

use micse_model::Model;
use micse_tests::token_vectors::StaticCases;
use tempfile::TempDir;

use crate::{choosing, chosen, told};

const SENTENCES: [&str; 3] = ["a small dog", "", "Zürich, 東京 <mask> [UNK]"];

/// Folders whose files are replaced one at a time, so each thread needs its own copies.
const FILES: [(usize, &str); 6] = [
    (0, "modules.json"),
    (0, "model.safetensors"),
    (0, "tokenizer.json"),
    (1, "config.json"),
    (1, "model.safetensors"),
    (1, "tokenizer.json"),
];

thread_local! {
    static FOLDERS: [TempDir; 2] = ["shared vectors", "model2vec, shared vectors"].map(|name| StaticCases::named(name).folder());
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let file = |folders: &[TempDir; 2], index: usize| {
        let (folder, name) = FILES[index];
        choosing(index, &std::fs::read(folders[folder].path().join(name)).expect("a file of the model"))
    };
    FOLDERS.with(|folders| (0..FILES.len()).map(|index| file(folders, index)).collect())
}

/// Loads a model and encodes with the chosen file replaced.
pub(crate) fn read(bytes: &[u8]) -> Result<(), String> {
    let Some((index, bytes)) = chosen(bytes, FILES.len()) else { return Err("no file".into()) };
    FOLDERS.with(|folders| {
        let (folder, name) = FILES[index];
        let folder = folders[folder].path();
        let path = folder.join(name);
        let whole = std::fs::read(&path).expect("a file of the model");
        std::fs::write(&path, bytes).expect("a file");
        let model = Model::open(folder);
        std::fs::write(&path, whole).expect("a file");
        // Vectors can be finite and still overflow: that error names the sentence, as a model knows no folder.
        let rows = told(model, folder)?.encode(&SENTENCES).map_err(|error| error.to_string())?;
        assert_eq!(rows.len(), SENTENCES.len());
        Ok(())
    })
}

//! A small model and a corpus for `micse train`.

use std::path::{Path, PathBuf};

use micse_tests::{Ended, run, sentences, write_small_model};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_micse");

pub(crate) fn micse(arguments: &[&str]) -> Ended {
    run(PROGRAM, None, arguments)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A folder with the small model and a corpus of `count` sentences.
pub(crate) struct Setting {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) model: PathBuf,
    pub(crate) notes: PathBuf,
}

impl Setting {
    pub(crate) fn new(count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (model, notes) = (folder.path().join("model"), folder.path().join("notes.txt"));
        write_small_model(&model);
        std::fs::write(&notes, sentences(count).join("\n\n")).expect("notes.txt");
        Self { folder, model, notes }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn train<'a>(&'a self, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        let usual =
            ["train", "--model", text(&self.model), "--corpus", text(&self.notes), "--out", text(out)];
        [&usual, more].concat()
    }
}

pub(crate) fn file(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

//! Locating data: option, environment, shipped folder, and helpful errors.

use std::fs::{create_dir_all, write};
use std::path::Path;

use micse_data::{CorpusSource, Error, Locator};

fn locator(data: Option<&Path>, start: &Path) -> Locator {
    Locator { micse_data: data.map(Path::to_owned), start: start.to_owned(), shipped: None }
}

#[test]
fn flags_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root.join("mine.txt"), "A sentence.\n").unwrap();
    create_dir_all(root.join("sets")).unwrap();
    create_dir_all(root.join("data/senteval")).unwrap();
    let locator = locator(Some(&root.join("data")), root);
    let file = root.join("mine.txt").display().to_string();
    let found = locator.corpus(std::slice::from_ref(&file)).unwrap();
    assert_eq!(found.place, CorpusSource::Files(vec![root.join("mine.txt")]));
    assert!(found.note.contains("--corpus") && found.note.contains(&file), "{}", found.note);
    assert_eq!(found.place.open().unwrap().len(), 1);
    let sets = root.join("sets").display().to_string();
    assert_eq!(locator.sts(Some(&sets)).unwrap().place, root.join("sets"));
    let found = locator.sts(None).unwrap();
    assert_eq!(found.place, root.join("data/senteval"));
    assert!(found.note.contains("MICSE_DATA"), "{}", found.note);
}

#[test]
fn a_fetched_corpus_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let locator = locator(Some(folder.path()), folder.path());
    create_dir_all(folder.path().join("wiki")).unwrap();
    for name in ["wiki/wiki1m_for_simcse.txt", "wiki/enwiki_sentences_00.txt.zst"] {
        let path = folder.path().join(name);
        write(&path, "A sentence.\n").unwrap();
        assert_eq!(locator.corpus(&[]).unwrap().place, CorpusSource::Files(vec![path]));
    }
}

#[test]
fn flags_that_name_nothing_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let locator = locator(Some(folder.path()), folder.path());
    let text = |error: Error| error.to_string();
    assert!(text(locator.corpus(&["none.txt".into()]).unwrap_err()).contains("none.txt"));
    assert!(text(locator.corpus(&[folder.path().display().to_string()]).unwrap_err()).contains("folder"));
    assert!(text(locator.corpus(&["demo".into(), "a.txt".into()]).unwrap_err()).contains("./demo"));
    assert!(text(locator.sts(Some("none")).unwrap_err()).contains("--sts none"));
    let error = text(locator.model(Some("bert-base-uncased")).unwrap_err());
    assert!(error.contains("no such folder") && error.contains("download the Hub model first"), "{error}");
    let error = text(locator.model(Some("./models/none/here")).unwrap_err());
    assert!(error.contains("no such folder") && !error.contains("Hub"), "{error}");
}

#[test]
fn without_flag_and_environment_the_error_lists_both() {
    let folder = tempfile::tempdir().unwrap();
    let locator = locator(None, folder.path());
    let errors = [
        (locator.corpus(&[]).unwrap_err(), "--corpus", "wiki/enwiki_sentences_00.txt.zst"),
        (locator.sts(None).unwrap_err(), "--sts", "senteval"),
        (locator.model(None).unwrap_err(), "--model", "bert-base-uncased"),
    ];
    for (error, flag, part) in errors {
        let error = error.to_string();
        for wanted in [flag, part, "MICSE_DATA", "demo"] {
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
    }
}

#[test]
fn a_data_folder_without_the_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let locator = locator(Some(folder.path()), folder.path());
    for (error, part) in [
        (locator.corpus(&[]).unwrap_err(), "enwiki_sentences_00.txt.zst"),
        (locator.sts(None).unwrap_err(), "senteval"),
        (locator.model(None).unwrap_err(), "bert-base-uncased"),
    ] {
        let error = error.to_string();
        assert!(
            error.contains(&folder.path().join("").display().to_string()) && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn demo_is_found_upward() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("crates/one/src");
    create_dir_all(&deep).unwrap();
    let locator = locator(None, &deep);
    let error = locator.shipped_folder().unwrap_err().to_string();
    assert!(error.contains("sts-demo") && error.contains("inside the repository"), "{error}");
    create_dir_all(folder.path().join("data/encoder")).unwrap();
    // A folder that happens to be called data is not enough.
    create_dir_all(folder.path().join("crates/data")).unwrap();
    create_dir_all(folder.path().join("data/sts-demo")).unwrap();
    assert_eq!(locator.shipped_folder().unwrap(), folder.path().join("data"));
    // What the environment names is used only where the search finds nothing.
    let elsewhere = tempfile::tempdir().unwrap();
    let outside =
        Locator { shipped: Some(folder.path().join("data")), ..self::locator(None, elsewhere.path()) };
    assert_eq!(outside.shipped_folder().unwrap(), folder.path().join("data"));
    let empty = Locator { shipped: Some(elsewhere.path().to_owned()), ..outside };
    assert!(empty.shipped_folder().is_err());
    assert_eq!(locator.sts(Some("demo")).unwrap().place, folder.path().join("data/sts-demo"));
    assert_eq!(locator.model(Some("demo")).unwrap().place, folder.path().join("data/encoder"));
    assert_eq!(locator.corpus(&["demo".into()]).unwrap().place, CorpusSource::Demo);
}

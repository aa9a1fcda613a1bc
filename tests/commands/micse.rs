//! `micse train` and `micse encode`, from a text file to embeddings.

use std::path::Path;

use micse_tests::{Ended, run, sentences, write_small_model};

fn micse(arguments: &[&str]) -> Ended {
    let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    run(env!("CARGO_BIN_EXE_micse"), None, &arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_trained_model_encodes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, notes) = (folder.path().join("model"), folder.path().join("notes.txt"));
    let (out, rows) = (folder.path().join("out"), folder.path().join("rows.npy"));
    write_small_model(&model);
    std::fs::write(&notes, sentences(30).join("\n\n")).expect("notes.txt");
    let train =
        ["train", "--model", text(&model), "--sentences", text(&notes), "--out", text(&out), "--steps", "3"];
    let said = micse(&[&train[..], &["--set", "optimizer.batch_size=8"]].concat()).output();
    assert!(said.contains("DemoSTS"), "{said}");

    let trained = out.join("model");
    micse(&["encode", "--model", text(&trained), "--input", text(&notes), "--output", text(&rows)]).output();
    let bytes = std::fs::read(&rows).expect("rows.npy");
    let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
    assert!(header.contains("'shape': (30, 32)") && header.contains("'<f4'"), "{header}");
    assert_eq!(bytes.len(), 128 + 4 * 30 * 32);
}

#[test]
fn text_that_cannot_be_read_is_named_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, notes, out) =
        (folder.path().join("model"), folder.path().join("notes.txt"), folder.path().join("out"));
    write_small_model(&model);
    let train =
        ["train", "--model", text(&model), "--sentences", text(&notes), "--out", text(&out), "--steps", "3"];
    std::fs::write(&notes, b"the old farmer\nthe \xff river\n").expect("notes.txt");
    micse(&train).refused(&["notes.txt:2", "UTF-8"]);
    std::fs::write(&notes, "\n\n").expect("notes.txt");
    micse(&train).refused(&["notes.txt", "no sentence"]);
    std::fs::write(&notes, "the old farmer\n").expect("notes.txt");
    micse(&[&train[..], &["--recipe", "simcse"]].concat()).refused(&["at least 2 sentences"]);
}

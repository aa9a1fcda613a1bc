//! Runs every command of `docs/adapt-to-your-domain.md` exactly as written.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use micse_tests::root;

/// The lines of the `sh` blocks of a text.
fn commands(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => lines.push(line),
            _ => {}
        }
    }
    lines
}

/// Splits a line into words like a shell; only double quotes are supported.
fn words(line: &str) -> Vec<OsString> {
    line.split('"')
        .enumerate()
        .flat_map(|(i, part)| if i % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .map(OsString::from)
        .collect()
}

/// Writes the files of a reader of the guide: a corpus, other sentences of the field, and scored pairs.
fn reader_files(folder: &Path) {
    let notes: Vec<String> = micse::data::Corpus::demo().iter().take(300).map(str::to_owned).collect();
    std::fs::write(folder.join("notes.txt"), notes.join("\n")).expect("notes.txt");
    let others: Vec<String> =
        micse::data::Corpus::demo().iter().skip(300).take(100).map(str::to_owned).collect();
    std::fs::write(folder.join("held-out.txt"), others.join("\n")).expect("held-out.txt");
    let suite = micse::data::Suite::load(&root().join("data/sts-demo"), None).expect("the shipped pairs");
    let pairs: Vec<String> = suite.tasks[0]
        .pairs()
        .take(200)
        .map(|pair| format!("{}\t{}\t{}", pair.first, pair.second, pair.score))
        .collect();
    std::fs::write(folder.join("pairs.tsv"), pairs.join("\n")).expect("pairs.tsv");
}

#[test]
fn every_command_of_the_guide_works() {
    let text = std::fs::read_to_string(root().join("docs/adapt-to-your-domain.md")).expect("the guide");
    let lines = commands(&text);
    assert!(lines.len() >= 9, "{lines:?}");
    // Inside the repository, so that `demo` is found.
    std::fs::create_dir_all(root().join("runs")).expect("a folder");
    let folder = tempfile::Builder::new().prefix("guide-").tempdir_in(root().join("runs")).expect("a folder");
    reader_files(folder.path());
    let mut told = String::new();
    for line in lines {
        let words = words(line);
        assert_eq!(words[0], "micse", "the guide must only run micse: {line}");
        let output = Command::new(env!("CARGO_BIN_EXE_micse"))
            .args(&words[1..])
            .current_dir(folder.path())
            .env_remove("MICSE_DATA")
            .output()
            .expect("the command starts");
        let [out, err] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "{line}\n{out}{err}");
        assert!(!(out.is_empty() && err.is_empty()), "{line} prints nothing");
        told.push_str(&out);
        told.push_str(&err);
    }
    for said in ["300 sentences", "uniformity", "Spearman", "hospital"] {
        assert!(told.contains(said), "{said:?} is not in the output of the commands:\n{told}");
    }
    for file in
        ["my-run/model/model.safetensors", "my-run/model/README.md", "notes.npy", "my-model/modules.json"]
    {
        assert!(folder.path().join(file).is_file(), "{file} is missing");
    }
}

//! Outputs that are inputs, folders, or replaced by others; inputs that do not belong together; models that compute NaN.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use micse_tests::{Ended, command, ended, root, run, sentences, write_small_model, write_small_sts};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_micse");

fn micse(arguments: &[&str]) -> Ended {
    run(PROGRAM, None, arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn write(path: &Path, sentences: &[String]) {
    std::fs::write(path, sentences.join("\n")).expect("a text");
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a file")
}

/// Whether a folder has nothing unfinished in it.
fn is_clean(folder: &Path) -> bool {
    let mut names =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.all(|name| !name.to_string_lossy().contains("unfinished"))
}

#[test]
fn an_input_is_never_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let model = path("model");
    write_small_model(&model);
    for name in ["notes.jsonl", "notes.npy"] {
        let notes = path(name);
        write(&notes, &sentences(4));
        let before = read(&notes);
        let same = folder.path().join("model/..").join(name);
        micse(&["encode", "--model", text(&model), "--input", text(&notes), "--output", text(&same)])
            .refused(&[name, "is the input"]);
        assert!(read(&notes) == before);
    }
    let notes = path("notes.txt");
    write(&notes, &sentences(40));
    micse(&["vectors", "--corpus", text(&notes), "--output", text(&notes)]).refused(&["is the input"]);
    micse(&["vectors", "--corpus", text(&notes), "--output", text(&model)]).refused(&["is a folder"]);
    micse(&["eval", "--vectors", text(&notes), "--sts", "demo", "--output", text(&notes)])
        .refused(&["is the input"]);
    std::fs::create_dir(path("rows.npy")).expect("a folder");
    micse(&["encode", "--model", text(&model), "--input", text(&notes), "--output", text(&path("rows.npy"))])
        .refused(&["rows.npy: is a folder"]);
    assert!(is_clean(folder.path()));
}

#[test]
fn saved_embeddings_of_something_else_are_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (model, one, two, saved) = (path("model"), path("one.txt"), path("two.txt"), path("saved.npy"));
    write_small_model(&model);
    let all = sentences(12);
    write(&one, &all[..6]);
    write(&two, &all[6..]);
    let search = [
        "search",
        "--model",
        text(&model),
        "--corpus",
        text(&one),
        "--save",
        text(&saved),
        "--query",
        &all[2],
    ];
    let found = || {
        let ended = micse(&[&search[..], &["--json"]].concat());
        (ended.stderr.contains("reusing"), ended.output())
    };
    let (_, first) = found();
    assert_eq!(found(), (true, first.clone()));
    // Rows by a model that pools in another way have no cosines with these queries.
    let rows = ["search", "--model", text(&model), "--corpus", text(&saved), "--query", &all[2]];
    micse(&rows).output();
    micse(&[&rows[..], &["--pooling", "cls"]].concat())
        .refused(&["saved.npy", "mean pooling, the queries with cls"]);
    micse(&[&rows[..], &["--truncate-dim", "8"]].concat()).refused(&["all entries, the queries with 8"]);
    // What a stop leaves while rows are written again: the old rows with their note.
    std::fs::write(model.join("more.txt"), "not part of the model").expect("a file");
    assert!(micse(&rows).stderr.contains("another model folder"));
    assert_eq!(found(), (false, first.clone()));
    assert_eq!(found(), (true, first.clone()));
    std::fs::remove_file(&saved).expect("rows");
    assert_eq!(found(), (false, first));
    // Rows that replaced the saved ones are neither used nor written over.
    micse(&["encode", "--model", text(&model), "--input", text(&two), "--output", text(&saved)]).output();
    let replaced = read(&saved);
    micse(&search).refused(&["saved.npy", "not written by `search --save`"]);
    assert!(read(&saved) == replaced);
    // Sentences of another text do not belong to the rows.
    let named = ["search", "--model", text(&model), "--corpus", text(&saved), "--query", "a", "--sentences"];
    micse(&[&named[..], &[text(&one)]].concat()).output();
    write(&two, &all[..7]);
    micse(&[&named[..], &[text(&two)]].concat()).refused(&["7 sentences, but 6 were encoded"]);
    micse(&[&named[..], &["/dev/null"]].concat()).refused(&["/dev/null has 0 sentences, but 6 were encoded"]);
    // Neither the corpus nor anybody's file is taken for the note on the embeddings.
    let (odd, rows) = (path("c.npy.json"), path("c.npy"));
    write(&odd, &all[..3]);
    let before = read(&odd);
    for (corpus, reason) in [(&odd, "is the input"), (&one, "not written by")] {
        let save = [
            "search",
            "--model",
            text(&model),
            "--corpus",
            text(corpus),
            "--save",
            text(&rows),
            "--query",
            "a",
        ];
        micse(&save).refused(&["c.npy.json", reason]);
        assert!(read(&odd) == before);
    }
    for read_once in [
        &["search", "--corpus", "/dev/null", "--query", "a", "--model", text(&model)][..],
        &["compare", text(&model), text(&model), "--corpus", "-"],
    ] {
        micse(read_once).refused(&["read twice"]);
    }
    micse(&["search", "--model", text(&model), "--corpus", text(&one), "--query", " "])
        .refused(&["--query is empty"]);
    micse(&["similarity", "--model", text(&model), "", "a"]).refused(&["a sentence is empty"]);
    // A matrix without rows, also of an impossible width.
    for columns in [32, 1_u64 << 62] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {columns}), }}");
        let padded = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.as_bytes());
        std::fs::write(path("none.npy"), bytes).expect("a file");
        micse(&["search", "--model", text(&model), "--corpus", text(&path("none.npy")), "--query", "a"])
            .refused(&["none.npy", "no rows"]);
    }
    // More neighbours than there are sentences.
    let most = usize::MAX.to_string();
    let compare = ["compare", text(&model), text(&model), "--corpus", text(&one), "--json", "--top"];
    let found: Value =
        serde_json::from_str(&micse(&[&compare[..], &[most.as_str()]].concat()).output()).expect("JSON");
    assert_eq!((&found["top"], &found["common"]), (&5.into(), &1.0.into()));
}

#[test]
fn an_export_is_complete_or_absent() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let model = path("model");
    write_small_model(&model);
    let (int8, plain, again) = (path("int8"), path("plain"), path("again"));
    let export = |from: &Path, to: &Path, precision: &str| {
        micse(&["export", text(from), "--output", text(to), "--precision", precision])
    };
    export(&root().join("data/encoder"), &int8, "int8").output();
    let card = |folder: &Path| std::fs::read_to_string(folder.join("README.md")).expect("a card");
    assert_eq!(card(&int8).matches("## int8").count(), 1);
    assert!(!card(&int8).contains("library_name: sentence-transformers"));
    // Exported again, the card describes what is written.
    export(&int8, &plain, "f32").output();
    assert!(!card(&plain).contains("int8.safetensors"), "{}", card(&plain));
    assert!(card(&plain).starts_with("---\nlibrary_name: sentence-transformers\n"), "{}", card(&plain));
    export(&int8, &again, "int8").output();
    assert_eq!(card(&again).matches("## int8").count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).expect("a folder").permissions().mode() & 0o777;
        std::fs::create_dir(path("usual")).expect("a folder");
        assert_eq!(mode(&plain), mode(&path("usual")));
    }
    // Weights beyond the range of the precision leave nothing behind, so that the command can be corrected.
    set_first_values(&model, 1e5);
    let out = path("out");
    export(&model, &out, "f16").refused(&["pass --precision f32"]);
    assert!(!out.exists() && is_clean(folder.path()));
    // What a killed command left does not matter, and an empty folder stays the folder that it is.
    std::fs::create_dir_all(out.join(".micse-unfinished-Ab12/deep")).expect("a folder");
    export(&model, &out, "f16").refused(&["pass --precision f32"]);
    assert!(out.is_dir() && is_clean(&out));
    export(&model, &out, "f32").output();
    assert!(out.join("config.json").is_file() && is_clean(&out));
    export(&model, &out, "f32").refused(&["not empty"]);
    let mut here = command(PROGRAM, None);
    std::fs::create_dir(path("here")).expect("a folder");
    here.current_dir(path("here")).args(["export", text(&model), "--output", "."]);
    ended(&mut here).output();
    assert!(path("here/config.json").is_file());
    // A card in another encoding is copied as it is.
    let latin = b"---\r\nlibrary_name: sentence-transformers\r\n---\r\nd\xe9j\xe0";
    std::fs::write(model.join("README.md"), latin).expect("a card");
    export(&model, &path("latin"), "f32").output();
    assert_eq!(read(&path("latin/README.md")), latin);
}

/// Sets the first values of the last bias of a model whose weights are stored as f32.
fn set_first_values(model: &Path, value: f32) {
    let weights = model.join("model.safetensors");
    let mut bytes = read(&weights);
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let tensors: Value = serde_json::from_slice(&bytes[8..8 + header]).expect("a header");
    let tensor = tensors
        .as_object()
        .expect("tensors")
        .iter()
        .find(|(name, _)| name.ends_with("intermediate.dense.bias"));
    let (_, facts) = tensor.expect("a bias");
    assert_eq!(facts["dtype"], "F32");
    let at = 8 + header + facts["data_offsets"][0].as_u64().expect("a number") as usize;
    for i in 0..8 {
        bytes[at + 4 * i..][..4].copy_from_slice(&value.to_le_bytes());
    }
    std::fs::write(&weights, bytes).expect("weights");
}

/// Finite weights may compute what is not finite.
#[test]
fn embeddings_that_are_not_finite_are_refused_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (model, notes, other, rows) = (path("model"), path("notes.txt"), path("other"), path("rows.npy"));
    write_small_model(&other);
    write_small_model(&model);
    set_first_values(&model, 3e38);
    write(&notes, &sentences(4));
    micse(&["encode", "--model", text(&other), "--input", text(&notes), "--output", text(&rows)]).output();
    let model = text(&model);
    for arguments in [
        &["similarity", "--model", model, "a dog", "a cat"][..],
        &["similarity", "--model", model, "a dog", "a cat", "--json"],
        &["encode", "--model", model, "--input", text(&notes)],
        &["search", "--model", model, "--corpus", text(&rows), "--query", "a dog"],
        &["compare", model, model, "--corpus", text(&notes)],
        &["eval", "--model", model, "--sts", "demo"],
    ] {
        micse(arguments).refused(&["contains NaN or infinity", "use another copy"]);
    }
}

#[test]
fn scores_are_not_lost_to_what_comes_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (model, sts) = (path("model"), path("sts"));
    write_small_model(&model);
    write_small_sts(&sts);
    let eval = |more: &[&str]| {
        micse(&[&["eval", "--model", text(&model), "--sts", text(&sts), "--pooling", "cls"], more].concat())
    };
    let ended = eval(&["--output", text(folder.path())]);
    assert!(!ended.stderr.contains("sentences"), "{}", ended.stderr);
    ended.refused(&["is a folder"]);
    assert!(eval(&["--output", "-"]).output().contains("DemoSTS"));
    assert!(!Path::new("-").exists());
    // The files of one pooling do not replace those of another.
    eval(&["--mteb", text(&path("mteb"))]).refused(&["--mteb-name"]);
    // Weights that are not used are told of.
    let config = std::fs::read_to_string(model.join("config.json")).expect("config.json");
    let mut fewer: Value = serde_json::from_str(&config).expect("JSON");
    fewer["num_hidden_layers"] = 1.into();
    std::fs::write(model.join("config.json"), fewer.to_string()).expect("config.json");
    let ended = micse(&["similarity", "--model", text(&model), "a", "b"]);
    assert!(ended.stderr.contains("3 more layers are stored"), "{}", ended.stderr);
    assert!(micse(&["inspect", text(&model)]).output().contains("3 more layers than config.json counts"));
    std::fs::write(model.join("config.json"), config).expect("config.json");
    // A pooling that is listed, but whose file is missing, is not replaced by another.
    let listed = r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
    std::fs::write(model.join("modules.json"), listed).expect("modules.json");
    micse(&["similarity", "--model", text(&model), "a", "b"])
        .refused(&["1_Pooling/config.json", "no such file"]);
    micse(&["similarity", "--model", text(&model), "a", "b", "--pooling", "mean"]).output();
}

/// The exit status says what happened, also where nothing can be said.
#[cfg(target_os = "linux")]
#[test]
fn the_status_does_not_depend_on_standard_error() {
    let mut silent = command(PROGRAM, None);
    silent.args(["encode", "--model", "demo", "--input", "/nonexistent"]);
    silent.stderr(Stdio::from(File::options().write(true).open("/dev/full").expect("a device")));
    assert_eq!(silent.status().expect("a status").code(), Some(1));
    let mut named = command(PROGRAM, None);
    let folder = tempfile::tempdir().expect("a folder");
    let odd = std::os::unix::ffi::OsStringExt::from_vec(b"odd\xff.npy".to_vec());
    let odd: std::ffi::OsString = odd;
    write(&folder.path().join("notes.txt"), &sentences(2));
    named.current_dir(folder.path()).args(["encode", "--model"]).arg(root().join("data/encoder"));
    named.args(["--json", "--input", "notes.txt", "--output"]).arg(&odd);
    let told = ended(&mut named).output();
    assert!(serde_json::from_str::<Value>(&told).is_ok(), "{told}");
    assert!(folder.path().join(&odd).is_file());
}

/// A command that waits for its input stops too, without the next line, and removes what it began.
#[cfg(unix)]
#[test]
fn a_stop_reaches_a_command_that_waits_for_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let (model, rows) = (folder.path().join("model"), folder.path().join("rows.npy"));
    write_small_model(&model);
    for signal in ["TERM", "INT"] {
        let mut child = command(PROGRAM, None);
        let mut child = child
            .args(["encode", "--model", text(&model), "--output", text(&rows)])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let since = std::time::Instant::now();
        while is_clean(folder.path()) {
            assert!(since.elapsed().as_secs() < 300, "the command did not begin to write in five minutes");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let sent = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        // Standard input stays open until the command has ended by itself.
        let input = child.stdin.take();
        let ended = child.wait_with_output().expect("its output");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{signal}: {stderr}");
        assert!(stderr.contains("stopped while reading"), "{signal}: {stderr}");
        assert!(is_clean(folder.path()) && !rows.exists());
        drop(input);
    }
}

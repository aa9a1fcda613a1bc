//! `micse encode`, `similarity`, `inspect`, `export`, `completions` and `man`, mostly with the shipped encoder.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use micse::SentenceModel;
use micse_tests::{Ended, command, ended, root, run, write_small_model};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_micse");

fn micse(arguments: &[&str]) -> Ended {
    run(PROGRAM, None, arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}

/// The rows of a NumPy file of f32, read according to the format specification.
fn npy(path: &Path) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(path).expect("a file");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(start.is_multiple_of(64) && bytes[start - 1] == b'\n');
    let header = String::from_utf8_lossy(&bytes[10..start]).into_owned();
    assert!(header.contains("'descr': '<f4'") && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a shape").0;
    let shape: Vec<usize> = shape.split(", ").map(|n| n.parse().expect("a size")).collect();
    let values: Vec<f32> =
        bytes[start..].as_chunks().0.iter().map(|&entry| f32::from_le_bytes(entry)).collect();
    assert_eq!(values.len(), shape[0] * shape[1]);
    values.chunks(shape[1]).map(<[f32]>::to_vec).collect()
}

/// 1,100 different sentences, more than one chunk, some of them long.
fn notes() -> Vec<String> {
    let sentence = |(i, s): (usize, String)| if i % 100 == 7 { vec![s; 12].join(" ") } else { s };
    let numbered = (0..1100).map(|i| format!("note {i}: {}", ["pump", "valve", "river", "bank"][i % 4]));
    numbered.enumerate().map(sentence).collect()
}

#[test]
fn all_outputs_hold_what_the_library_encodes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (notes, input) = (notes(), path("notes.txt"));
    std::fs::write(&input, notes.join("\n\n")).expect("notes.txt");
    for name in ["new/rows.npy", "rows.jsonl"] {
        let output = path(name);
        let said = micse(&["encode", "--model", "demo", "--input", text(&input), "--output", text(&output)]);
        assert!(said.stderr.contains("skipped 1099 blank lines"), "{}", said.stderr);
        assert_eq!(said.output(), "");
    }
    let rows = npy(&path("new/rows.npy"));
    let encoder = SentenceModel::open(root().join("data/encoder")).expect("the shipped encoder");
    // Other batches give the same numbers up to rounding.
    let want = encoder.encode(&notes).expect("rows");
    assert_eq!((rows.len(), rows[0].len()), (1100, 256));
    for (row, want) in rows.iter().zip(&want) {
        assert!(row.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    let lines = std::fs::read_to_string(path("rows.jsonl")).expect("rows.jsonl");
    for ((line, row), note) in lines.lines().zip(&rows).zip(&notes) {
        let line = json(line);
        assert_eq!(line["sentence"].as_str(), Some(note.as_str()));
        let embedding: Vec<f32> = serde_json::from_value(line["embedding"].clone()).expect("numbers");
        assert_eq!(&embedding, row);
    }
    assert_eq!(lines.lines().count(), 1100);
    // From standard input, the same lines come out on standard output.
    let mut child = command(PROGRAM, None);
    let mut child = child
        .args(["encode", "--model", "demo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("a pipe").write_all(notes.join("\n\n").as_bytes()).expect("notes");
    let piped = child.wait_with_output().expect("the command ends");
    assert!(piped.status.success() && piped.stdout == lines.as_bytes());
    let told = micse(&[
        "--json",
        "encode",
        "--model",
        "demo",
        "--input",
        text(&input),
        "--output",
        text(&path("b.npy")),
    ]);
    let told = json(&told.output());
    assert_eq!((&told["rows"], &told["dimension"]), (&1100.into(), &256.into()));
    assert_eq!(
        std::fs::read(path("b.npy")).expect("b.npy"),
        std::fs::read(path("new/rows.npy")).expect("rows.npy")
    );
}

#[cfg(feature = "parquet")]
#[test]
fn a_parquet_file_holds_sentences_and_rows() {
    use polars::prelude::*;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (notes, input) = (notes(), path("notes.txt"));
    std::fs::write(&input, notes.join("\n")).expect("notes.txt");
    for name in ["rows.npy", "rows.parquet"] {
        micse(&["encode", "--model", "demo", "--input", text(&input), "--output", text(&path(name))])
            .output();
    }
    let file = std::fs::File::open(path("rows.parquet")).expect("rows.parquet");
    let frame = ParquetReader::new(file).finish().expect("a frame");
    let sentences = frame.column("sentence").expect("sentence").str().expect("text");
    assert_eq!(sentences.iter().map(|s| s.expect("a sentence").to_owned()).collect::<Vec<_>>(), notes);
    let embeddings = frame.column("embedding").expect("embedding").list().expect("lists");
    for (i, row) in npy(&path("rows.npy")).iter().enumerate() {
        let found = embeddings.get_as_series(i).expect("a list");
        assert_eq!(found.f32().expect("f32").iter().flatten().collect::<Vec<_>>(), *row);
    }
}

#[test]
fn what_cannot_be_encoded_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("notes.txt"), folder.path().join("rows.npy"));
    let encode = |bytes: &[u8], output: &str| {
        std::fs::write(&input, bytes).expect("notes.txt");
        micse(&["encode", "--model", "demo", "--input", text(&input), "--output", output])
    };
    let mut many = "one sentence\n".repeat(1500).into_bytes();
    many.extend(b"t\xff\n");
    encode(&many, text(&output)).refused(&["error: ", "notes.txt:1501", "UTF-8"]);
    encode(b" \n\n", text(&output)).refused(&["no sentence", "2 blank lines"]);
    encode(b"one\n", "rows.csv").refused(&[".npy, .jsonl"]);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("the folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
    micse(&["encode", "--model", "demo", "--input", "no-such.txt"])
        .refused(&["no-such.txt", "one sentence per line"]);
    micse(&["encode", "--model", "no-such", "--input", text(&input)]).refused(&["no-such"]);
    micse(&["encode", "--model", "demo", "--input", text(&input), "--json"]).refused(&["--output"]);
    let bare = folder.path().join("bare");
    write_small_model(&bare);
    // A folder without a pooling is used with the mean, which is said.
    let fallback = micse(&["encode", "--model", text(&bare), "--input", text(&input)]);
    assert!(fallback.stderr.contains("pooling: mean"), "{}", fallback.stderr);
    let mean = micse(&["encode", "--model", text(&bare), "--pooling", "mean", "--input", text(&input)]);
    assert!(!mean.stderr.contains("pooling: mean"), "{}", mean.stderr);
    assert_eq!(fallback.output(), mean.output());
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("notes.txt");
    std::fs::write(&input, notes().join("\n")).expect("notes.txt");
    let line = format!(
        "{PROGRAM} encode --model demo --input {} | head -n 1 >&2; exit ${{PIPESTATUS[0]}}",
        text(&input)
    );
    let mut shell = Command::new("bash");
    let said = ended(shell.current_dir(root()).args(["-c", &line]));
    assert!(said.success && said.stderr.starts_with("{\"sentence\":\"note 0: pump\""), "{}", said.stderr);
    assert!(!said.stderr.contains("error"));
}

#[test]
fn similarity_says_cosines_and_their_correlation() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pairs.tsv");
    let pairs = [
        ("The doctor visited the hospital.", "A doctor came to the clinic.", 4.5),
        ("The doctor visited the hospital.", "The boat crossed the river.", 0.5),
        ("The farmer sold the horse.", "The farmer sold the horse.", 5.0),
        ("A teacher reads a book.", "The bank raised its rates.", 0.0),
        ("A teacher reads a book.", "A teacher reads a paper.", 4.0),
    ];
    let encoder = SentenceModel::open(root().join("data/encoder")).expect("the shipped encoder");
    let cosine = |a: &str, b: &str| {
        let rows = encoder.encode(&[a, b]).expect("rows");
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        dot(&rows[0], &rows[1]) / (dot(&rows[0], &rows[0]) * dot(&rows[1], &rows[1])).sqrt()
    };
    let one = micse(&["similarity", "--model", "demo", pairs[0].0, pairs[0].1]).output();
    assert!((one.trim().parse::<f64>().expect("a number") - cosine(pairs[0].0, pairs[0].1)).abs() < 1e-4);

    let lines: Vec<String> = pairs.iter().map(|(a, b, score)| format!("{a}\t{b}\t{score}")).collect();
    std::fs::write(&file, lines.join("\n")).expect("pairs.tsv");
    let told = json(&micse(&["similarity", "--model", "demo", "--pairs", text(&file), "--json"]).output());
    let found: Vec<f64> = told["pairs"]
        .as_array()
        .expect("pairs")
        .iter()
        .map(|p| p["cosine"].as_f64().expect("a cosine"))
        .collect();
    for (cosine_found, (a, b, _)) in found.iter().zip(&pairs) {
        assert!((cosine_found - cosine(a, b)).abs() < 1e-5);
    }
    // Compute the ranks by hand; there are no ties.
    let rank = |values: &[f64], i: usize| values.iter().filter(|&&v| v < values[i]).count() as f64;
    let scores = pairs.map(|(_, _, score)| score);
    let squares: f64 = (0..5).map(|i| (rank(&found, i) - rank(&scores, i)).powi(2)).sum();
    let want = 100.0 * (1.0 - 6.0 * squares / (5.0 * 24.0));
    assert!((told["spearman"].as_f64().expect("a correlation") - want).abs() < 1e-9);
    let plain = micse(&["similarity", "--model", "demo", "--pairs", text(&file)]).output();
    assert!(plain.ends_with(&format!("Spearman x 100 over 5 pairs: {want:.2}\n")), "{plain}");
    assert!(plain.contains("\t4.5\tThe doctor visited"), "{plain}");
    std::fs::write(&file, "a\tb\nc\n").expect("pairs.tsv");
    micse(&["similarity", "--model", "demo", "--pairs", text(&file)]).refused(&["pairs.tsv:2", "TAB"]);
    micse(&["similarity", "--model", "demo", "one alone"]).refused(&["SENTENCE"]);
}

#[test]
fn inspect_says_what_a_model_is_and_what_is_wrong() {
    let told = json(&micse(&["inspect", "demo", "--json"]).output());
    let encoder = &told["encoder"];
    assert_eq!(encoder["family"], "bert");
    assert_eq!((&encoder["layers"], &encoder["hidden_size"]), (&4.into(), &256.into()));
    // 8,192 + 128 + 2 rows of tables, a LayerNorm, and four layers.
    let layer = 4 * (256 * 256 + 256) + 2 * 256 * 1024 + 1024 + 256 + 4 * 256;
    assert_eq!(encoder["parameters"], (8192 + 128 + 2 + 2) * 256 + 4 * layer);
    assert_eq!((&told["pooling"], &told["max_length"]), (&"mean".into(), &128.into()));
    assert_eq!(told["tokenizer"]["example"][1], "a");
    assert!(told["problems"].as_array().expect("problems").is_empty());
    let plain = micse(&["inspect", "demo"]).output();
    for said in ["bert, 4 layers", "model.safetensors", "8192 ids", "Transformer, Pooling", "library_name"] {
        assert!(plain.contains(said), "{said:?} is not in: {plain}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    write_small_model(folder.path());
    let config = folder.path().join("config.json");
    let small = std::fs::read_to_string(&config).expect("config.json");
    std::fs::write(&config, small.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5"))
        .expect("config.json");
    let broken = micse(&["inspect", text(folder.path())]);
    assert!(
        broken.stdout.contains("PROBLEM") && broken.stdout.contains("encoder.layer.4."),
        "{}",
        broken.stdout
    );
    broken.refused(&["1 problem"]);
    std::fs::write(&config, small.replace("\"vocab_size\": 29", "\"vocab_size\": 28")).expect("config.json");
    let broken = micse(&["inspect", text(folder.path()), "--json"]);
    let problems = json(&broken.stdout)["problems"].to_string();
    assert!(problems.contains("28") && problems.contains("29 IDs"), "{problems}");
    assert!(!broken.success);
}

#[test]
fn an_export_in_int8_is_encoded_and_inspected_but_not_trained() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (int8, input) = (path("int8"), path("notes.txt"));
    std::fs::write(&input, notes().join("\n")).expect("notes.txt");
    let said = micse(&["export", "demo", "--output", text(&int8), "--precision", "int8"]).output();
    assert!(said.contains("smallest cosine 0.99") && !said.contains("SentenceTransformer"), "{said}");
    let card = std::fs::read_to_string(int8.join("README.md")).expect("a card");
    assert!(
        card.contains("## int8") && card.contains("sentence-transformers and transformers do not"),
        "{card}"
    );

    let rows = |model: &str, name: &str| {
        let output = path(name);
        micse(&["encode", "--model", model, "--input", text(&input), "--output", text(&output)]).output();
        npy(&output)
    };
    let (wanted, got) = (rows("demo", "f32.npy"), rows(text(&int8), "int8.npy"));
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let cosines: Vec<f64> = wanted.iter().zip(&got).map(|(a, b)| cosine(a, b)).collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    assert!(mean > 0.9995 && cosines.iter().all(|&c| c > 0.998 && c < 1.0), "{mean}");

    let facts = json(&micse(&["--json", "inspect", text(&int8)]).output());
    assert_eq!(facts["weights"]["files"], serde_json::json!(["int8.safetensors"]));
    assert_eq!(facts["weights"]["precisions"]["u8"], 4 * 6 + 1);
    let size = |path: &Path| std::fs::metadata(path).expect("a file").len();
    let whole = size(&root().join("data/encoder/model.safetensors"));
    // The shipped weights are stored in f16.
    assert!(3 * size(&int8.join("int8.safetensors")) < 2 * whole, "{whole}");

    let encode = |model: &str, option: &str, value: &str| {
        let to = path("x.npy");
        micse(&["encode", "--model", model, "--input", text(&input), "--output", text(&to), option, value])
    };
    encode("demo", "--precision", "int8").refused(&["not in int8", "micse export"]);
    encode(text(&int8), "--precision", "bf16").refused(&["int8.safetensors", "only be encoded in int8"]);
    encode(text(&int8), "--engine", "tensor").refused(&["int8.safetensors", "only be encoded in int8"]);
    assert_eq!(encode(text(&int8), "--precision", "int8").output(), "");
    let run = path("run");
    let train =
        ["train", "--model", text(&int8), "--sentences", text(&input), "--steps", "2", "--out", text(&run)];
    micse(&train).refused(&["is in int8 and cannot be trained", "exported from"]);
    let again = path("again");
    micse(&["export", "demo", "--output", text(&again), "--calibrate", text(&input)])
        .refused(&["--precision int8"]);
    let empty = path("empty.txt");
    std::fs::write(&empty, "\n\n").expect("a file");
    let calibrate = ["export", "demo", "--output", text(&again), "--precision", "int8", "--calibrate"];
    micse(&[&calibrate[..], &[text(&empty)]].concat()).refused(&["empty.txt"]);
}

#[test]
fn export_writes_a_folder_that_gives_the_same_embeddings() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let probe = ["A nurse saw the clinic.", "The river is wide."];
    let rows = |folder: &Path| SentenceModel::open(folder).expect("a model").encode(&probe).expect("rows");
    let want = rows(&root().join("data/encoder"));
    for (name, tolerance) in [("f32", 0.0), ("f16", 2e-2), ("bf16", 2e-1)] {
        let to = path(name);
        micse(&["export", "demo", "--output", text(&to), "--dtype", name]).output();
        for (row, want) in rows(&to).iter().zip(&want) {
            assert!(row.iter().zip(want).all(|(a, b)| (a - b).abs() <= tolerance), "{name}");
        }
        let inspected = json(&micse(&["inspect", text(&to), "--json"]).output());
        assert_eq!(inspected["card"], json(&micse(&["inspect", "demo", "--json"]).output())["card"]);
        let size = inspected["weights"]["bytes"].as_u64().expect("bytes");
        let bytes = if name == "f32" { 4 } else { 2 };
        assert_eq!(size, bytes * inspected["encoder"]["parameters"].as_u64().expect("parameters"));
    }
    micse(&["export", "demo", "--output", text(&path("f32"))]).refused(&["not empty"]);
    let cls = path("cls");
    micse(&["export", "demo", "--output", text(&cls), "--pooling", "cls"]).output();
    let pooling = json(&std::fs::read_to_string(cls.join("1_Pooling/config.json")).expect("a pooling"));
    assert_eq!(pooling["pooling_mode_cls_token"], true);
    assert_eq!(pooling["pooling_mode_mean_tokens"], false);
    micse(&["export", "demo", "--output", text(&path("x")), "--pooling", "first-last-avg"])
        .refused(&["first-last-avg", "cls or mean"]);
}

#[test]
fn completions_and_manual_come_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let text = micse(&["completions", shell]).output();
        assert!(text.contains("micse") && text.contains("similarity"), "{shell}");
    }
    assert!(micse(&["man"]).output().contains(".TH micse 1"));
    let pages = folder.path().join("man1");
    micse(&["man", "--output", text(&pages)]).output();
    for (page, said) in
        [("micse.1", "micse\\-search"), ("micse-encode.1", "notes.npy"), ("micse-train.1", "\\-\\-resume")]
    {
        let page = std::fs::read_to_string(pages.join(page)).expect(page);
        assert!(page.contains(said), "{said}: {page}");
    }
}

/// A model judged against itself has not changed; a different one has, with an interval.
#[test]
fn the_judge_compares_two_models_without_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (input, other) = (path("notes.txt"), path("other"));
    let notes: Vec<String> = micse_data::demo::corpus().into_iter().take(120).collect();
    std::fs::write(&input, notes.join("\n")).expect("notes.txt");
    let judged =
        |second: &str| json(&micse(&["--json", "judge", "demo", second, "--corpus", text(&input)]).output());
    let same = judged("demo");
    assert_eq!((&same["sentences"], &same["kept_neighbours"]), (&120.into(), &1.0.into()));
    for measure in ["halves", "noise", "order"] {
        assert_eq!(same[measure]["before"], same[measure]["after"], "{measure}");
        assert_eq!((&same[measure]["low"], &same[measure]["high"]), (&0.0.into(), &0.0.into()), "{measure}");
    }
    assert!((same["kept_order"].as_f64().expect("a number") - 1.0).abs() < 1e-12);
    assert_eq!(same["effects"]["search"], "unclear");

    // The same encoder with another pooling is another model.
    micse(&["export", "demo", "--output", text(&other)]).output();
    let pooling = other.join("1_Pooling/config.json");
    let config = std::fs::read_to_string(&pooling).expect("the pooling");
    let config = config.replace("\"pooling_mode_mean_tokens\": true", "\"pooling_mode_mean_tokens\": false");
    let config = config.replace("\"pooling_mode_cls_token\": false", "\"pooling_mode_cls_token\": true");
    std::fs::write(&pooling, config).expect("the pooling");
    let changed = judged(text(&other));
    let of = |measure: &str, key: &str| changed[measure][key].as_f64().expect(key);
    assert!(of("noise", "low") < of("noise", "after") - of("noise", "before"), "{changed}");
    assert!(changed["kept_neighbours"].as_f64().expect("a share") < 0.9, "{changed}");
    let table = micse(&["judge", "demo", text(&other), "--corpus", text(&input)]).output();
    for part in [
        "half-sentence search",
        "search by noisy copies",
        "95 % interval",
        "order of cosines changed too much",
        "among 120 sentences",
    ] {
        assert!(table.contains(part), "{part} is not in {table}");
    }

    std::fs::write(&input, "one\ntwo\n").expect("notes.txt");
    micse(&["judge", "demo", "demo", "--corpus", text(&input)]).refused(&["notes.txt", "fewer than 20"]);
}

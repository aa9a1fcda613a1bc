//! `cargo xtask sweep` on a small model: tables, resuming, reproducibility at any number of threads, and errors.

use std::ffi::OsStr;

use micse_tests::sweeps::SmallSweep;
use micse_tests::token_vectors::StaticCases;
use micse_tests::{command, ended, root, run, with_small_model_of_the_hub};

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

#[test]
fn a_sweep_makes_its_tables_and_goes_on_where_it_stopped() {
    let small = SmallSweep::new(XTASK);
    let text = small.run("one", &[]).output();
    for part in ["Methods by training-set size", "untrained (cls)", "simcse", "micse"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let one = small.path("one");
    for name in
        ["tables.txt", "tables.md", "results.csv", "results.parquet", "summary.csv", "summary.parquet"]
    {
        assert!(one.join(name).is_file(), "{name} is missing");
    }
    let tables = std::fs::read_to_string(one.join("tables.md")).expect("tables.md");
    assert!(tables.contains('±'), "two seeds must have a standard deviation:\n{tables}");

    let cosines = one.join("cells/micse/20/seed-49/cosines.safetensors");
    assert!(cosines.is_file(), "the bootstrap over pairs needs every run's cosines");
    small.run("one", &["--baseline", "simces"]).refused(&["simces", "simcse, micse"]);

    // A lost cell is run again; the tables do not change.
    let cell = one.join("cells/simcse/20/seed-48");
    let scores = || {
        let text = std::fs::read_to_string(cell.join("result.json")).expect("result.json");
        text.split("\"scores\"").nth(1).expect("scores").split("\"train_seconds\"").next().map(str::to_owned)
    };
    let before = scores();
    std::fs::remove_dir_all(&cell).expect("the cell's folder");
    let again = small.run("one", &[]);
    assert!(again.stderr.contains("8 of 9 cells are already done"), "{}", again.stderr);
    again.output();
    assert_eq!(std::fs::read_to_string(one.join("tables.md")).expect("tables.md"), tables);
    assert_eq!(scores(), before);

    // Results of a different sweep in the folder are never used.
    small.run("one", &["--set", "optimizer.lr=1e-4"]).refused(&["belongs to another run", "optimizer.lr"]);
    small.run("one", &["--steps", "5"]).refused(&["belongs to another run", "steps"]);
    small.run("one", &["--engine", "tensor"]).refused(&["belongs to another run", "engine"]);
    let pairs = small.path("sts/demo-test.csv");
    let text = std::fs::read_to_string(&pairs).expect("demo-test.csv");
    std::fs::write(&pairs, text.replacen("\t5\t", "\t4.5\t", 1)).expect("demo-test.csv");
    small.run("one", &[]).refused(&["belongs to another run", "evaluation_sha256"]);
}

#[test]
fn transfer_tasks_are_scored_in_every_cell() {
    let small = SmallSweep::new(XTASK);
    for file in std::fs::read_dir(root().join("data/transfer-demo")).expect("the demo tasks") {
        let path = file.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        // The start of each file, so that the classifiers take no time.
        let lines: Vec<&str> = text.lines().take(121).collect();
        let name = path.file_name().expect("a name");
        std::fs::write(small.path("sts").join(name), lines.join("\n") + "\n").expect("a file");
    }
    let grid = ["--methods", "simcse", "--sizes", "20", "--seeds", "48,49"];
    let with = |out: &str, extra: &[&str]| small.run(out, &[&grid[..], extra].concat());
    let text = with("both", &["--transfer"]).output();
    for part in ["Transfer tasks, trained on 20", "DemoPolarity", "DemoQuestions", "DemoParaphrase"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let out = small.path("both");
    let results = std::fs::read_to_string(out.join("results.csv")).expect("results.csv");
    let scores = results.lines().filter(|line| line.contains("DemoQuestions") && line.contains(",accuracy,"));
    assert_eq!(scores.count(), 3, "one accuracy for the untrained encoder and each seed:\n{results}");
    let cell = std::fs::read_to_string(out.join("cells/simcse/20/seed-48/result.json")).expect("result.json");
    assert!(cell.contains("\"transfer\""), "{cell}");
    // A folder keeps to one set of scores.
    with("both", &[]).refused(&["belongs to another run", "transfer_sha256"]);
    assert!(!with("plain", &[]).output().contains("Transfer tasks"));
}

#[test]
fn bits_do_not_depend_on_threads_or_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let weights = |out: &str, jobs: &str| {
        let out = folder.path().join(out);
        let sweep = ["sweep", "--methods", "micse", "--sizes", "200", "--seeds", "48", "--steps", "2"];
        let more = ["--set", "optimizer.batch_size=48", "--keep-models", "all", "--jobs", jobs, "--out"];
        let arguments: Vec<&OsStr> =
            sweep.iter().chain(&more).map(AsRef::as_ref).chain([out.as_os_str()]).collect();
        run(XTASK, None, &arguments).output();
        std::fs::read(out.join("cells/micse/200/seed-48/model/model.safetensors")).expect("the kept model")
    };
    // One job has all cores; two concurrent cells share them.
    let wide = weights("wide", "1");
    assert!(wide == weights("narrow", "2"), "the weights differ between thread counts");
    assert!(wide == weights("again", "1"), "the weights differ between two runs of one command");
}

#[test]
fn an_encoder_is_taken_by_its_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let cli = with_small_model_of_the_hub(command(XTASK, None), &folder.path().join("cache"));
    let ask = |mut cli: std::process::Command, encoder: &str| {
        let grid = ["sweep", "--methods", "simcse", "--sizes", "20", "--seeds", "48", "--launcher", "print"];
        let grid = [&grid[..], &["--corpus", "demo", "--sts", "demo"]].concat();
        ended(cli.args(grid).args(["--model", encoder, "--out"]).arg(folder.path().join("sweep")))
    };
    let told = ask(cli, "owner/small");
    assert!(told.stderr.contains("models--owner--small"), "{}", told.stderr);
    assert!(told.output().contains("sweep-cell"));
    ask(command(XTASK, None), "owner/small@").refused(&["owner/small@", "no such folder"]);
}

#[test]
fn what_cannot_be_swept_is_refused_with_the_reason() {
    let small = SmallSweep::new(XTASK);
    for (extra, reason) in [
        (["--sizes", "0"], "size"),
        (["--sizes", "101%"], "101%"),
        (["--sizes", "61"], "61"),
        (["--methods", "simcse,simcse"], "requested twice"),
        (["--methods", "simsce"], "no such recipe"),
        (["--set", "optimizer.learning_rate=1"], "learning_rate"),
        (["--set", "objectives.infonce.temperature=0"], "temperature"),
        (["--engine=tensor", "--precision=bf16"], "--precision f32"),
        (["--jobs=3", "--threads=2"], "--jobs 3"),
        (["--set", "max_length=100000"], "more than the encoder's"),
        (["--set", "select=sickr-dev"], "SICK's trial pairs"),
        (["--methods", "diffcse"], "masked-LM head"),
    ] {
        small.run("refused", &extra).refused(&[reason]);
    }
    assert!(!small.path("refused").exists(), "no cell was run");

    // A recipe is checked with the values that it has for the size.
    let sized = small.path("sized.toml");
    let recipe = "extends = \"simcse\"\nname = \"sized\"\nselect = \"sickr-dev\"\n\
                  [[by_size]]\nup_to = 30\nset = [\"select=last\", \"eval_every=\"]\n";
    std::fs::write(&sized, recipe).expect("the recipe");
    let dry = |sizes| {
        let methods = ["--methods", sized.to_str().expect("UTF-8"), "--sizes", sizes, "--dry-run"];
        small.run("sized", &methods)
    };
    dry("20").output();
    dry("20,40").refused(&["sized cannot be run with 40 sentences", "SICK's trial pairs"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let small = SmallSweep::new(XTASK);
    // A file in place of the folder stops even the superuser.
    std::fs::write(small.path("occupied"), "").expect("a file");
    small.run("occupied/sweep", &[]).refused(&["occupied"]);
}

/// One table with rows that train, fit, or do neither, with word vectors, and with the effect of AMI.
#[test]
fn methods_of_every_kind_stand_in_one_table() {
    let small = SmallSweep::new(XTASK);
    let (text, vectors) = (small.path("text.txt"), small.path("vectors.txt"));
    let train: [&OsStr; 11] = [
        "vectors".as_ref(),
        "--corpus".as_ref(),
        text.as_os_str(),
        "--output".as_ref(),
        vectors.as_os_str(),
        "--dimension".as_ref(),
        "8".as_ref(),
        "--min-count".as_ref(),
        "1".as_ref(),
        "--epochs".as_ref(),
        "3".as_ref(),
    ];
    run(XTASK, None, &train).output();
    let methods = "bert-cls,bert-whitening,ct,ami-ct,simcse";
    let vectors = vectors.to_str().expect("UTF-8");
    let tokens = StaticCases::named("model2vec, normalize").folder();
    let tokens = tokens.path().to_str().expect("UTF-8");
    // CT reads more tokens than the small encoder has positions.
    let rows =
        ["--vectors", vectors, "--token-vectors", tokens, "--keep-models", "none", "--set", "max_length=32"];
    let text = small.run("kinds", &[&["--methods", methods], &rows[..]].concat());
    let text = text.output();
    for part in ["glove-avg", "token-vectors", "bert-cls", "bert-whitening", "What AMI adds", "difference"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // Methods without training have one row for all sizes.
    let cells = small.path("kinds/cells");
    for name in ["glove-avg", "token-vectors", "bert-cls"] {
        assert!(cells.join(name).join("result.json").is_file(), "{name}");
    }
    assert!(cells.join("bert-whitening/20/seed-48/result.json").is_file());

    // A term added to every method on the command line.
    let text = small.run("with", &["--methods", "simcse", "--with", "ami"]).output();
    assert!(text.contains("ami-simcse"), "{text}");
    let refused = small.run("again", &["--methods", "micse", "--with", "ami"]);
    assert!(!refused.success && refused.stderr.contains("already"), "{}", refused.stderr);
}

//! The sweep through its command, on a small model: tables, resumption, bits at any number of threads.

use std::path::Path;

use micse_tests::{command, sentences, write_small_model, write_small_sts};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

fn set_up(folder: &Path) {
    write_small_model(&folder.join("model"));
    write_small_sts(&folder.join("sts"));
    std::fs::write(folder.join("text.txt"), sentences(60).join("\n")).expect("text.txt");
}

fn sweep(folder: &Path, out: &str) -> assert_cmd::Command {
    let mut sweep = command("xtask");
    let path = |name: &str| folder.join(name).into_os_string();
    sweep.args(["sweep", "--preset", "paper", "--methods", "simcse,micse", "--sizes", "20,100%"]);
    sweep.args([
        "--seeds",
        "48,49",
        "--steps",
        "4",
        "--set",
        "optimizer.batch_size=8",
        "--keep-models",
        "all",
    ]);
    sweep.args(["--encoder".into(), path("model"), "--corpus".into(), path("text.txt")]);
    sweep.args(["--sts".into(), path("sts"), "--out".into(), path(out)]);
    sweep
}

fn weights(folder: &Path, out: &str) -> Vec<u8> {
    let model = folder.join(out).join("cells/micse/100pct/seed-49/model/model.safetensors");
    std::fs::read(model).expect("the kept model")
}

#[test]
fn a_sweep_makes_its_tables_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    sweep(folder.path(), "one").assert().success().stdout(
        contains("Methods by training-set size").and(contains("untrained (cls)")).and(contains("micse")),
    );
    let one = folder.path().join("one");
    for name in
        ["tables.txt", "tables.md", "results.csv", "results.parquet", "summary.csv", "summary.parquet"]
    {
        assert!(one.join(name).is_file(), "{name} is missing");
    }
    let tables = std::fs::read_to_string(one.join("tables.md")).expect("tables.md");
    assert!(tables.contains('±'), "two seeds have a deviation:\n{tables}");

    // A cell that was lost is made again; the tables do not change.
    let cell = one.join("cells/simcse/20/seed-48");
    let before = std::fs::read_to_string(cell.join("result.json")).expect("result.json");
    std::fs::remove_dir_all(&cell).expect("the cell's folder");
    sweep(folder.path(), "one").assert().success().stderr(contains("8 of 9 cells are done already"));
    assert_eq!(std::fs::read_to_string(one.join("tables.md")).expect("tables.md"), tables);
    let scores =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["scores"].clone();
    let after = std::fs::read_to_string(cell.join("result.json")).expect("result.json");
    assert_eq!(scores(&before), scores(&after));

    // Another recipe in the same folder is refused for the cells that stand.
    std::fs::remove_file(cell.join("result.json")).expect("result.json");
    let mut other = sweep(folder.path(), "one");
    other.args(["--set", "optimizer.lr=1e-4"]).assert().failure().stderr(contains("belongs to another run"));
}

#[test]
fn bits_do_not_depend_on_threads_or_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    // One job has all cores, two share them; the variable says how many threads tensors use.
    sweep(folder.path(), "wide").args(["--jobs", "1"]).assert().success();
    sweep(folder.path(), "narrow").args(["--jobs", "4"]).assert().success();
    assert!(weights(folder.path(), "wide") == weights(folder.path(), "narrow"), "the weights differ");
}

#[test]
fn what_cannot_be_swept_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    for (extra, reason) in [
        (["--sizes", "0"], "0"),
        (["--sizes", "101%"], "101"),
        (["--sizes", "61"], "61"),
        (["--methods", "simsce"], "there is no such recipe"),
        (["--set", "optimizer.learning_rate=1"], "learning_rate"),
        (["--set", "objectives.infonce.negatives=[\"queue\"]"], "in-batch"),
    ] {
        sweep(folder.path(), "refused").args(extra).assert().failure().stderr(contains(reason));
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    set_up(folder.path());
    // A file where the folder should be: this stops the superuser too.
    std::fs::write(folder.path().join("occupied"), "").expect("a file");
    sweep(folder.path(), "occupied/sweep").assert().failure().stderr(contains("occupied"));
}

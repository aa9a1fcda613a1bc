//! `micse figures`: two models compared, without other data than the repository's.

use std::path::Path;

use micse_tests::{command, ended, external_data, write_small_model};

const PROGRAM: &str = env!("CARGO_BIN_EXE_micse");
const NAMES: [&str; 4] = ["pairs", "trees", "human-scores", "attention"];

/// The arguments of a comparison of the shipped encoder with a small random model.
fn arguments<'a>(small: &'a Path, out: &'a Path) -> Vec<&'a str> {
    let text = |path: &'a Path| path.to_str().expect("a path of text");
    vec!["figures", "demo", text(small), "--names", "left,right", "--out", text(out), "--pairs", "12"]
}

#[test]
fn two_models_become_a_page_with_figures_and_their_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (small, out) = (folder.path().join("small"), folder.path().join("out"));
    write_small_model(&small);
    let arguments = arguments(&small, &out);
    let run = |more: &[&str]| ended(command(PROGRAM, None).args(&arguments).args(more));
    let done = run(&["--threads", "1"]);
    assert!(done.stderr.contains("treebank-demo/demo.conllu (--treebank demo)"), "{}", done.stderr);
    assert_eq!(done.output().trim(), out.join("figures.html").display().to_string());

    let page = std::fs::read_to_string(out.join("figures.html")).expect("the page");
    for part in [
        "left and right",
        "12 random sentences, and 12 pairs of two random sentences",
        "12 pairs with equal trees (heads and relations)",
        "800 pairs of DemoSTS",
        "A good map shows the way",
        "href=\"figures/trees.csv\"",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    let read = |name: &str| std::fs::read(out.join("figures").join(name)).expect("a file");
    let files = NAMES.map(|name| [read(&format!("{name}.svg")), read(&format!("{name}.csv"))]);
    let rows: Vec<usize> =
        files.iter().map(|[_, csv]| String::from_utf8_lossy(csv).lines().count()).collect();
    assert_eq!(rows[0], 1 + 2 * 24, "two models and 24 pairs");
    assert_eq!(rows[2], 1 + 2 * 800);

    // The same bytes with other threads; other pairs with another seed.
    let page_again = {
        run(&["--threads", "2"]).output();
        std::fs::read_to_string(out.join("figures.html")).expect("the page")
    };
    assert!(page == page_again && files[0][1] == read("pairs.csv"), "threads change the figures");
    run(&["--seed", "7", "--trees", "shape", "--lengths", "any", "--sentence", "It rained."]).output();
    assert_ne!(files[0][1], read("pairs.csv"));
    let page = std::fs::read_to_string(out.join("figures.html")).expect("the page");
    for part in ["equal trees (heads)", "of any lengths", "“It rained.”", "seed 7"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
}

#[test]
fn what_cannot_be_drawn_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (small, out) = (folder.path().join("small"), folder.path().join("out"));
    write_small_model(&small);
    let broken = folder.path().join("broken.conllu");
    std::fs::write(&broken, "1\tIt\n").expect("a file");
    let broken = broken.to_str().expect("a path of text");
    let arguments = arguments(&small, &out);
    let run = |more: &[&str]| ended(command(PROGRAM, None).args(&arguments).args(more));
    run(&["--treebank", broken]).refused(&["broken.conllu:1: 2 tab-separated columns"]);
    run(&["--treebank", "nowhere.conllu"]).refused(&["--treebank nowhere.conllu: no such file"]);
    run(&["--sentence", ""]).refused(&["left", "too few to compare attention"]);
    run(&["--pairs", "0"]).refused(&["--pairs"]);
    let same = ["figures", "demo", "demo", "--out", out.to_str().expect("a path of text")];
    ended(command(PROGRAM, None).args(same)).refused(&["both models would be named demo", "--names"]);
    ended(command(PROGRAM, None).args(same).args(["--names", "one"])).refused(&["pass two names"]);
    assert!(!out.exists(), "a failed comparison wrote files");
}

#[test]
fn real_text_and_trees_are_the_default_with_data() {
    let Some(data) = external_data("figures of Wikipedia sentences and English-EWT") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (small, out) = (folder.path().join("small"), folder.path().join("out"));
    write_small_model(&small);
    let done = ended(command(PROGRAM, Some(&data)).args(arguments(&small, &out)));
    for part in ["en_ewt-ud-dev.conllu", "enwiki_sentences_00"] {
        assert!(done.stderr.contains(part), "{part} is not in: {}", done.stderr);
    }
    done.output();
    let page = std::fs::read_to_string(out.join("figures.html")).expect("the page");
    // Counted independently: 146 pairs of sentences with at least four words share a labelled tree.
    assert!(page.contains("12 pairs with equal trees (heads and relations) of 146 in"), "{page}");
    assert!(page.contains("1379 pairs of STSBenchmark"));
}

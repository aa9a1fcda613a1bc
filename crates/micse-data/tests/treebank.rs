//! Treebanks in CoNLL-U: what is read, and what is rejected.

use std::fmt::Write as _;

use micse_data::demo::{TREEBANK_SENTENCES, treebank_file};
use micse_data::{Parsed, Result, TreeEquality, read_treebank};

fn read(text: &str) -> Result<Vec<Parsed>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trees.conllu");
    std::fs::write(&path, text).expect("a file");
    read_treebank(&[path])
}

/// One line per word: ID, FORM, HEAD, DEPREL, MISC, separated by spaces.
fn conllu(lines: &[&str]) -> String {
    let line = |line: &&str| {
        if line.starts_with('#') || line.is_empty() {
            return format!("{line}\n");
        }
        let columns: Vec<&str> = line.split(' ').collect();
        let [id, form, head, relation, misc] = columns[..] else { panic!("{line}") };
        format!("{id}\t{form}\t_\t_\t_\t_\t{head}\t{relation}\t_\t{misc}\n")
    };
    lines.iter().map(line).collect()
}

#[test]
fn words_ranges_and_empty_nodes() {
    // The example of the format's description: "vámonos al mar", with the words vamos, nos, a, el, mar.
    let spanish = conllu(&[
        "# sent_id = 1",
        "1-2 vámonos _ _ _",
        "1 vamos 0 root _",
        "2 nos 1 obj _",
        "3-4 al _ _ _",
        "3 a 5 case _",
        "4 el 5 det _",
        "5 mar 1 obl SpaceAfter=No",
        "6 . 1 punct _",
        "",
        "# text = Sue likes coffee and Bill tea",
        "1 Sue 2 nsubj _",
        "2 likes 0 root _",
        "3 coffee 2 obj _",
        "4 and 5 cc _",
        "5 Bill 2 conj _",
        "5.1 likes _ _ _",
        "6 tea 5 orphan _",
    ]);
    let sentences = read(&spanish).expect("a treebank");
    assert_eq!(sentences.len(), 2, "the last sentence needs no blank line");
    assert_eq!(sentences[0].text, "vámonos al mar.");
    assert_eq!(sentences[0].tree(TreeEquality::Shape), "0 1 5 5 1 1");
    assert_eq!(sentences[1].text, "Sue likes coffee and Bill tea");
    assert_eq!(
        sentences[1].tree(TreeEquality::Labelled),
        "2:nsubj 0:root 2:obj 5:cc 2:conj 5:orphan",
        "the empty node is skipped"
    );
}

#[test]
fn relations_tell_trees_apart() {
    let tree = |relation: &str| {
        let text = conllu(&["1 A 2 det _", &format!("2 dog 3 {relation} _"), "3 ran 0 root _"]);
        read(&text).expect("a treebank").remove(0)
    };
    let (active, passive) = (tree("nsubj"), tree("nsubj:pass"));
    assert_eq!(active.tree(TreeEquality::Shape), passive.tree(TreeEquality::Shape));
    assert_ne!(active.tree(TreeEquality::Labelled), passive.tree(TreeEquality::Labelled));
}

#[test]
fn what_is_no_treebank_is_named_with_its_line() {
    let good = "1 It 2 nsubj _";
    for (lines, line, found) in [
        (vec![good, "2 rained 3 root _"], 2, "HEAD 3"),
        (vec![good, "2 rained x root _"], 2, "HEAD \"x\""),
        (vec![good, "2 rained 1 root _"], 1, "without a root"),
        (vec!["1 It 0 root _", "2 rained 0 root _"], 2, "second root"),
        (vec!["1 It 0 root _", "2 and 3 cc _", "3 so 2 conj _"], 2, "cycle"),
        (vec!["1 It 0 root _", "2 and 2 cc _"], 2, "cycle"),
        (vec![good, "3 rained 0 root _"], 2, "ID \"3\""),
        (vec![good, "2 rained 0 _ _"], 2, "DEPREL"),
        (vec!["2-3 It's _ _ _", good], 1, "range 2-3"),
        (vec!["1-4 It's _ _ _", "1 It 2 nsubj _", "2 rained 0 root _"], 3, "range up to word 4 of 2"),
        (vec!["1-2 It's _ _ _", "1-1 It _ _ _"], 2, "range 1-1"),
        (vec!["7.1 It _ _ _"], 1, "ID \"7.1\""),
        (vec!["# text = It rained", ""], 1, "without words"),
        (vec!["# only a comment"], 1, "without a sentence"),
    ] {
        let error = read(&conllu(&lines)).expect_err(found).to_string();
        assert!(error.contains(&format!("trees.conllu:{line}: ")), "{error} is not about line {line}");
        assert!(error.contains(found), "{found:?} is not in: {error}");
    }
    let second = conllu(&["1 It 0 root _", "", ""]) + "1\tIt\n";
    let error = read(&second).expect_err("two columns").to_string();
    assert!(error.contains("trees.conllu:4: 2 tab-separated columns"), "{error}");
    let error = read_treebank(&["nowhere.conllu"]).expect_err("no file").to_string();
    assert!(error.contains("nowhere.conllu not found"), "{error}");
}

/// A deep tree is checked in one pass: a chain of 200,000 words would otherwise take hours.
#[test]
fn deep_trees_are_read() {
    let mut text = String::new();
    for word in 1..=200_000 {
        writeln!(text, "{word}\tw\t_\t_\t_\t_\t{}\tdep\t_\t_", word - 1).expect("a line");
    }
    assert_eq!(read(&text).expect("a treebank")[0].words.len(), 200_000);
}

#[test]
fn the_shipped_treebank_is_that_of_the_grammar() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/treebank-demo/demo.conllu");
    let shipped = std::fs::read_to_string(path).expect("the demo treebank");
    assert!(shipped == treebank_file(), "run the example write_demo_treebank");
    let sentences = read_treebank(&[path]).expect("a treebank");
    assert_eq!(sentences.len(), TREEBANK_SENTENCES);
    // The text of a sentence is its words.
    for sentence in &sentences {
        let words: Vec<&str> = sentence.words.iter().map(|word| word.form.as_str()).collect();
        assert_eq!(sentence.text, words.join(" ").replace(" .", "."));
        assert!(sentence.words.iter().any(|word| word.relation.starts_with("nsubj")), "{}", sentence.text);
    }
}

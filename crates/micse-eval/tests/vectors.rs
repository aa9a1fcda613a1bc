//! Word vectors instead of a model: the embedder, and `micse-eval --vectors`.

use std::path::Path;

use micse_eval::{Embedder, Evaluation, VectorEmbedder};
use micse_tests::{Ended, run, write_small_sts};
use micse_vectors::{Selection, WordVectors};

fn eval(arguments: &[&str]) -> Ended {
    run(env!("CARGO_BIN_EXE_micse-eval"), None, arguments)
}

/// Vectors for some of the words of [`write_small_sts`].
fn vectors() -> WordVectors {
    let rows = [
        ("red", [1.0, 0.0, 0.5]),
        ("farmer", [0.0, 1.0, 0.2]),
        ("river", [-1.0, 0.3, 0.0]),
        ("the", [9.0; 3]),
    ];
    WordVectors::new(3, rows).expect("vectors")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_sentence_is_the_mean_of_its_words() {
    let vectors = vectors();
    let sentences = ["The red farmer", "nothing"];
    let content = VectorEmbedder::new(&vectors, Selection::ContentWords);
    assert_eq!(content.dimension(), 3);
    assert_eq!(content.embed(&sentences).expect("rows"), [[0.5, 0.5, 0.35], [0.0; 3]]);
    let all = VectorEmbedder::new(&vectors, Selection::AllTokens);
    assert_eq!(all.embed(&sentences[..1]).expect("rows"), [[10.0 / 3.0, 10.0 / 3.0, 9.7 / 3.0]]);
}

#[test]
fn the_command_scores_a_file_of_vectors() {
    let folder = tempfile::tempdir().expect("a folder");
    let (sts, file) = (folder.path().join("sts"), folder.path().join("vectors.txt"));
    write_small_sts(&sts);
    let mut bytes = Vec::new();
    vectors().write_text(&mut bytes).expect("text");
    std::fs::write(&file, bytes).expect("a file");
    let scores = |extra: &[&str]| {
        let ended =
            eval(&[&["--vectors", text(&file), "--sts", text(&sts), "--format", "json"], extra].concat());
        assert!(ended.stderr.contains("4 words") && ended.stderr.contains("% of"), "{}", ended.stderr);
        Evaluation::from_json(&ended.output()).expect("an evaluation")
    };
    let (content, all) = (scores(&[]), scores(&["--all-tokens"]));
    assert_eq!(content.model, text(&file));
    assert_eq!(content.pooling, "mean of word vectors");
    assert_eq!(all.pooling, "mean of word vectors, all tokens");
    assert!(content.average.is_finite() && all.average.is_finite() && content.average != all.average);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vectors.txt");
    std::fs::write(&file, "a 1 2\nb 3\n").expect("a file");
    eval(&["--vectors", text(&file), "--model", "demo"]).refused(&["--model"]);
    eval(&["--vectors", text(&file), "--pooling", "cls"]).refused(&["--pooling"]);
    eval(&["--all-tokens"]).refused(&["--vectors"]);
    eval(&["--vectors", text(&file), "--sts", "demo"]).refused(&["vectors.txt:2", "found 1"]);
}

//! The demo corpus and the demo STS.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use micse_data::demo::{CORPUS_SENTENCES, STS_PAIRS, sts_files};
use micse_data::{Corpus, Suite, Task};

fn words(sentence: &str) -> impl Iterator<Item = String> {
    sentence
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

#[test]
fn corpus_is_pinned() {
    let corpus = Corpus::demo();
    assert_eq!(corpus.info().sources, ["demo"]);
    assert_eq!(corpus.info().sha256, CORPUS_SHA256);
}
const CORPUS_SHA256: &str = "1507e625c7f4107ee4200f44c2817a38e919b3fb3fec8f27380af801f7eb5745";

#[test]
fn corpus_is_distinct_and_well_formed() {
    let corpus = Corpus::demo();
    assert_eq!(corpus.len(), CORPUS_SENTENCES);
    let distinct: HashSet<_> = corpus.iter().collect();
    assert_eq!(distinct.len(), CORPUS_SENTENCES);
    let mut forms = HashSet::new();
    for sentence in corpus.iter() {
        assert!((5..=22).contains(&sentence.split(' ').count()), "{sentence}");
        assert!(sentence.starts_with(|c: char| c.is_ascii_uppercase()), "{sentence}");
        assert!(sentence.ends_with(['.', '?']), "{sentence}");
        assert!(!["  ", " ,", " .", "~", "_", "/"].iter().any(|bad| sentence.contains(bad)), "{sentence}");
        for vowel in ["a a", "a i", "a e", "a o"] {
            assert!(!sentence.contains(&format!(" {vowel}")) || sentence.contains(" a one-"), "{sentence}");
        }
        assert!(sentence.split(' ').zip(sentence.split(' ').skip(1)).all(|(a, b)| a != b), "{sentence}");
        forms.extend(words(sentence));
    }
    assert!(forms.len() >= 5000, "{} word forms", forms.len());
}

#[test]
fn word_forms_are_english() {
    let Some(data) = std::env::var_os("MICSE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        // Written directly to stderr, because the test harness hides the output of tests that pass.
        let _ =
            writeln!(std::io::stderr(), "skipped: the demo compared with real text (MICSE_DATA is not set)");
        return;
    };
    let known: HashSet<String> = {
        let files =
            (0..6).map(|i| data.join(format!("wiki/enwiki_sentences_0{i}.txt.zst"))).collect::<Vec<_>>();
        Corpus::open(&files).unwrap().iter().flat_map(words).collect()
    };
    let forms: HashSet<String> = Corpus::demo().iter().flat_map(words).collect();
    let unknown: Vec<_> = forms.iter().filter(|word| !known.contains(*word)).collect();
    // Real but rare forms ("sunbathes") are missing from any sample; wrong inflections would be numerous.
    assert!(unknown.len() * 50 < forms.len(), "{} of {}: {unknown:?}", unknown.len(), forms.len());
}

#[test]
fn shipped_files_are_the_generated_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/sts-demo");
    for (name, contents) in sts_files() {
        let shipped = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(
            shipped == contents,
            "{name} differs; run `cargo run --release -p micse-data --example write_demo_sts -- data/sts-demo`"
        );
    }
}

fn load() -> (Task, Task) {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in sts_files() {
        std::fs::write(folder.path().join(name), contents).unwrap();
    }
    let mut suite = Suite::load(folder.path(), None).unwrap();
    assert_eq!((suite.name.as_str(), suite.tasks.len()), ("demo", 1));
    (suite.dev.unwrap(), suite.tasks.remove(0))
}

#[test]
fn pairs_are_balanced_and_apart_from_the_corpus() {
    let (dev, test) = load();
    assert_eq!([dev.len(), test.len()], STS_PAIRS);
    assert_eq!(test.name, "DemoSTS");
    for task in [&dev, &test] {
        let groups: HashSet<_> = task.subsets.iter().map(|subset| subset.name.as_str()).collect();
        assert_eq!(groups, HashSet::from(["home", "nature", "society", "science", "leisure"]));
    }
    let mut scores: HashMap<String, usize> = HashMap::new();
    for pair in test.pairs() {
        *scores.entry(format!("{:.1}", pair.score)).or_default() += 1;
    }
    assert_eq!(scores.len(), 11);
    assert!(scores.values().all(|count| (45..=105).contains(count)), "{scores:?}");
    let corpus = Corpus::demo();
    let corpus: HashSet<_> = corpus.iter().collect();
    let mut seen = HashSet::new();
    for sentence in dev.pairs().chain(test.pairs()).flat_map(|pair| [&pair.first, &pair.second]) {
        assert!(!corpus.contains(sentence.as_str()) && seen.insert(sentence), "{sentence}");
    }
}

#[test]
fn word_overlap_does_not_solve_the_pairs() {
    let (_, test) = load();
    let (mut overlaps, mut scores) = (Vec::new(), Vec::new());
    for pair in test.pairs() {
        let [a, b] = [&pair.first, &pair.second].map(|sentence| words(sentence).collect::<HashSet<_>>());
        overlaps.push(a.intersection(&b).count() as f64 / a.union(&b).count() as f64);
        scores.push(pair.score);
    }
    let spearman = pearson(&ranks(&overlaps), &ranks(&scores));
    println!("Spearman of word overlap: {spearman:.4}");
    assert!((0.45..0.65).contains(&spearman), "{spearman}");
}

/// Ranks with ties averaged.
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |v: f64| values.iter().filter(|&&other| other < v).count() as f64;
    let same = |v: f64| values.iter().filter(|&&other| other == v).count() as f64;
    values.iter().map(|&v| below(v) + f64::midpoint(same(v), 1.0)).collect()
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(&a, &b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

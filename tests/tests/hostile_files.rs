//! Text that a stranger hands us, valid files with bytes changed: each is read or refused with an error that names the
//! file. Nothing panics, and no memory is taken that the file's size does not warrant.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p micse-tests --test hostile_files` looks longer.

use std::fmt::Display;
use std::path::Path;

use micse_data::{Corpus, SplitFiles, SplitSize, Suite, parse_seeds, parse_sizes};
use micse_train::Recipe;
use micse_vectors::WordVectors;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// One change of a file; places are shares of its length.
#[derive(Clone, Debug)]
enum Change {
    Set(f64, u8),
    Insert(f64, Vec<u8>),
    Remove(f64, usize),
    Repeat(f64, usize),
    Cut(f64),
}

fn change() -> impl Strategy<Value = Change> {
    // What parsers look at, more often than any byte.
    let telling =
        prop::sample::select(b"\t\n\r\0 ,.:;=-+e[]{}()\"'#_0123456789\xEF\xBB\xBF\xFF\x80/".to_vec());
    let byte = prop_oneof![telling, any::<u8>()];
    let place = 0.0..1.0_f64;
    prop_oneof![
        (place.clone(), byte.clone()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place.clone(), vec(byte, 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place.clone(), 1..40_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place.clone(), 1..40_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        place.prop_map(Change::Cut),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        let place = |at: &f64| ((at * bytes.len() as f64) as usize).min(bytes.len().saturating_sub(1));
        match change {
            _ if bytes.is_empty() => break,
            Change::Set(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Change::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::Repeat(at, count) => {
                let at = place(at);
                let part = bytes[at..(at + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
            Change::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
        }
    }
    bytes
}

/// It was read, or the error says where.
fn read_or_told<T, E: Display>(result: Result<T, E>, place: &str) -> TestCaseResult {
    if let Err(error) = result {
        let error = error.to_string();
        prop_assert!(error.contains(place), "the error does not name {place}: {error}");
    }
    Ok(())
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

const YEAR: &str = "A red kite flew over the mill.\tA kite was above the mill.\nIt rained.\tThe sun shone.\n";
const BENCHMARK: &str = "main-news\tweather\t2015\t0001\t4.250\tIt rained in May.\tMay was wet.\n\
                         main-forums\tbread\t2014\t0002\t0.400\tBread rises.\tThe shop closed at noon.\n";
const SICK: &str = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n\
                    1\tA boy throws a stone\tA stone is thrown\t4.6\tENTAILMENT\n";
const VECTORS: &str = "3 4\nrain 0.5 -1.25 3e-2 0\nmay 1 2 3 4\nkite -0.1 0.2 -0.3 0.4\n";

/// The same vectors in word2vec's binary form.
fn binary_vectors() -> Vec<u8> {
    let mut bytes = b"2 3\n".to_vec();
    for (word, row) in [("rain", [0.5_f32, -1.0, 2.0]), ("may", [1.0, 0.0, -3.0])] {
        bytes.extend(word.as_bytes());
        bytes.push(b' ');
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        bytes.push(b'\n');
    }
    bytes
}

proptest! {
    #[test]
    fn corpora(changes in vec(change(), 0..6)) {
        let folder = tempfile::tempdir().unwrap();
        let text = "\u{feff}It rained in May.\r\n\nBread rises when it is warm.\n  A kite flew.";
        let plain = file(folder.path(), "plain.txt", &changed(text.as_bytes(), &changes));
        read_or_told(Corpus::open(&[plain]), "plain.txt")?;
        let packed = zstd::encode_all(text.repeat(20).as_bytes(), 3).unwrap();
        let packed = file(folder.path(), "packed.zst", &changed(&packed, &changes));
        read_or_told(Corpus::open(&[packed]), "packed.zst")?;
    }

    #[test]
    fn years_of_sts(input in vec(change(), 0..4), gold in vec(change(), 0..4)) {
        let folder = tempfile::tempdir().unwrap();
        for subset in ["FNWN", "headlines", "OnWN"] {
            let of = |kind: &str| format!("STS/STS13-en-test/STS.{kind}.{subset}.txt");
            file(folder.path(), &of("input"), &changed(YEAR.as_bytes(), &input));
            file(folder.path(), &of("gs"), &changed(b"4.500\n0.2\n", &gold));
        }
        read_or_told(Suite::load(folder.path(), Some(&["STS13".into()])), "STS.")?;
    }

    #[test]
    fn benchmark_and_sick(changes in vec(change(), 0..5)) {
        let folder = tempfile::tempdir().unwrap();
        for part in ["dev", "test"] {
            let name = format!("STS/STSBenchmark/sts-{part}.csv");
            file(folder.path(), &name, &changed(BENCHMARK.as_bytes(), &changes));
        }
        read_or_told(Suite::load(folder.path(), Some(&["STSB".into()])), "sts-")?;
        let sick = tempfile::tempdir().unwrap();
        file(sick.path(), "SICK/SICK_test_annotated.txt", &changed(SICK.as_bytes(), &changes));
        read_or_told(Suite::load(sick.path(), Some(&["SICKR".into()])), "SICK_test_annotated.txt")?;
        let demo = tempfile::tempdir().unwrap();
        for name in micse_data::DEMO_FILES {
            file(demo.path(), name, &changed(BENCHMARK.as_bytes(), &changes));
        }
        read_or_told(Suite::load(demo.path(), None), "demo-")?;
    }

    #[test]
    fn word_vectors(changes in vec(change(), 0..6)) {
        let folder = tempfile::tempdir().unwrap();
        let text = file(folder.path(), "vectors.txt", &changed(VECTORS.as_bytes(), &changes));
        read_or_told(WordVectors::open(&text), "vectors.txt")?;
        let binary = file(folder.path(), "vectors.bin", &changed(&binary_vectors(), &changes));
        read_or_told(WordVectors::open(&binary), "vectors.bin")?;
    }

    #[test]
    fn recipes(name in prop::sample::select(micse_train::recipe::names()), changes in vec(change(), 0..5)) {
        let recipe = Recipe::load(name, &[]).unwrap();
        let text = toml::to_string(&recipe).unwrap();
        let text = String::from_utf8_lossy(&changed(text.as_bytes(), &changes)).into_owned();
        read_or_told(Recipe::parse("my.toml", &text), "my.toml")?;
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "mine.toml", &changed(format!("extends = \"{name}\"\nsteps = 7\n").as_bytes(), &changes));
        read_or_told(Recipe::load(path.to_str().unwrap(), &[]), "mine.toml")?;
    }

    #[test]
    fn settings(text in "[a-z_.]{0,12}[=]?[-0-9a-z.\"\\[\\]{}, ]{0,16}", with in "[a-z.]{0,6}") {
        // What a person types: an error need not name a file, but nothing panics.
        let _ = Recipe::load_with("micse", &[with], std::slice::from_ref(&text));
        let _ = (parse_sizes(&text), parse_seeds(&text), text.parse::<SplitSize>());
        for key in ["optimizer.lr", "optimizer.warmup_steps", "steps", "max_length", "objectives.ami.layers", "views"] {
            let _ = Recipe::load("micse", &[format!("{key}={text}")]);
        }
    }

    #[test]
    fn names_of_split_files(name in "wiki_subset_1M_[0-9.]{0,9}(percent)?(_seed[0-9]{0,25})?([.]txt)?") {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), &name, b"It rained in May.\n");
        if let Ok(files) = SplitFiles::open(folder.path()) {
            let _ = files.find("1%".parse().unwrap(), 48);
        }
    }
}

#[test]
fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Ten kilobytes that unpack to 64 megabytes without a line feed.
    let packed = zstd::encode_all(std::io::Read::take(std::io::repeat(b'a'), 64 << 20), 3).unwrap();
    assert!(packed.len() < 20_000, "{} bytes", packed.len());
    let path = file(folder.path(), "bomb.zst", &packed);
    let error = Corpus::open(&[path]).map(|corpus| corpus.len()).unwrap_err().to_string();
    assert!(error.contains("bomb.zst:1") && error.contains("longer than"), "{error}");
}

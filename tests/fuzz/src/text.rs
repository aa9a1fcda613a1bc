//! Text and number files: corpora, STS sets, word vectors, NumPy matrices, recipes.

use std::path::{Path, PathBuf};

use micse_data::{Corpus, DEMO_FILES, SplitFiles, SplitSize, Suite, parse_seeds, parse_sizes};
use micse_search::{Npy, NpyWriter};
use micse_train::Recipe;
use micse_vectors::WordVectors;
use tempfile::TempDir;

use crate::{choosing, chosen, told};

/// Writes the bytes to a file in a new folder.
fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), name, bytes);
    (folder, path)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

const TEXT: &str = "\u{feff}It rained in May.\r\n\nBread rises when it is warm.\n  A kite flew.";

pub(crate) fn corpus_seeds() -> Vec<Vec<u8>> {
    vec![TEXT.into()]
}

/// Reads plain text, one sentence per line.
pub(crate) fn corpus(bytes: &[u8]) -> Result<(), String> {
    read_corpus("plain.txt", bytes)
}

pub(crate) fn corpus_zstd_seeds() -> Vec<Vec<u8>> {
    vec![zstd::encode_all(TEXT.repeat(20).as_bytes(), 3).expect("a compressed text")]
}

/// Reads plain text compressed by zstd.
pub(crate) fn corpus_zstd(bytes: &[u8]) -> Result<(), String> {
    read_corpus("packed.zst", bytes)
}

fn read_corpus(name: &str, bytes: &[u8]) -> Result<(), String> {
    let (_folder, path) = file(name, bytes);
    let corpus = told(Corpus::open(&[path]), name)?;
    assert!(!corpus.is_empty());
    Ok(())
}

const YEAR: &str = "A red kite flew over the mill.\tA kite was above the mill.\nIt rained.\tThe sun shone.\n";
const GOLD: &str = "4.500\n0.2\n";
const BENCHMARK: &str = "main-news\tweather\t2015\t0001\t4.250\tIt rained in May.\tMay was wet.\n\
                         main-forums\tbread\t2014\t0002\t0.400\tBread rises.\tThe shop closed at noon.\n";
const SICK: &str = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n\
                    1\tA boy throws a stone\tA stone is thrown\t4.6\tENTAILMENT\n";

pub(crate) fn sts_seeds() -> Vec<Vec<u8>> {
    [YEAR, GOLD, BENCHMARK, SICK, BENCHMARK]
        .iter()
        .enumerate()
        .map(|(i, text)| choosing(i, text.as_bytes()))
        .collect()
}

/// Reads the sentences or the scores of one STS year, or STS-B, SICK-R or demo pairs.
pub(crate) fn sts(bytes: &[u8]) -> Result<(), String> {
    let Some((index, text)) = chosen(bytes, 5) else { return Err("no file".into()) };
    let folder = tempfile::tempdir().expect("a folder");
    let (task, place) = match index {
        0 | 1 => {
            let (input, gold) = if index == 0 { (text, GOLD.as_bytes()) } else { (YEAR.as_bytes(), text) };
            for subset in ["FNWN", "headlines", "OnWN"] {
                write(folder.path(), &format!("STS/STS13-en-test/STS.input.{subset}.txt"), input);
                write(folder.path(), &format!("STS/STS13-en-test/STS.gs.{subset}.txt"), gold);
            }
            ("STS13", "STS.")
        }
        2 => {
            for part in ["dev", "test"] {
                write(folder.path(), &format!("STS/STSBenchmark/sts-{part}.csv"), text);
            }
            ("STSB", "sts-")
        }
        3 => {
            write(folder.path(), "SICK/SICK_test_annotated.txt", text);
            write(folder.path(), "SICK/SICK_trial.txt", text);
            ("SICKR", "SICK_")
        }
        _ => {
            for name in DEMO_FILES {
                write(folder.path(), name, text);
            }
            ("demo", "demo-")
        }
    };
    let suite = told(Suite::load(folder.path(), Some(&[task.into()])), place)?;
    assert!(!suite.tasks.is_empty());
    Ok(())
}

const VECTORS: &str = "3 4\nrain 0.5 -1.25 3e-2 0\nmay 1 2 3 4\nkite -0.1 0.2 -0.3 0.4\n";

pub(crate) fn word_vectors_seeds() -> Vec<Vec<u8>> {
    let headless = VECTORS.split_once('\n').expect("a header").1;
    vec![VECTORS.into(), headless.into()]
}

/// Reads word vectors as text, with word2vec's header, or without it like GloVe.
pub(crate) fn word_vectors(bytes: &[u8]) -> Result<(), String> {
    read_vectors("vectors.txt", bytes)
}

pub(crate) fn binary_vectors_seeds() -> Vec<Vec<u8>> {
    let mut bytes = b"2 3\n".to_vec();
    for (word, row) in [("rain", [0.5_f32, -1.0, 2.0]), ("may", [1.0, 0.0, -3.0])] {
        bytes.extend(word.as_bytes());
        bytes.push(b' ');
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        bytes.push(b'\n');
    }
    vec![bytes]
}

/// Reads word vectors in word2vec's binary format.
pub(crate) fn binary_vectors(bytes: &[u8]) -> Result<(), String> {
    read_vectors("vectors.bin", bytes)
}

fn read_vectors(name: &str, bytes: &[u8]) -> Result<(), String> {
    let (_folder, path) = file(name, bytes);
    told(WordVectors::open(&path), name).map(drop)
}

pub(crate) fn npy_seeds() -> Vec<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = NpyWriter::new(&mut bytes, 3).expect("a header");
    for row in [[0.5, -1.25, 3.0], [1e-7, 65504.0, -0.0]] {
        writer.push(&row).expect("a row");
    }
    writer.finish().expect("a file");
    vec![bytes.into_inner()]
}

/// Reads a NumPy matrix.
pub(crate) fn npy(bytes: &[u8]) -> Result<(), String> {
    let (_folder, path) = file("rows.npy", bytes);
    let npy = told(Npy::open(&path), "rows.npy")?;
    let rows = told(npy.read(0, npy.rows()), "rows.npy")?;
    assert_eq!(rows.len(), npy.rows() * npy.columns());
    Ok(())
}

pub(crate) fn recipe_seeds() -> Vec<Vec<u8>> {
    let whole = micse_train::recipe::names().into_iter().map(|name| {
        let recipe = Recipe::load(name, &[]).expect("a built-in recipe");
        toml::to_string(&recipe).expect("a recipe as text").into_bytes()
    });
    let extending =
        b"extends = \"simcse\"\nsteps = 7\n[[objectives]]\nkind = \"infonce\"\ntemperature = 0.05\nnegatives = [\"in-batch\"]\n".to_vec();
    whole.chain([extending]).collect()
}

/// Reads a recipe.
pub(crate) fn recipe(bytes: &[u8]) -> Result<(), String> {
    let (_folder, path) = file("mine.toml", bytes);
    let recipe = told(Recipe::load(path.to_str().expect("a path of text"), &[]), "mine.toml")?;
    // Its text in `run.toml` must be readable.
    let text = toml::to_string(&recipe).expect("a recipe as text");
    let again = Recipe::parse("run.toml", &text)
        .unwrap_or_else(|e| panic!("the written recipe is rejected: {e}\n{text}"));
    assert_eq!(toml::to_string(&again).expect("a recipe as text"), text);
    Ok(())
}

pub(crate) fn settings_seeds() -> Vec<Vec<u8>> {
    [
        "optimizer.lr=2e-4",
        "objectives.ami.layers=[2, 3]",
        "0.1%,1000,100%",
        "48..52",
        "1percent_seed48",
        "ami",
        "views.1.dropout=0.3",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Reads command-line values: sizes, seeds, settings, terms to add, names of split files. Succeeds if any parser
/// accepts the text; errors need not name a file here.
pub(crate) fn settings(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut taken =
        parse_sizes(&text).is_ok() || parse_seeds(&text).is_ok() || text.parse::<SplitSize>().is_ok();
    taken |= Recipe::load_with("simcse", std::slice::from_ref(&text), &[]).is_ok();
    for key in
        ["", "optimizer.lr=", "optimizer.warmup_steps=", "steps=", "max_length=", "objectives.ami.layers="]
    {
        taken |= Recipe::load("micse", &[format!("{key}{text}")]).is_ok();
    }
    let name = format!("wiki_subset_1M_{text}.txt");
    if name.len() < 200 && !name.contains(['/', '\0']) {
        let (folder, _) = file(&name, b"It rained in May.\n");
        taken |= SplitFiles::open(folder.path())
            .is_ok_and(|files| files.find("1%".parse().expect("a size"), 48).is_ok());
    }
    if taken {
        Ok(())
    } else {
        Err(format!("{text:?} is not a valid size, seed, setting, term or split name"))
    }
}

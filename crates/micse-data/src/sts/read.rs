//! Readers of the three file formats of STS sets.

use std::path::Path;

use super::{Pair, Subset, Task};
use crate::error::{Error, Result};
use crate::text_file::{bad_line, utf8};

/// Reads one subset of a yearly task: `STS.input.NAME.txt` and `STS.gs.NAME.txt`, line by line. Skips pairs without a
/// score.
pub(super) fn year(folder: &Path, name: &str) -> Result<Subset> {
    let input = folder.join(format!("STS.input.{name}.txt"));
    let gs = folder.join(format!("STS.gs.{name}.txt"));
    let (input_text, gs_text) = (utf8(&input)?, utf8(&gs)?);
    let (lines, scores): (Vec<_>, Vec<_>) = (input_text.lines().collect(), gs_text.lines().collect());
    if lines.len() != scores.len() {
        return Err(Error::LineCounts { gs, scores: scores.len(), input, pairs: lines.len() });
    }
    let mut pairs = Vec::new();
    for (i, (line, gold)) in lines.iter().zip(&scores).enumerate() {
        let (first, second) = columns(&input, i, line)?;
        if !gold.trim().is_empty() {
            pairs.push(pair(&input, i, first, second, score(&gs, i, gold)?)?);
        }
    }
    some_pairs(&input, pairs).map(|pairs| Subset { name: name.to_owned(), pairs })
}

/// The sentences of one subset of a yearly task, also those of pairs without a score; the `gs` file is not read.
pub(super) fn year_sentences(folder: &Path, name: &str) -> Result<Vec<String>> {
    let input = folder.join(format!("STS.input.{name}.txt"));
    let mut sentences = Vec::new();
    for (i, line) in utf8(&input)?.lines().enumerate() {
        let (first, second) = columns(&input, i, line)?;
        sentences.extend([first, second].map(one_spaced));
    }
    Ok(sentences)
}

/// The two sentences of a line of `STS.input.NAME.txt`; further columns name their source.
fn columns<'a>(input: &Path, index: usize, line: &'a str) -> Result<(&'a str, &'a str)> {
    let Some((first, rest)) = line.split_once('\t') else {
        return Err(bad_line(input, index, "no tab", "two sentences separated by a tab"));
    };
    Ok((first, rest.split('\t').next().unwrap_or(rest)))
}

/// STS benchmark: tab-separated without quoting; genre, file, year, ID, score, sentence, sentence.
pub(super) fn benchmark(file: &Path) -> Result<Vec<Pair>> {
    Ok(benchmark_rows(file)?.into_iter().map(|(_, pair)| pair).collect())
}

/// The same format, with one subset per genre (column 0), in order of first appearance.
pub(super) fn benchmark_by_genre(file: &Path, task: &str) -> Result<Task> {
    let mut subsets: Vec<Subset> = Vec::new();
    for (genre, pair) in benchmark_rows(file)? {
        if let Some(subset) = subsets.iter_mut().find(|subset| subset.name == genre) {
            subset.pairs.push(pair);
        } else {
            subsets.push(Subset { name: genre, pairs: vec![pair] });
        }
    }
    Ok(Task { name: task.to_owned(), subsets })
}

/// Genre and pair of each row.
fn benchmark_rows(file: &Path) -> Result<Vec<(String, Pair)>> {
    let text = utf8(file)?;
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let columns: Vec<_> = line.split('\t').collect();
        let [genre, _, _, _, gold, first, second, ..] = columns[..] else {
            let expected = "seven tab-separated columns: genre, file, year, id, score, sentence, sentence";
            return Err(bad_line(file, i, &columns_found(columns.len()), expected));
        };
        rows.push((genre.to_owned(), pair(file, i, first, second, score(file, i, gold)?)?));
    }
    some_pairs(file, rows)
}

/// SICK: a header line, then ID, sentence A, sentence B, relatedness, entailment.
pub(super) fn sick(file: &Path) -> Result<Vec<Pair>> {
    let text = utf8(file)?;
    let mut pairs = Vec::new();
    for (i, line) in text.lines().enumerate().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        let [_, first, second, gold, ..] = columns[..] else {
            let expected = "tab-separated columns: pair_ID, sentence_A, sentence_B, relatedness_score, ...";
            return Err(bad_line(file, i, &columns_found(columns.len()), expected));
        };
        pairs.push(pair(file, i, first, second, score(file, i, gold)?)?);
    }
    some_pairs(file, pairs)
}

fn pair(path: &Path, index: usize, first: &str, second: &str, score: f64) -> Result<Pair> {
    let [first, second] = [first, second].map(one_spaced);
    if first.is_empty() || second.is_empty() {
        return Err(bad_line(path, index, "an empty sentence", "two sentences"));
    }
    Ok(Pair { first, second, score })
}

fn one_spaced(sentence: &str) -> String {
    sentence.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn score(path: &Path, index: usize, gold: &str) -> Result<f64> {
    let gold = gold.trim();
    let score = gold.parse().ok().filter(|score: &f64| score.is_finite());
    score.ok_or_else(|| bad_line(path, index, &format!("score '{gold}'"), "a number, such as 3.8"))
}

fn some_pairs<T>(path: &Path, pairs: Vec<T>) -> Result<Vec<T>> {
    if pairs.is_empty() { Err(Error::NoPairs { path: path.to_owned() }) } else { Ok(pairs) }
}

fn columns_found(count: usize) -> String {
    if count == 1 { "no tab".to_owned() } else { format!("{count} columns") }
}

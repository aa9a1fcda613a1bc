//! Text: `word v1 ... vD` on every line, except blank lines.
//!
//! Words can contain spaces (some in GloVe's 840B vectors do), so the values are the last D numbers of a line. The
//! text before them is the word. It must not end in a number; otherwise the line has too many values.

use std::path::Path;

use rayon::prelude::*;

use super::{Header, MOST_DIMENSIONS, Source};
use crate::{Error, Result, WordVectors};

/// Bytes per block (parsed by one thread), and blocks parsed at a time. Both are fixed, so that memory does not
/// depend on the number of threads.
const BLOCK: usize = 1 << 22;
const BLOCKS: usize = 8;

const FETCH: &str = "use `word v1 ... vD` in UTF-8; download the file again, or remove the line";

/// A faulty line.
struct Fault {
    /// The line in its block, from 0.
    line: usize,
    found: String,
}

/// The lines of a block.
#[derive(Default)]
struct Block {
    words: String,
    /// Where each word ends in `words`.
    ends: Vec<usize>,
    /// All values, D per word.
    values: Vec<f32>,
    /// Number of lines, including blank ones.
    lines: usize,
}

/// The dimension according to a first line without a header: its count of numbers, not counting a word that is a
/// number.
pub(super) fn dimension(path: &Path, line: &[u8]) -> Result<usize> {
    let refused = |found: String| Error::Line { path: path.to_owned(), line: 1, found, remedy: FETCH };
    if line.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let text = std::str::from_utf8(line).map_err(|_| refused("not UTF-8".into()))?;
    let fields: Vec<&str> = text.split([' ', '\t', '\r', '\n']).filter(|field| !field.is_empty()).collect();
    let numbers = fields.iter().rev().take_while(|field| field.parse::<f32>().is_ok()).count();
    let dimension = numbers.min(fields.len().saturating_sub(1));
    if dimension == 0 || dimension > MOST_DIMENSIONS {
        return Err(refused(format!("numbers after a word: {dimension}")));
    }
    Ok(dimension)
}

/// Reads the lines of a source that is positioned after its header, if there is one.
pub(super) fn read(
    mut source: Source,
    header: Option<Header>,
    dimension: usize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<WordVectors> {
    let mut vectors = WordVectors::empty(dimension);
    if let (Some(header), Some(size)) = (header, source.size()) {
        // A word and its values take at least two bytes each, so a wrong header reserves no more than the file
        // could fill.
        vectors.reserve(header.words.min(size as usize / (2 * dimension + 2) + 1));
    }
    let (mut line, mut found) = (1 + usize::from(header.is_some()), 0);
    loop {
        let mut blocks = Vec::with_capacity(BLOCKS);
        while blocks.len() < BLOCKS {
            let bytes = source.lines(BLOCK)?;
            if bytes.is_empty() {
                break;
            }
            blocks.push(bytes);
        }
        if blocks.is_empty() {
            break;
        }
        let parsed: Vec<_> = blocks.par_iter().map(|bytes| parse(bytes, dimension)).collect();
        let bytes: usize = blocks.iter().map(Vec::len).sum();
        let begins = found == 0;
        for block in parsed {
            let block = block.map_err(|fault| Error::Line {
                path: source.path().to_owned(),
                line: line + fault.line,
                found: fault.found,
                remedy: FETCH,
            })?;
            let starts = std::iter::once(0).chain(block.ends.iter().copied());
            for ((start, &end), row) in starts.zip(&block.ends).zip(block.values.chunks_exact(dimension)) {
                vectors.push(&block.words[start..end], row);
            }
            line += block.lines;
            found += block.ends.len();
        }
        if let (true, None, Some(size)) = (begins, header, source.size()) {
            // As many lines per byte as so far, and some more.
            let all = size as f64 / bytes as f64 * found as f64;
            vectors.reserve((1.02 * (all - found as f64).max(0.0)) as usize);
        }
        let (done, all) = source.progress();
        progress(done, all);
    }
    match header {
        Some(Header { words: promised, .. }) if promised != found => {
            Err(Error::Count { path: source.path().to_owned(), promised, found })
        }
        _ => Ok(vectors),
    }
}

/// The words and values of complete lines.
fn parse(bytes: &[u8], dimension: usize) -> std::result::Result<Block, Fault> {
    let mut block = Block::default();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let fault = |found: String| Fault { line: block.lines, found };
        let text = std::str::from_utf8(line).map_err(|_| fault("not UTF-8".into()))?;
        let text = text.trim_end_matches([' ', '\t', '\r', '\n']);
        if !text.is_empty() {
            let start = block.values.len();
            block.values.resize(start + dimension, 0.0);
            let word = split(text, &mut block.values[start..]).map_err(fault)?;
            block.words.push_str(word);
            block.ends.push(block.words.len());
        }
        block.lines += 1;
    }
    Ok(block)
}

/// The word of a line; its last numbers are written to `values`.
fn split<'a>(line: &'a str, values: &mut [f32]) -> std::result::Result<&'a str, String> {
    let expected = values.len();
    let mut rest = line;
    for (from_end, value) in values.iter_mut().rev().enumerate() {
        let field = match rest.bytes().rposition(is_gap) {
            Some(gap) => {
                let field = &rest[gap + 1..];
                rest = rest[..gap].trim_end_matches([' ', '\t']);
                field
            }
            // The word itself: a line that begins with a gap has no word, and ends up here empty.
            None => {
                return Err(format!("expected {expected} numbers after the word, found {from_end}"));
            }
        };
        *value = field.parse().map_err(|_| {
            format!("'{field}' is not a number; expected {expected} numbers after the word, found {from_end}")
        })?;
        if !value.is_finite() {
            return Err(format!("the value {field} is not a finite f32"));
        }
    }
    if rest.is_empty() {
        return Err("no word before the numbers".into());
    }
    match rest.bytes().rposition(is_gap).map(|gap| &rest[gap + 1..]) {
        Some(last) if last.parse::<f32>().is_ok() => {
            Err(format!("more than {expected} numbers after the word: {last} is a number too"))
        }
        _ => Ok(rest),
    }
}

fn is_gap(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

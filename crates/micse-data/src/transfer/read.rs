//! Readers of the four file formats of transfer tasks.
//!
//! Lines and words are separated as Python separates them, because `SentEval`'s readers define the tasks: a form feed
//! inside a line of CR, for example, would end an example there.

use std::path::Path;

use super::Example;
use crate::error::{Error, Result};
use crate::text_file::{bad_line, latin1, utf8};

/// MR, CR, SUBJ, MPQA: a file per class, one sentence per line. The positive file is class 1 and comes first.
pub(super) fn two_files(positive: &Path, negative: &Path) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    for (path, class) in [(positive, 1), (negative, 0)] {
        let text = latin1(path)?;
        let mut text = text.replace("\r\n", "\n");
        // The last line needs no end.
        if text.ends_with(is_line_end) {
            text.pop();
        } else if text.is_empty() {
            return Err(Error::NoExamples { path: path.to_owned() });
        }
        examples.extend(text.split(is_line_end).map(|line| single(line, class)));
    }
    Ok(examples)
}

/// TREC: `CLASS:subclass question`.
pub(super) fn questions(path: &Path, classes: &[&str]) -> Result<Vec<Example>> {
    const FORM: &str = "a question with its type, such as `NUM:date When did it rain ?`";
    let text = latin1(path)?;
    let mut examples = Vec::new();
    for (i, line) in lines(&text).enumerate() {
        let Some((label, rest)) = strip(line).split_once(':') else {
            return Err(bad_line(path, i, "no colon", FORM));
        };
        let Some((_, question)) = rest.split_once(' ') else {
            return Err(bad_line(path, i, "no space after the type", FORM));
        };
        let Some(class) = classes.iter().position(|&class| class == label) else {
            return Err(bad_line(path, i, &format!("type {label:?}"), &classes.join(", ")));
        };
        examples.push(single(question, class));
    }
    some(path, examples)
}

/// SST: `sentence<TAB>class`.
pub(super) fn sst(path: &Path) -> Result<Vec<Example>> {
    let text = utf8(path)?;
    let mut examples = Vec::new();
    for (i, line) in lines(&text).enumerate() {
        let Some((sentence, rest)) = strip(line).split_once('\t') else {
            return Err(bad_line(path, i, "no tab", "a sentence, a tab, and 0 or 1"));
        };
        examples.push(single(sentence, class(path, i, rest.split('\t').next().unwrap_or(rest))?));
    }
    some(path, examples)
}

/// MRPC: a header line, then class, ID, ID, sentence, sentence.
pub(super) fn paraphrases(path: &Path) -> Result<Vec<Example>> {
    const COLUMNS: &str = "five tab-separated columns: Quality, #1 ID, #2 ID, #1 String, #2 String";
    let text = utf8(path)?;
    let mut examples = Vec::new();
    for (i, line) in lines(&text).enumerate() {
        let columns: Vec<&str> = strip(line).split('\t').collect();
        let [label, _, _, first, second, ..] = columns[..] else {
            return Err(bad_line(path, i, &format!("{} columns", columns.len()), COLUMNS));
        };
        if i == 0 {
            if ["0", "1"].contains(&label) {
                return Err(bad_line(path, i, "a pair", &format!("a header line with {COLUMNS}")));
            }
            continue;
        }
        let (first, second) = (words(first), words(second));
        examples.push(Example { first, second: Some(second), class: class(path, i, label)? });
    }
    some(path, examples)
}

fn single(sentence: &str, class: usize) -> Example {
    Example { first: words(sentence), second: None, class }
}

fn class(path: &Path, index: usize, label: &str) -> Result<usize> {
    match strip(label) {
        "0" => Ok(0),
        "1" => Ok(1),
        other => Err(bad_line(path, index, &format!("class {other:?}"), "0 or 1")),
    }
}

fn some(path: &Path, examples: Vec<Example>) -> Result<Vec<Example>> {
    if examples.is_empty() { Err(Error::NoExamples { path: path.to_owned() }) } else { Ok(examples) }
}

/// The lines of a file as Python reads them one by one: `\n`, `\r\n` and `\r` end a line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|line| {
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line).split('\r')
    })
}

/// The ends of lines at which Python's `splitlines` separates a Latin-1 text.
fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}')
}

/// White space by Python's definition, which adds four separators to Unicode's property.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn strip(line: &str) -> &str {
    line.trim_matches(is_space)
}

/// The words of a sentence, with one space between them.
fn words(sentence: &str) -> String {
    sentence.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

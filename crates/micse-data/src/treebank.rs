//! Sentences with dependency trees, in the CoNLL-U format of [Universal
//! Dependencies](https://universaldependencies.org/format.html).
//!
//! A word is one line of ten tab-separated columns: ID, FORM, LEMMA, UPOS, XPOS, FEATS, HEAD, DEPREL, DEPS, MISC. A
//! blank line ends a sentence. Lines of multiword tokens (`1-2`) give the surface text; lines of empty nodes (`8.1`)
//! belong to the enhanced graph and are skipped. Of a word, FORM, HEAD and DEPREL are kept.

use std::path::{Path, PathBuf};

use crate::corpus::SentenceReader;
use crate::error::{Error, Result};

const COLUMNS: usize = 10;

/// File name of the shipped treebank.
pub const DEMO_FILE: &str = "demo.conllu";

/// A sentence with its dependency tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The sentence: the comment `# text = `, or the forms joined as `SpaceAfter` asks.
    pub text: String,
    /// The syntactic words, in order.
    pub words: Vec<Word>,
}

/// A syntactic word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word as written.
    pub form: String,
    /// The number of its head, from 1; 0 for the root.
    pub head: u32,
    /// Its relation to the head, with subtype: `nsubj`, `nmod:poss`.
    pub relation: String,
}

/// What makes two dependency trees equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TreeEquality {
    /// The same heads and the same relations, word by word.
    #[default]
    Labelled,
    /// The same heads, whatever the relations.
    Shape,
}

impl Parsed {
    /// The tree as text: equal for two sentences if and only if their trees are equal.
    pub fn tree(&self, equality: TreeEquality) -> String {
        let word = |word: &Word| match equality {
            TreeEquality::Labelled => format!("{}:{}", word.head, word.relation),
            TreeEquality::Shape => word.head.to_string(),
        };
        self.words.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// Reads the sentences of CoNLL-U files (plain, Zstandard or gzip), in order.
///
/// # Errors
/// A file is missing, not text, or has no sentence; a line is not CoNLL-U; heads that are not a tree. Errors name file
/// and line.
pub fn read_treebank(paths: &[impl AsRef<Path>]) -> Result<Vec<Parsed>> {
    let mut sentences = Vec::new();
    for path in paths {
        read_file(path.as_ref(), &mut sentences)?;
    }
    Ok(sentences)
}

fn read_file(path: &Path, sentences: &mut Vec<Parsed>) -> Result<()> {
    let before = sentences.len();
    let mut reader = SentenceReader::open(path)?;
    let mut sentence = Sentence::new(path, 1);
    let mut blank_lines = 0;
    loop {
        let line = reader.line()?.map(str::to_owned);
        // The reader skips blank lines, but counts them.
        if reader.blank_lines() > blank_lines || line.is_none() {
            blank_lines = reader.blank_lines();
            sentences.extend(std::mem::replace(&mut sentence, Sentence::new(path, reader.lines())).finish()?);
        }
        let Some(line) = line else { break };
        sentence.line(&line, reader.lines())?;
    }
    if sentences.len() == before {
        return Err(Error::Line {
            path: path.into(),
            line: reader.lines().max(1),
            found: "the end of a file without a sentence".into(),
            expected: "a treebank in CoNLL-U, such as en_ewt-ud-dev.conllu".into(),
        });
    }
    Ok(())
}

/// The sentence being read.
struct Sentence {
    path: PathBuf,
    /// The first line, then the line of each word.
    first: usize,
    lines: Vec<usize>,
    text: Option<String>,
    words: Vec<Word>,
    /// The forms as written, and whether a space follows.
    surface: Vec<(String, bool)>,
    /// The last word that a multiword token covers.
    covered: usize,
}

impl Sentence {
    fn new(path: &Path, first: usize) -> Self {
        Self {
            path: path.into(),
            first,
            lines: Vec::new(),
            text: None,
            words: Vec::new(),
            surface: Vec::new(),
            covered: 0,
        }
    }

    fn refused<T>(&self, line: usize, found: String, expected: &str) -> Result<T> {
        Err(Error::Line { path: self.path.clone(), line, found, expected: expected.into() })
    }

    fn line(&mut self, line: &str, number: usize) -> Result<()> {
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(text) = comment.trim_start().strip_prefix("text =") {
                self.text = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
            return Ok(());
        }
        let columns: Vec<&str> = line.split('\t').collect();
        if columns.len() != COLUMNS {
            let found = format!("{} tab-separated columns", columns.len());
            return self.refused(number, found, "ten, as in CoNLL-U, or a comment that begins with #");
        }
        let (id, form) = (columns[0], columns[1]);
        if form.is_empty() {
            return self.refused(number, "an empty FORM".into(), "a word");
        }
        let space = !columns[9].split('|').any(|entry| entry == "SpaceAfter=No");
        if let Some((first, last)) = id.split_once('-') {
            let range = first.parse::<usize>().ok().zip(last.parse::<usize>().ok());
            let Some((first, last)) =
                range.filter(|(first, last)| *first == self.words.len() + 1 && first <= last)
            else {
                let found = format!("the range {id} after word {}", self.words.len());
                return self.refused(number, found, "a range from the next word on, such as 1-2");
            };
            if first <= self.covered {
                return self.refused(number, format!("the range {id}"), "ranges that do not overlap");
            }
            self.covered = last;
            self.surface.push((form.into(), space));
            return Ok(());
        }
        if let Some((word, node)) = id.split_once('.') {
            let fits = word.parse() == Ok(self.words.len()) && node.parse::<usize>().is_ok();
            let expected = "an empty node after the word that it names, such as 8.1 after 8";
            return if fits { Ok(()) } else { self.refused(number, format!("ID {id:?}"), expected) };
        }
        if id.parse() != Ok(self.words.len() + 1) {
            let expected = format!("{} (IDs count the words from 1)", self.words.len() + 1);
            return self.refused(number, format!("ID {id:?}"), &expected);
        }
        let Ok(head) = columns[6].parse() else {
            return self.refused(
                number,
                format!("HEAD {:?}", columns[6]),
                "the number of a word, or 0 for the root",
            );
        };
        let relation = columns[7];
        if relation.is_empty() || relation == "_" || relation.contains(' ') {
            return self.refused(number, format!("DEPREL {relation:?}"), "a relation, such as nsubj");
        }
        self.words.push(Word { form: form.into(), head, relation: relation.into() });
        self.lines.push(number);
        if self.words.len() > self.covered {
            self.surface.push((form.into(), space));
        }
        Ok(())
    }

    /// The sentence, if lines belong to it.
    fn finish(self) -> Result<Option<Parsed>> {
        if self.words.is_empty() {
            if self.surface.is_empty() && self.text.is_none() {
                return Ok(None);
            }
            return self.refused(self.first, "a sentence without words".into(), "at least one word");
        }
        if self.covered > self.words.len() {
            let found = format!("a range up to word {} of {}", self.covered, self.words.len());
            return self.refused(self.lines[self.lines.len() - 1], found, "a range within the sentence");
        }
        self.check_tree()?;
        let text = match self.text {
            Some(text) if !text.is_empty() => text,
            _ => {
                let words = self
                    .surface
                    .iter()
                    .map(|(form, space)| [form.as_str(), if *space { " " } else { "" }].concat());
                words.collect::<String>().trim_end().to_owned()
            }
        };
        Ok(Some(Parsed { text, words: self.words }))
    }

    /// Checks that the heads are a tree with one root.
    fn check_tree(&self) -> Result<()> {
        let count = self.words.len();
        if let Some(i) = self.words.iter().position(|word| word.head as usize > count) {
            let found = format!("HEAD {} in a sentence of {count} words", self.words[i].head);
            return self.refused(self.lines[i], found, "the number of a word, or 0 for the root");
        }
        let roots: Vec<usize> = (0..count).filter(|&i| self.words[i].head == 0).collect();
        match roots[..] {
            [_] => {}
            [] => {
                return self.refused(
                    self.lines[0],
                    "a sentence without a root".into(),
                    "one word with HEAD 0",
                );
            }
            [_, second, ..] => {
                return self.refused(self.lines[second], "a second root".into(), "one word with HEAD 0");
            }
        }
        // Each word is followed to the root once; a walk that meets itself is a cycle.
        let mut reached = vec![0_usize; count];
        for start in 0..count {
            let mut at = start;
            while reached[at] == 0 {
                reached[at] = start + 1;
                match self.words[at].head {
                    0 => break,
                    head => at = head as usize - 1,
                }
                if reached[at] == start + 1 {
                    let found = "heads that form a cycle".to_owned();
                    return self.refused(self.lines[at], found, "heads that lead to the root");
                }
            }
        }
        Ok(())
    }
}

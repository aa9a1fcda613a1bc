//! Pairs of sentences in a tab-separated file.

use std::path::{Path, PathBuf};

use crate::{Error, Pair, Result, SentenceReader, Subset, Task};

const EXPECTED: &str = "sentence TAB sentence, or sentence TAB sentence TAB score";

/// The pairs of one file: `sentence TAB sentence`, or `sentence TAB sentence TAB score`, per line.
pub struct PairFile {
    path: PathBuf,
    /// The number of the first pair's line, from 1.
    first_line: usize,
    /// Both sentences of each pair, with runs of white space replaced by single spaces.
    pub pairs: Vec<[String; 2]>,
    /// A score for each pair, if the file has them.
    pub scores: Option<Vec<f64>>,
}

impl PairFile {
    /// Reads a file, plain, Zstandard or gzip. Blank lines are skipped. All lines have a score, or none.
    ///
    /// # Errors
    /// The file cannot be read, has no pairs, or a line has another form (named by its number).
    pub fn open(path: &Path) -> Result<Self> {
        let mut reader = SentenceReader::open(path)?;
        let (mut pairs, mut scores, mut first_line) = (Vec::new(), Vec::new(), 0);
        while let Some(line) = reader.line()?.map(str::to_owned) {
            let number = reader.lines();
            let refused = |found: String, expected: &str| Error::Line {
                path: path.into(),
                line: number,
                found,
                expected: expected.into(),
            };
            let columns: Vec<&str> = line.split('\t').collect();
            let (first, second, score) = match columns[..] {
                [first, second] => (first, second, None),
                [first, second, score] => (first, second, Some(score.trim())),
                _ => return Err(refused(format!("{} columns", columns.len()), EXPECTED)),
            };
            let [first, second] = [first, second].map(|s| s.split_whitespace().collect::<Vec<_>>().join(" "));
            if first.is_empty() || second.is_empty() {
                return Err(refused("an empty sentence".into(), EXPECTED));
            }
            match score {
                Some(text) => {
                    let score = text.parse().ok().filter(|score: &f64| score.is_finite());
                    scores.push(
                        score.ok_or_else(|| refused(format!("score '{text}'"), "a number, such as 3.8"))?,
                    );
                }
                None if !scores.is_empty() => {
                    return Err(refused("no score".into(), "one, because the lines before have one"));
                }
                None => {}
            }
            if pairs.is_empty() {
                first_line = number;
            }
            pairs.push([first, second]);
            if !scores.is_empty() && scores.len() < pairs.len() {
                return Err(refused("a score".into(), "none, because the lines before have none"));
            }
        }
        if pairs.is_empty() {
            return Err(Error::NoPairs { path: path.into() });
        }
        let scores = Some(scores).filter(|scores| !scores.is_empty());
        Ok(Self { path: path.into(), first_line, pairs, scores })
    }

    /// The pairs as an STS task, named after the file.
    ///
    /// # Errors
    /// The file has no scores, or all are the same, so that no rank correlation with them exists.
    pub fn into_task(self) -> Result<Task> {
        let Some(scores) = self.scores else {
            let expected = "a score in the third column, by which the weights are selected".into();
            return Err(Error::Line {
                path: self.path,
                line: self.first_line,
                found: "no score".into(),
                expected,
            });
        };
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        let pair = |([first, second], score): ([String; 2], f64)| Pair { first, second, score };
        let pairs = self.pairs.into_iter().zip(scores).map(pair).collect();
        let task = Task { name: name.clone(), subsets: vec![Subset { name, pairs }] };
        match task.only_score() {
            Some(score) => Err(Error::EqualScores { path: self.path, count: task.len(), score }),
            None => Ok(task),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Result<PairFile> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("text");
        PairFile::open(file.path())
    }

    #[test]
    fn pairs_come_with_scores_or_without() {
        let plain = open("a  b\tc\n\n d \te\r\n").expect("pairs");
        assert_eq!(plain.pairs, [["a b", "c"], ["d", "e"]]);
        assert!(plain.scores.is_none());
        let scored = open("a\tb\t1.5\nc\td\t0\n").expect("pairs");
        assert_eq!(scored.scores.as_deref(), Some(&[1.5, 0.0][..]));
        let task = scored.into_task().expect("a task");
        assert_eq!((task.len(), task.subsets[0].pairs[0].score), (2, 1.5));
        assert!(plain.into_task().is_err());
        let line = open("\n\na\tb\n").expect("pairs").into_task().unwrap_err().to_string();
        assert!(line.contains(":3: no score"), "{line}");
    }

    #[test]
    fn equal_scores_have_no_correlation() {
        for (text, count) in [("a\tb\t5\n", 1), ("a\tb\t5\nc\td\t5.0\n", 2)] {
            let error = open(text).expect("pairs").into_task().unwrap_err().to_string();
            assert!(error.contains(&format!("{count} pair")) && error.contains("score 5"), "{error}");
        }
    }

    #[test]
    fn lines_that_are_no_pairs_are_named() {
        for (text, found) in [
            ("a\tb\nc\n", ":2: 1 columns"),
            ("a\tb\n\nc\td\t2\n", ":3: a score"),
            ("a\tb\t1\nc\td\n", ":2: no score"),
            ("a\tb\tgood\n", ":1: score 'good'"),
            ("a\t \t1\n", ":1: an empty sentence"),
            ("\tthe cat\t3\n", ":1: an empty sentence"),
            ("\tthe cat\n", ":1: an empty sentence"),
            ("a\tb\t1\n\tc\t2\n", ":2: an empty sentence"),
            ("a\tb\t\n", ":1: score ''"),
            ("a\tb\tNaN\n", ":1: score 'NaN'"),
            ("a\tb\t1\t2\n", ":1: 4 columns"),
            ("\n", "no scored pair"),
        ] {
            let error = open(text).err().expect(text).to_string();
            assert!(error.contains(found), "{found:?} is not in: {error}");
        }
    }
}

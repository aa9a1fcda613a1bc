//! Sentences from a file or from standard input, some at a time.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;
use micse::data::Error;

/// The first bytes of every Zstandard frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// A longer line is no sentence, and would have to be held whole.
const LONGEST_LINE: usize = 16 << 20;
/// Text of one chunk, but for its last sentence.
const CHUNK_BYTES: usize = 4 << 20;
/// Sentences of one chunk: enough to sort by length and to keep all threads busy.
const CHUNK: usize = 1024;

/// Reads a text of one sentence a line, plain or Zstandard, by the rules of [`micse::data::Corpus`]: white space
/// around a sentence and a byte order mark go, blank lines are skipped and counted.
pub(crate) struct SentenceReader {
    name: PathBuf,
    reader: Box<dyn BufRead>,
    /// Bytes of the file, where it is one.
    size: Option<u64>,
    taken: Rc<Cell<u64>>,
    lines: usize,
    offset: u64,
    blank_lines: usize,
    line: Vec<u8>,
}

/// Counts what is read through it.
struct Counted<R> {
    inner: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.taken.set(self.taken.get() + count as u64);
        Ok(count)
    }
}

impl SentenceReader {
    /// A file, or standard input without one or with `-`.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Self::new(PathBuf::from("standard input"), io::stdin(), None);
        };
        if path.is_dir() {
            return Err(Error::Folder { path: path.into() }.into());
        }
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                let remedy = "name a text file (plain or .zst) with one sentence a line".to_owned();
                Error::Missing { path: path.into(), remedy }
            }
            _ => Error::Read { path: path.into(), source },
        })?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|facts| facts.len());
        Self::new(path.into(), file, size)
    }

    fn new(name: PathBuf, source: impl Read + 'static, size: Option<u64>) -> Result<Self> {
        let failed = |source| Error::Read { path: name.clone(), source };
        let taken = Rc::new(Cell::new(0));
        let mut source = Counted { inner: source, taken: Rc::clone(&taken) };
        let mut begin = Vec::new();
        source.by_ref().take(4).read_to_end(&mut begin).map_err(failed)?;
        let zstd = begin == ZSTD_MAGIC;
        let whole = Cursor::new(begin).chain(source);
        let reader: Box<dyn BufRead> = if zstd {
            Box::new(BufReader::with_capacity(1 << 17, zstd::Decoder::new(whole).map_err(failed)?))
        } else {
            Box::new(BufReader::with_capacity(1 << 17, whole))
        };
        Ok(Self { name, reader, size, taken, lines: 0, offset: 0, blank_lines: 0, line: Vec::new() })
    }

    /// Bytes of the file, if it is one, and those taken so far: how far the reading is.
    pub(crate) fn bytes(&self) -> (Option<u64>, u64) {
        (self.size, self.taken.get())
    }

    /// Blank lines so far.
    pub(crate) fn blank_lines(&self) -> usize {
        self.blank_lines
    }

    /// Lines read so far: the number of the line at hand, from 1.
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// The next sentences; none at the end.
    pub(crate) fn chunk(&mut self) -> Result<Vec<String>> {
        let (mut sentences, mut bytes) = (Vec::new(), 0);
        while sentences.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(sentence) = self.sentence()? else { break };
            bytes += sentence.len();
            sentences.push(sentence);
        }
        Ok(sentences)
    }

    /// The next sentence; none at the end.
    pub(crate) fn sentence(&mut self) -> Result<Option<String>> {
        while self.read_line()? {
            let mark = self.lines == 1 && self.line.starts_with(BYTE_ORDER_MARK);
            let mark = if mark { BYTE_ORDER_MARK.len() } else { 0 };
            let line = std::str::from_utf8(&self.line[mark..]).map_err(|error| {
                let offset = self.offset + (mark + error.valid_up_to()) as u64;
                Error::NotUtf8 { path: self.name.clone(), line: self.lines, offset }
            })?;
            self.offset += self.line.len() as u64;
            match line.trim() {
                "" => self.blank_lines += 1,
                sentence => return Ok(Some(sentence.to_owned())),
            }
        }
        Ok(None)
    }

    /// Reads a line with its line feed; false at the end.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let limit = LONGEST_LINE as u64 + 1;
        // Only the Zstandard decoder reports an unexpected end: a plain file just ends.
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line);
        read.map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::TruncatedZstd { path: self.name.clone(), lines: self.lines }
            }
            _ => Error::Read { path: self.name.clone(), source },
        })?;
        if self.line.is_empty() {
            return Ok(false);
        }
        self.lines += 1;
        if self.line.len() > LONGEST_LINE {
            return Err(Error::Line {
                path: self.name.clone(),
                line: self.lines,
                found: format!("more than {} MiB without a line end", LONGEST_LINE >> 20),
                expected: "a text of one sentence a line".into(),
            }
            .into());
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8]) -> SentenceReader {
        SentenceReader::new("text".into(), Cursor::new(bytes.to_vec()), None).expect("a reader")
    }

    fn all(bytes: &[u8]) -> Result<(Vec<String>, usize)> {
        let mut reader = reader(bytes);
        let mut sentences = Vec::new();
        while let Some(sentence) = reader.sentence()? {
            sentences.push(sentence);
        }
        Ok((sentences, reader.blank_lines()))
    }

    #[test]
    fn sentences_are_those_of_a_corpus() {
        let text = "\u{feff} one \r\n\n  \ntwo\tof it\n\u{3000}\nlast";
        let file = tempfile::NamedTempFile::new().expect("a file");
        for bytes in [text.as_bytes().to_vec(), zstd::encode_all(text.as_bytes(), 3).expect("zstd")] {
            std::fs::write(file.path(), &bytes).expect("text");
            let corpus = micse::data::Corpus::open(&[file.path().into()]).expect("a corpus");
            let (sentences, blank) = all(&bytes).expect("sentences");
            assert_eq!(sentences, corpus.iter().collect::<Vec<_>>());
            assert_eq!(blank, corpus.info().blank_lines);
        }
        assert_eq!(all(b"").expect("nothing"), (vec![], 0));
        assert_eq!(all(b"ab").expect("short"), (vec!["ab".to_owned()], 0));
    }

    #[test]
    fn what_is_no_text_is_named_with_its_line() {
        let error = all(b"\xEF\xBB\xBFone\n\nt\xffo\n").expect_err("not UTF-8").to_string();
        assert!(error.contains("text:3: not UTF-8 at byte 9"), "{error}");
        let mut cut = zstd::encode_all(&b"one\ntwo\n"[..], 3).expect("zstd");
        cut.truncate(cut.len() - 2);
        assert!(all(&cut).expect_err("cut off").to_string().contains("ends early"));
        let long = vec![b'a'; LONGEST_LINE + 1];
        assert!(all(&long).expect_err("long").to_string().contains("text:1: more than 16 MiB"));
        let fits = vec![b'a'; LONGEST_LINE];
        assert_eq!(all(&fits).expect("fits").0[0].len(), LONGEST_LINE);
    }

    #[test]
    fn chunks_hold_all_sentences_in_order() {
        let text = (0..2500).map(|i| i.to_string()).collect::<Vec<_>>().join("\n");
        let mut reader = reader(text.as_bytes());
        let sizes = [(); 4].map(|()| reader.chunk().expect("a chunk").len());
        assert_eq!(sizes, [1024, 1024, 452, 0]);
    }
}

//! Streams the sentences of a text file, plain or Zstandard.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Result};

/// The first bytes of every Zstandard frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The most bytes of a line: far more than any sentence, and a bound on memory where a file is none of text.
const LONGEST_LINE: usize = 1 << 20;
/// Bytes of one chunk, but for its last sentence.
const CHUNK_BYTES: usize = 4 << 20;
/// Sentences of one chunk: enough to sort by length and to keep all threads busy.
const CHUNK: usize = 1024;

/// Reads a text of one sentence a line, plain or Zstandard (told apart by the first bytes, not by the name), some
/// sentences at a time. White space around a sentence and a byte order mark go, blank lines are skipped and counted.
pub struct SentenceReader {
    name: PathBuf,
    reader: Box<dyn BufRead>,
    /// Bytes of the file, where it is one.
    size: Option<u64>,
    taken: Rc<Cell<u64>>,
    lines: usize,
    offset: u64,
    blank_lines: usize,
    line: Vec<u8>,
    sentence: String,
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
    /// A file.
    ///
    /// # Errors
    /// It is missing, a folder, or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::Folder { path: path.to_owned() });
        }
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                let remedy =
                    "name a text file (plain or .zst) with one sentence a line, or `demo`".to_owned();
                Error::Missing { path: path.to_owned(), remedy }
            }
            _ => Error::Read { path: path.to_owned(), source },
        })?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|facts| facts.len());
        Self::new(path.to_owned(), file, size)
    }

    /// Standard input.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn standard_input() -> Result<Self> {
        Self::new(PathBuf::from("standard input"), io::stdin(), None)
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
        Ok(Self {
            name,
            reader,
            size,
            taken,
            lines: 0,
            offset: 0,
            blank_lines: 0,
            line: Vec::new(),
            sentence: String::new(),
        })
    }

    /// Bytes of the file, if it is one, and those taken so far: how far the reading is.
    pub fn bytes(&self) -> (Option<u64>, u64) {
        (self.size, self.taken.get())
    }

    /// Blank lines so far.
    pub fn blank_lines(&self) -> usize {
        self.blank_lines
    }

    /// Lines read so far: the number of the line at hand, from 1.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The next sentences, some 1,000 or some megabytes of text; none at the end.
    ///
    /// # Errors
    /// As [`Self::sentence`].
    pub fn chunk(&mut self) -> Result<Vec<String>> {
        let (mut sentences, mut bytes) = (Vec::new(), 0);
        while sentences.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(sentence) = self.sentence()? else { break };
            bytes += sentence.len();
            sentences.push(sentence.to_owned());
        }
        Ok(sentences)
    }

    /// The next sentence; none at the end.
    ///
    /// # Errors
    /// A line that is not UTF-8 (with its number and byte offset) or has no end within a megabyte, Zstandard data that
    /// ends early, and a file that cannot be read.
    pub fn sentence(&mut self) -> Result<Option<&str>> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            let mark = self.lines == 1 && self.line.starts_with(BYTE_ORDER_MARK);
            let mark = if mark { BYTE_ORDER_MARK.len() } else { 0 };
            let line = std::str::from_utf8(&self.line[mark..]).map_err(|error| {
                let offset = self.offset + (mark + error.valid_up_to()) as u64;
                Error::NotUtf8 { path: self.name.clone(), line: self.lines, offset }
            })?;
            self.offset += self.line.len() as u64;
            self.sentence.clear();
            self.sentence.push_str(line.trim());
            if !self.sentence.is_empty() {
                break;
            }
            self.blank_lines += 1;
        }
        Ok(Some(&self.sentence))
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
            return Err(Error::LongLine { path: self.name.clone(), line: self.lines, limit: LONGEST_LINE });
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
            sentences.push(sentence.to_owned());
        }
        Ok((sentences, reader.blank_lines()))
    }

    #[test]
    fn sentences_are_those_of_a_corpus() {
        let text = "\u{feff} one \r\n\n  \ntwo\tof it\n\u{3000}\nlast";
        let file = tempfile::NamedTempFile::new().expect("a file");
        for bytes in [text.as_bytes().to_vec(), zstd::encode_all(text.as_bytes(), 3).expect("zstd")] {
            std::fs::write(file.path(), &bytes).expect("text");
            let corpus = crate::Corpus::open(&[file.path().into()]).expect("a corpus");
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
        assert!(all(&long).expect_err("long").to_string().contains("text:1: the line is longer than"));
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

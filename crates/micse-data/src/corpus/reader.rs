//! Streams the sentences of a plain, Zstandard or gzip text file.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::bytes::{read_error, text_bytes};
use super::input::StoppableInput;
use crate::error::{Error, Result, STANDARD_INPUT};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// The longest line in bytes: far more than any sentence, and a bound on memory for files that are not text.
const LONGEST_LINE: usize = 1 << 20;
/// Bytes per chunk, not counting its last sentence: its rows do not need much memory.
pub const CHUNK_BYTES: usize = 512 << 10;
/// Sentences per chunk: enough to sort by length and to keep all threads busy, even if each is a few words.
pub const CHUNK: usize = 8192;

/// Reads a text file with one sentence per line, in chunks. The file is plain, Zstandard or gzip, detected by its
/// first bytes and not by its name. Removes white space around each sentence and a byte order mark; skips and
/// counts blank lines.
pub struct SentenceReader {
    name: PathBuf,
    reader: Box<dyn BufRead>,
    /// Bytes of the file, if it is a regular file.
    size: Option<u64>,
    taken: Rc<Cell<u64>>,
    lines: usize,
    offset: u64,
    blank_lines: usize,
    line: Vec<u8>,
    sentence: String,
}

/// Counts the bytes read through it.
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
    /// Opens a file.
    ///
    /// # Errors
    /// The path is missing, a folder, or unreadable.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::Folder { path: path.to_owned() });
        }
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                let remedy = "pass a text file (plain, .zst or .gz) with one sentence per line".to_owned();
                Error::Missing { path: path.to_owned(), remedy }
            }
            _ => Error::Read { path: path.to_owned(), source },
        })?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|facts| facts.len());
        Self::new(path.to_owned(), file, size)
    }

    /// Opens standard input. Once `stop` is set, this and every later call that reads fails, even if it waits for
    /// input.
    ///
    /// # Errors
    /// Standard input cannot be read, or `stop` is set.
    pub fn standard_input(stop: Arc<AtomicBool>) -> Result<Self> {
        Self::new(PathBuf::from(STANDARD_INPUT), StoppableInput::start(|| Ok(io::stdin()), stop), None)
    }

    /// [`Self::open`]; a named pipe, which waits for whoever writes into it, is read as [`Self::standard_input`] is.
    ///
    /// # Errors
    /// As [`Self::open`]; for a pipe, also if `stop` is set.
    pub fn open_until(path: &Path, stop: Arc<AtomicBool>) -> Result<Self> {
        if path.metadata().map_or(true, |facts| facts.is_file() || facts.is_dir()) {
            return Self::open(path);
        }
        let (name, path) = (path.to_owned(), path.to_owned());
        Self::new(name, StoppableInput::start(|| File::open(path), stop), None)
    }

    fn new(name: PathBuf, source: impl Read + 'static, size: Option<u64>) -> Result<Self> {
        let taken = Rc::new(Cell::new(0));
        let reader = text_bytes(&name, Counted { inner: source, taken: Rc::clone(&taken) })?;
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

    /// Progress: size of the file in bytes, if it is a regular file, and bytes read so far.
    pub fn bytes(&self) -> (Option<u64>, u64) {
        (self.size, self.taken.get())
    }

    /// Blank lines so far.
    pub fn blank_lines(&self) -> usize {
        self.blank_lines
    }

    /// Lines read so far, which is the number of the current line, from 1.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// The next sentences, up to about 8,000 sentences or half a megabyte; empty at the end.
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

    /// The next sentence, without surrounding white space; `None` at the end.
    ///
    /// # Errors
    /// A line that is not UTF-8 (with its number and byte offset), contains a NUL, or is longer than a mebibyte;
    /// compressed data that ends early; a file that cannot be read; a first line that shows JSON lines with a text, or
    /// lines that end in a carriage return alone.
    pub fn sentence(&mut self) -> Result<Option<&str>> {
        if self.line()?.is_none() {
            return Ok(None);
        }
        if self.lines == 1 {
            check_is_plain(&self.name, &self.sentence, self.line.ends_with(b"\n"))?;
        }
        Ok(Some(self.sentence.trim()))
    }

    /// The next line that is not blank, without its line ending but with all other white space, because the first
    /// of several tab-separated columns may be empty. `None` at the end.
    ///
    /// # Errors
    /// As [`Self::sentence`].
    pub fn line(&mut self) -> Result<Option<&str>> {
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
            if line.contains('\0') {
                return Err(Error::Nul { path: self.name.clone(), line: self.lines });
            }
            self.offset += self.line.len() as u64;
            self.sentence.clear();
            self.sentence.push_str(line.trim_end_matches(['\n', '\r']));
            if !self.sentence.trim().is_empty() {
                break;
            }
            self.blank_lines += 1;
        }
        Ok(Some(&self.sentence))
    }

    /// Reads a line with its line feed; returns false at the end.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let limit = LONGEST_LINE as u64 + 1;
        // Only decoders report an unexpected end; a plain file just ends.
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line);
        read.map_err(|source| read_error(&self.name, self.lines, source))?;
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

/// Keys under which JSON lines have sentences.
const TEXT_KEYS: [&str; 3] = ["text", "sentence", "content"];

/// Rejects text in which a line is not a sentence, as its first line shows.
fn check_is_plain(name: &Path, line: &str, ends: bool) -> Result<()> {
    let (found, remedy) = if let Some(key) = text_key(line) {
        ("JSON lines", format!("jq -r .{key}"))
    } else if !ends && line.trim_end().contains('\r') {
        ("one line, whose parts end in a carriage return alone", "tr '\\r' '\\n' <".to_owned())
    } else {
        return Ok(());
    };
    Err(Error::NoText { path: name.to_owned(), found: found.to_owned(), remedy })
}

/// The key of the sentence in a line of JSON. Other objects, as in a log, may be sentences.
fn text_key(line: &str) -> Option<&'static str> {
    let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(line.trim()).ok()?;
    TEXT_KEYS.into_iter().find(|key| object.get(*key).is_some_and(serde_json::Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8]) -> SentenceReader {
        SentenceReader::new("text".into(), io::Cursor::new(bytes.to_vec()), None).expect("a reader")
    }

    fn all(bytes: &[u8]) -> Result<(Vec<String>, usize)> {
        let mut reader = reader(bytes);
        let mut sentences = Vec::new();
        while let Some(sentence) = reader.sentence()? {
            sentences.push(sentence.to_owned());
        }
        Ok((sentences, reader.blank_lines()))
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).expect("gzip");
        packed.finish().expect("gzip")
    }

    #[test]
    fn tabs_around_a_line_stay_where_columns_are_told_by_them() {
        let mut reader = reader(b"\tthe cat\t3 \r\n \t \nlast\t");
        assert_eq!(reader.line().expect("a line"), Some("\tthe cat\t3 "));
        assert_eq!(reader.line().expect("a line"), Some("last\t"));
        assert_eq!(reader.line().expect("the end"), None);
        assert_eq!(reader.blank_lines(), 1);
    }

    #[test]
    fn what_is_no_text_is_named_with_what_makes_one_of_it() {
        let utf16: Vec<u8> = "\u{feff}a dog\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}a dog\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let unmarked = &utf16[2..];
        for (bytes, says) in [
            (&utf16[..], ["UTF-16", "iconv -f utf-16"]),
            (&big[..], ["UTF-16", "iconv -f utf-16"]),
            (unmarked, ["NUL", "UTF-16"]),
            (&gzip(&utf16)[..], ["UTF-16", "iconv -f utf-16"]),
            (b"\xFF\xFE\0\0a\0\0\0", ["UTF-32", "iconv"]),
            (b"BZh91AY", ["bzip2", "bunzip2"]),
            (b"\xFD7zXZ\0\0", ["xz", "xz -dc"]),
            (b"PK\x03\x04\x14", ["zip", "unzip"]),
            (b"%PDF-1.7", ["PDF", "pdftotext"]),
            (b"PAR1\x15\x04\x15", ["Parquet", "read_parquet"]),
            (b"{\"text\": \"A dog.\"}\n{\"text\": \"A cat.\"}\n", ["JSON lines", "jq -r .text"]),
            (b"a dog\ra cat\ra cow\r", ["carriage return", "tr "]),
        ] {
            let reader = SentenceReader::new("text".into(), io::Cursor::new(bytes.to_vec()), None);
            let error = reader.and_then(|mut r| r.sentence().map(|_| ())).expect_err("no text").to_string();
            assert!(says.iter().all(|part| error.contains(part)) && !error.contains("latin1"), "{error}");
        }
    }

    #[test]
    fn a_brace_and_a_carriage_return_make_no_other_format() {
        let lines = |text: &[u8]| all(text).expect("sentences").0;
        assert_eq!(lines(b"{sic} a dog\n{}\n"), ["{sic} a dog", "{}"]);
        assert_eq!(lines(b"{\"level\": 3}\n"), ["{\"level\": 3}"]);
        assert_eq!(lines(b"a dog\r\na cat\r"), ["a dog", "a cat"]);
        assert_eq!(lines(b"a dog\r"), ["a dog"]);
    }

    #[test]
    fn zstandard_may_begin_with_a_frame_to_skip() {
        let packed = zstd::encode_all(&b"a dog\n"[..], 1).expect("zstd");
        let skipped = [&[0x5A, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 9, 9][..], &packed].concat();
        assert_eq!(all(&skipped).expect("sentences").0, ["a dog"]);
    }

    #[test]
    fn sentences_are_those_of_a_corpus() {
        let text = "\u{feff} one \r\n\n  \ntwo\tof it\n\u{3000}\nlast";
        let file = tempfile::NamedTempFile::new().expect("a file");
        let zstd = zstd::encode_all(text.as_bytes(), 3).expect("zstd");
        // Two gzip members, one after the other.
        let gzip = [gzip(&text.as_bytes()[..12]), gzip(&text.as_bytes()[12..])].concat();
        for bytes in [text.as_bytes().to_vec(), zstd, gzip] {
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
        // Truncated within the header.
        let begun = SentenceReader::new("text".into(), io::Cursor::new(gzip(b"one\n")[..5].to_vec()), None);
        assert!(begun.err().expect("cut off").to_string().contains("ends early"));
        let mut cut = gzip(b"one\ntwo\n");
        cut.truncate(cut.len() - 2);
        assert!(all(&cut).expect_err("cut off").to_string().contains("ends early"));
        let long = vec![b'a'; LONGEST_LINE + 1];
        assert!(all(&long).expect_err("long").to_string().contains("text:1: the line is longer than"));
        let fits = vec![b'a'; LONGEST_LINE];
        assert_eq!(all(&fits).expect("fits").0[0].len(), LONGEST_LINE);
    }

    #[test]
    fn chunks_hold_all_sentences_in_order() {
        let text = (0..20_000).map(|i| i.to_string()).collect::<Vec<_>>().join("\n");
        let mut reader = reader(text.as_bytes());
        let sizes = [(); 4].map(|()| reader.chunk().expect("a chunk").len());
        assert_eq!(sizes, [8192, 8192, 3616, 0]);
    }
}

//! The decompressed bytes of a file, with look-ahead and a count of the bytes read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::{Error, Result};

/// The first bytes of every Zstandard frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The first bytes of every gzip member.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// A longer first line is rejected.
const LONGEST_LINE: usize = 1 << 24;
/// Bytes per read from the system.
const READ: usize = 1 << 17;

pub(super) struct Source {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// Read ahead, not yet consumed.
    ahead: Vec<u8>,
    bytes: u64,
    done: Rc<Cell<u64>>,
    compressed: bool,
}

/// A file that counts the bytes read from it.
struct Counted {
    file: File,
    done: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done.set(self.done.get() + read as u64);
        Ok(read)
    }
}

impl Source {
    /// Opens a file; a byte order mark at its beginning is skipped.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let place = |found| Error::Place { path: path.to_owned(), found };
        if path.is_dir() {
            return Err(place("is a folder"));
        }
        let mut file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => place("not found"),
            _ => failed(source),
        })?;
        let bytes = file.metadata().map_err(failed)?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let gzip = magic.starts_with(&GZIP_MAGIC);
        let compressed = gzip || magic == ZSTD_MAGIC;
        let done = Rc::new(Cell::new(0));
        let counted = Counted { file, done: Rc::clone(&done) };
        let reader: Box<dyn Read> = if gzip {
            Box::new(flate2::read::MultiGzDecoder::new(counted))
        } else if compressed {
            Box::new(zstd::Decoder::new(counted).map_err(failed)?)
        } else {
            Box::new(counted)
        };
        let mut source = Self { path: path.to_owned(), reader, ahead: Vec::new(), bytes, done, compressed };
        if source.peek(BYTE_ORDER_MARK.len())?.starts_with(BYTE_ORDER_MARK) {
            source.skip(BYTE_ORDER_MARK.len())?;
        }
        Ok(source)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of file bytes read so far, and the file size.
    pub(super) fn progress(&self) -> (u64, u64) {
        (self.done.get(), self.bytes)
    }

    /// The maximum number of bytes from this source, if known.
    pub(super) fn size(&self) -> Option<u64> {
        (!self.compressed).then_some(self.bytes)
    }

    /// Reads until `count` bytes are available, or the file ends; returns the available bytes.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        while self.ahead.len() < count {
            let before = self.ahead.len();
            self.ahead.resize(before + READ, 0);
            let read = loop {
                match self.reader.read(&mut self.ahead[before..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.ahead.truncate(before + *read.as_ref().unwrap_or(&0));
            if read.map_err(|source| Error::Read { path: self.path.clone(), source })? == 0 {
                break;
            }
        }
        Ok(&self.ahead)
    }

    /// The first line, with its line feed. It is not consumed.
    pub(super) fn peek_line(&mut self) -> Result<Vec<u8>> {
        let mut wanted = READ;
        loop {
            let ahead = self.peek(wanted)?;
            if let Some(end) = ahead.iter().position(|&byte| byte == b'\n') {
                return Ok(ahead[..=end].to_vec());
            }
            if ahead.len() < wanted || wanted > LONGEST_LINE {
                return Ok(ahead.to_vec());
            }
            wanted *= 2;
        }
    }

    /// Consumes available bytes.
    pub(super) fn skip(&mut self, count: usize) -> Result<()> {
        self.peek(count)?;
        self.ahead.drain(..count.min(self.ahead.len()));
        Ok(())
    }

    /// Consumes at least `least` bytes, up to the end of a line; fewer only at the end of the file. Empty at the
    /// end of the file.
    pub(super) fn lines(&mut self, least: usize) -> Result<Vec<u8>> {
        let mut searched = 0;
        let mut wanted = least;
        loop {
            let ahead = self.peek(wanted)?;
            let (length, ended) = (ahead.len(), ahead.len() < wanted);
            let end = ahead[searched..].iter().rposition(|&byte| byte == b'\n').map(|at| searched + at + 1);
            if let (Some(end), false) = (end, ended) {
                let rest = self.ahead.split_off(end);
                return Ok(std::mem::replace(&mut self.ahead, rest));
            }
            if ended || length > LONGEST_LINE {
                return Ok(std::mem::take(&mut self.ahead));
            }
            searched = length;
            wanted = length + READ;
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            return self.reader.read(buffer);
        }
        let count = buffer.len().min(self.ahead.len());
        buffer[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        Ok(count)
    }
}

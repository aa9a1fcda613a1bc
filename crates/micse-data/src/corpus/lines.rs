//! Streams the lines of a text file, plain or Zstandard.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use crate::error::{Error, Result};

/// The first bytes of every Zstandard frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The most bytes of a line: far more than any sentence, and a bound on memory where a file is none of text.
const LONGEST_LINE: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Calls `each` with every line of the file, without its line feed.
pub(super) fn read(path: &Path, mut each: impl FnMut(&str)) -> Result<()> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(Error::Folder { path: path.to_owned() });
    }
    let mut file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            let remedy = "name a text file (plain or .zst) with one sentence a line, or `demo`".to_owned();
            Error::Missing { path: path.to_owned(), remedy }
        }
        _ => failed(source),
    })?;
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if magic == ZSTD_MAGIC {
        let decoder = zstd::Decoder::new(file).map_err(failed)?;
        stream(path, BufReader::with_capacity(1 << 17, decoder), &mut each)
    } else {
        stream(path, BufReader::with_capacity(1 << 17, file), &mut each)
    }
}

fn stream(path: &Path, mut reader: impl BufRead, each: &mut impl FnMut(&str)) -> Result<()> {
    let mut bytes = Vec::new();
    let (mut lines, mut offset) = (0, 0);
    loop {
        bytes.clear();
        // Only the Zstandard decoder reports an unexpected end: a plain file just ends.
        let mut limited = (&mut reader).take(LONGEST_LINE as u64 + 1);
        let read = limited.read_until(b'\n', &mut bytes).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Error::TruncatedZstd { path: path.to_owned(), lines },
            _ => Error::Read { path: path.to_owned(), source },
        })?;
        if read == 0 {
            return Ok(());
        }
        lines += 1;
        if read > LONGEST_LINE {
            return Err(Error::LongLine { path: path.to_owned(), line: lines, limit: LONGEST_LINE });
        }
        let line = if lines == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes) } else { &bytes };
        let line = std::str::from_utf8(line).map_err(|error| {
            let skipped = read - line.len();
            let offset = offset + (skipped + error.valid_up_to()) as u64;
            Error::NotUtf8 { path: path.to_owned(), line: lines, offset }
        })?;
        each(line.trim_end_matches(['\n', '\r']));
        offset += read as u64;
    }
}

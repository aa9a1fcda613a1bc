//! The decompressed bytes of a text file. Other formats are recognised by their first bytes and rejected by name.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

use crate::error::{Error, Result};

const BUFFER: usize = 1 << 17;
/// Number of bytes needed to recognise a format.
const LOOK: usize = 6;

/// Windows up to the largest, 2^31 bytes, as `zstd --long=31` writes them: without it, 2^27.
const WINDOW_LOG_MAX: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

/// How a readable text file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Zstandard,
    Gzip,
}

/// First bytes of files that are not UTF-8 text, the name of the format, and the command that converts it.
const NO_TEXT: [(&[u8], &str, &str); 8] = [
    // Before UTF-16: the UTF-32 mark begins with the UTF-16 one.
    (&[0xFF, 0xFE, 0, 0], "UTF-32", "iconv -f utf-32 -t utf-8"),
    (&[0xFF, 0xFE], "UTF-16", "iconv -f utf-16 -t utf-8"),
    (&[0xFE, 0xFF], "UTF-16", "iconv -f utf-16 -t utf-8"),
    (b"BZh", "a bzip2 file", "bunzip2 -c"),
    (&[0xFD, b'7', b'z', b'X', b'Z', 0], "an xz file", "xz -dc"),
    (b"PK\x03\x04", "a zip archive", "unzip -p"),
    (b"%PDF", "a PDF document", "pdftotext"),
    (
        b"PAR1",
        "a Parquet file",
        "python3 -c \"import sys, pandas; print(*pandas.read_parquet(sys.argv[1])['text'], sep='\\n')\"",
    ),
];

fn compression(first: &[u8]) -> Compression {
    // A frame of data, or one to skip, with which the files of some parallel compressors begin.
    let skipped = first.len() >= 4 && first[0] & 0xF0 == 0x50 && first[1..4] == [0x2A, 0x4D, 0x18];
    if skipped || first.starts_with(&[0x28, 0xB5, 0x2F, 0xFD]) {
        Compression::Zstandard
    } else if first.starts_with(&[0x1F, 0x8B]) {
        Compression::Gzip
    } else {
        Compression::None
    }
}

fn check_is_text(name: &Path, first: &[u8]) -> Result<()> {
    match NO_TEXT.iter().find(|(magic, ..)| first.starts_with(magic)) {
        Some(&(_, found, remedy)) => {
            Err(Error::NoText { path: name.to_owned(), found: found.to_owned(), remedy: remedy.to_owned() })
        }
        None => Ok(()),
    }
}

/// The text's bytes, decompressed if the first bytes (not the name) are those of Zstandard or gzip.
pub(crate) fn text_bytes(name: &Path, mut source: impl Read + 'static) -> Result<Box<dyn BufRead>> {
    let failed = |source| Error::Read { path: name.to_owned(), source };
    let mut first = Vec::new();
    source.by_ref().take(LOOK as u64).read_to_end(&mut first).map_err(failed)?;
    let compression = compression(&first);
    let whole = Cursor::new(first.clone()).chain(source);
    let mut text: Box<dyn BufRead> = match compression {
        Compression::None => Box::new(BufReader::with_capacity(BUFFER, whole)),
        Compression::Zstandard => {
            let mut decoder = zstd::Decoder::new(whole).map_err(failed)?;
            decoder.window_log_max(WINDOW_LOG_MAX).map_err(failed)?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
        Compression::Gzip => {
            Box::new(BufReader::with_capacity(BUFFER, flate2::read::MultiGzDecoder::new(whole)))
        }
    };
    if compression == Compression::None {
        check_is_text(name, &first)?;
    } else {
        // A decoder reports a damaged beginning only once; after that it reports the end of the file.
        let begin = text.fill_buf().map_err(|source| read_error(name, 0, source))?;
        check_is_text(name, begin)?;
    }
    Ok(text)
}

/// Converts a decoder's error: compressed data that ends early is reported differently from a disk error.
pub(crate) fn read_error(name: &Path, lines: usize, source: std::io::Error) -> Error {
    match source.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::Truncated { path: name.to_owned(), lines },
        _ => Error::Read { path: name.to_owned(), source },
    }
}

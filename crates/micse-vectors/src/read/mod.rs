//! Reads word vectors: GloVe's text, word2vec's text and binary, each plain, Zstandard or gzip.
//!
//! The formats are distinguished by their beginning. A first line of two integers is word2vec's header `N D`;
//! after it, the file is binary if the D values of the first word are not text. (With one or two dimensions, this
//! test can fail, but such vectors do not occur in practice.) Without a header, the numbers in the first line
//! determine the dimension.
mod binary;
mod source;
mod text;

use std::path::Path;

use source::Source;

use crate::{Error, Result, WordVectors};

/// More entries than any real vector has; a header with a larger dimension is rejected.
const MOST_DIMENSIONS: usize = 1 << 16;

/// A word2vec header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    words: usize,
    dimension: usize,
}

impl WordVectors {
    /// Reads a file of word vectors.
    ///
    /// # Errors
    /// A missing file; a file without words or with a different number than its header declares; a line or record
    /// with the wrong number of values, without a word, with NaN or infinity, or that is not UTF-8. Each error
    /// names the file and the line or word. Repeated words are not an error, see [`duplicates`](Self::duplicates).
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, &mut |_, _| {})
    }

    /// Like [`open`](Self::open), with progress: `progress` is called with the bytes read and the file size.
    ///
    /// Keeps the vectors and 32 MiB of text in memory. Text is parsed in rayon's pool, in blocks of a fixed size.
    ///
    /// # Errors
    /// As in [`open`](Self::open).
    pub fn open_with(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Self> {
        let mut source = Source::open(path)?;
        let first_line = source.peek_line()?;
        let vectors = if let Some(header) = header(&first_line) {
            check_header(header, path)?;
            source.skip(first_line.len())?;
            if is_binary(source.peek(values_after_word(header.dimension))?, header.dimension) {
                binary::read(source, header, first_line.len(), progress)?
            } else {
                text::read(source, Some(header), header.dimension, progress)?
            }
        } else {
            let dimension = text::dimension(path, &first_line)?;
            text::read(source, None, dimension, progress)?
        };
        if vectors.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        Ok(vectors)
    }
}

/// The header in a first line, if there is one.
fn header(line: &[u8]) -> Option<Header> {
    let text = std::str::from_utf8(line).ok()?;
    let mut fields = text.split_ascii_whitespace().map(|field| field.parse().ok());
    match (fields.next(), fields.next(), fields.next()) {
        (Some(Some(words)), Some(Some(dimension)), None) => Some(Header { words, dimension }),
        _ => None,
    }
}

fn check_header(header: Header, path: &Path) -> Result<()> {
    if header.words == 0 {
        return Err(Error::Empty { path: path.to_owned() });
    }
    if header.dimension == 0 || header.dimension > MOST_DIMENSIONS {
        return Err(Error::Line {
            path: path.to_owned(),
            line: 1,
            found: format!("a header that declares {} dimensions", header.dimension),
            remedy: "the header is `N D`: the number of words and the dimension",
        });
    }
    Ok(())
}

/// Enough bytes for the first record of a binary file, unless its word is very long.
fn values_after_word(dimension: usize) -> usize {
    4 * dimension + 256
}

/// Whether the data after a header is binary: the values of the first word contain control characters, or are not
/// UTF-8.
fn is_binary(bytes: &[u8], dimension: usize) -> bool {
    let Some(space) = bytes.iter().position(|&byte| byte == b' ') else { return false };
    let values = &bytes[space + 1..];
    let values = &values[..values.len().min(4 * dimension)];
    let control = |&byte: &u8| byte < b' ' && ![b'\t', b'\n', b'\r'].contains(&byte);
    let cut_off = |error: std::str::Utf8Error| error.error_len().is_none();
    values.iter().any(control) || std::str::from_utf8(values).is_err_and(|error| !cut_off(error))
}

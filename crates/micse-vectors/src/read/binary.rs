//! word2vec's binary format: after the header, each word's text, a space, D little-endian f32 and, from some
//! writers, a line feed.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use super::{Header, Source};
use crate::{Error, Result, WordVectors};

/// The longest word.
const LONGEST_WORD: u64 = 1 << 16;
/// Words between two progress reports.
const REPORT: usize = 1 << 14;

const FETCH: &str = "download the file again";

/// Reads the records of a source that is positioned after its header of the given length.
pub(super) fn read(
    source: Source,
    header: Header,
    header_bytes: usize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<WordVectors> {
    let dimension = header.dimension;
    let mut vectors = WordVectors::empty(dimension);
    if let Some(size) = source.size() {
        // A wrong header reserves no more than the file could fill.
        vectors.reserve(header.words.min(size as usize / (4 * dimension + 2) + 1));
    }
    let path = source.path().to_owned();
    let mut reader = BufReader::with_capacity(1 << 20, source);
    let mut offset = header_bytes as u64;
    let (mut word, mut bytes) = (Vec::new(), vec![0; 4 * dimension]);
    let mut row = vec![0.0_f32; dimension];
    for number in 0..header.words {
        let refused = |found: String, remedy| Error::Record {
            path: path.clone(),
            record: number + 1,
            offset,
            found,
            remedy,
        };
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                refused(format!("the file ends, but the header declares {} words", header.words), FETCH)
            }
            _ => Error::Read { path: path.clone(), source: error },
        };
        word.clear();
        reader.by_ref().take(LONGEST_WORD).read_until(b' ', &mut word).map_err(failed)?;
        if word.pop() != Some(b' ') {
            if word.len() as u64 + 1 >= LONGEST_WORD {
                return Err(refused(format!("no word within {LONGEST_WORD} bytes"), FETCH));
            }
            return Err(failed(ErrorKind::UnexpectedEof.into()));
        }
        let taken = word.len() + 1 + bytes.len();
        let text = word.strip_prefix(b"\n").unwrap_or(&word);
        let text =
            std::str::from_utf8(text).map_err(|_| refused("a word that is not UTF-8".into(), FETCH))?;
        if text.is_empty() || text.contains('\n') {
            let found = format!("'{}' is not a word", text.escape_debug());
            return Err(refused(found, "the header's dimension may be wrong; download the file again"));
        }
        reader.read_exact(&mut bytes).map_err(failed)?;
        for (value, bytes) in row.iter_mut().zip(bytes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            return Err(refused(format!("the vector of '{text}' contains {value}"), FETCH));
        }
        vectors.push(text, &row);
        offset += taken as u64;
        if number % REPORT == REPORT - 1 {
            let (done, all) = reader.get_ref().progress();
            progress(done, all);
        }
    }
    let mut rest = Vec::new();
    let ended = reader.by_ref().take(2).read_to_end(&mut rest);
    ended.map_err(|source| Error::Read { path: path.clone(), source })?;
    if !(rest.is_empty() || rest == b"\n") {
        let found = format!("extra bytes after the {} words declared in the header", header.words);
        return Err(Error::Record { path, record: header.words + 1, offset, found, remedy: FETCH });
    }
    let (done, all) = reader.get_ref().progress();
    progress(done, all);
    Ok(vectors)
}

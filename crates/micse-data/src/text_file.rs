//! Complete text files of evaluation sets, in UTF-8 or Latin-1, and errors that name a line.

use std::io::Read;
use std::path::Path;

use crate::corpus::bytes::{read_error, text_bytes};
use crate::error::{Error, Result};

/// The text of a UTF-8 file, without a byte order mark.
pub(crate) fn utf8(path: &Path) -> Result<String> {
    let text = String::from_utf8(bytes(path)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].split(|&byte| byte == b'\n').count();
        Error::NotUtf8 { path: path.to_owned(), line, offset: offset as u64 }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The text of a Latin-1 file: every byte is the character with that number.
pub(crate) fn latin1(path: &Path) -> Result<String> {
    Ok(bytes(path)?.into_iter().map(char::from).collect())
}

/// The decompressed bytes, without NUL.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            let remedy =
                "SentEval's layout or the demo layout needs it; complete the folder, or select only tasks that it has";
            return Error::Missing { path: path.to_owned(), remedy: remedy.to_owned() };
        }
        Error::Read { path: path.to_owned(), source }
    })?;
    let mut bytes = Vec::new();
    text_bytes(path, file)?.read_to_end(&mut bytes).map_err(|source| read_error(path, 0, source))?;
    if let Some(place) = bytes.iter().position(|&byte| byte == 0) {
        let line = bytes[..place].split(|&byte| byte == b'\n').count();
        return Err(Error::Nul { path: path.to_owned(), line });
    }
    Ok(bytes)
}

/// The error of the line at `index`, from 0.
pub(crate) fn bad_line(path: &Path, index: usize, found: &str, expected: &str) -> Error {
    Error::Line {
        path: path.to_owned(),
        line: index + 1,
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

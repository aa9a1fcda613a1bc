//! SHA-256 checksums.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Bytes read at a time.
const PART: usize = 1 << 20;

/// A checksum over a sequence of bytes and files.
#[derive(Clone, Default)]
pub struct Hash(Sha256);

impl Hash {
    /// Starts an empty checksum.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// Adds a file's bytes.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut part = vec![0; PART];
        loop {
            match file.read(&mut part) {
                Ok(0) => return Ok(()),
                Ok(count) => self.0.update(&part[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::io(path)(source)),
            }
        }
    }

    /// The checksum as hexadecimal digits.
    pub fn digits(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The checksum of a file.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let mut hash = Hash::new();
    hash.file(path)?;
    Ok(hash.digits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_sha256sum() {
        // printf 'abc' | sha256sum
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "bc").unwrap();
        let mut hash = Hash::new();
        hash.update("a");
        hash.file(&path).unwrap();
        assert_eq!(hash.digits(), expected);
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(sha256(&path).unwrap(), expected);
        assert!(sha256(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}

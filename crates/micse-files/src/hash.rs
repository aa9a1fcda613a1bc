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

/// The checksum over the names and contents of a model folder's files, in the order of their paths. Skips hidden files and
/// the model card, which change no embedding.
///
/// # Errors
/// Fails if the folder or a file cannot be read.
pub fn sha256_of_folder(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(inner) = open.pop() {
        for entry in std::fs::read_dir(&inner).map_err(Error::io(&inner))? {
            let entry = entry.map_err(Error::io(&inner))?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name == "README.md" {
                continue;
            }
            // Follows links, because the files in a Hub cache are links.
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    let mut hash = Hash::new();
    for file in files {
        hash.update(file.strip_prefix(folder).unwrap_or(&file).as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.file(&file)?;
        hash.update([0]);
    }
    Ok(hash.digits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_the_sum_of_its_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let sum = || sha256_of_folder(folder.path()).unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        write("a", "1");
        write("b/c", "2");
        // printf 'a\0001\000b/c\0002\000' | sha256sum
        let first = sum();
        assert_eq!(first, "aa7b0a2fd04e262c89fc594c1f6da5cd9f093fe2c55101549ad1b1c290fa037e");
        write("README.md", "a card");
        write(".hidden", "a note");
        assert_eq!(sum(), first);
        write("b/c", "3");
        assert_ne!(sum(), first);
        assert!(sha256_of_folder(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }

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

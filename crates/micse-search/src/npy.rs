//! NumPy files with one f32 matrix, read at any position.
//!
//! Rows are read, not memory-mapped. Mapping needs `unsafe`, and if another process truncated the file, a mapping
//! would end the program by a signal where a read returns an error. Reading copies the page cache once more, which
//! costs little compared with the products.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const MAGIC: &[u8] = b"\x93NUMPY";
/// A longer header is not that of a matrix.
const MAX_HEADER: usize = 1 << 16;
const ENTRY_BYTES: usize = size_of::<f32>();

/// An open NumPy file with a matrix of f32 (`<f4`) in C order, formats 1.0 to 3.0.
#[derive(Debug)]
pub struct Npy {
    file: File,
    path: PathBuf,
    /// Offset of the first row.
    start: u64,
    rows: usize,
    columns: usize,
}

impl Npy {
    /// Opens a file and checks that its length matches its header.
    ///
    /// # Errors
    /// The file cannot be read, or is not a complete NumPy file with a matrix of f32 in C order.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_file(File::open(path).map_err(Error::io(path))?, path)
    }

    /// Like [`open`](Self::open), for an open file at its beginning; `path` is its name in errors.
    ///
    /// # Errors
    /// As in [`open`](Self::open).
    pub fn from_file(mut file: File, path: &Path) -> Result<Self> {
        let refused = |reason: &str| Error::format(path, reason);
        let mut read = |bytes: &mut [u8]| {
            file.read_exact(bytes).map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    refused("not a NumPy file: it ends within the header; write it again")
                }
                _ => Error::io(path)(e),
            })
        };
        let mut begin = [0; 8];
        read(&mut begin)?;
        if &begin[..6] != MAGIC {
            return Err(refused(
                "not a NumPy file; write one with `micse encode --output FILE.npy` or numpy.save",
            ));
        }
        let wide = match begin[6] {
            1 => false,
            2 | 3 => true,
            version => {
                return Err(refused(&format!(
                    "unsupported NumPy format {version}; formats 1 to 3 are supported"
                )));
            }
        };
        let mut length = [0; 4];
        read(&mut length[..if wide { 4 } else { 2 }])?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(refused(&format!(
                "a header of {length} bytes is too long for a matrix; write the file again with numpy.save"
            )));
        }
        let mut header = vec![0; length];
        read(&mut header)?;
        let (rows, columns) =
            shape(&String::from_utf8_lossy(&header)).map_err(|reason| Error::format(path, reason))?;
        let start = (if wide { 12 } else { 10 } + length) as u64;
        let entries = rows.checked_mul(columns).and_then(|n| n.checked_mul(ENTRY_BYTES));
        let found = file.metadata().map_err(Error::io(path))?.len();
        let expected = entries.and_then(|bytes| start.checked_add(bytes as u64));
        if expected != Some(found) {
            return Err(refused(&format!(
                "the header declares {rows} rows of {columns} f32, but the file has {found} bytes; it is truncated, or \
                 contains more than one matrix; write it again"
            )));
        }
        Ok(Self { file, path: path.into(), start, rows, columns })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns, at least 1.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The entries of rows `first..first + count`, row after row.
    ///
    /// # Errors
    /// They cannot be read: the file was truncated after it was opened.
    ///
    /// # Panics
    /// If the matrix has fewer rows.
    pub fn read(&self, first: usize, count: usize) -> Result<Vec<f32>> {
        assert!(first + count <= self.rows, "{count} rows from row {first} of {}", self.rows);
        let row_bytes = self.columns * ENTRY_BYTES;
        let mut bytes = vec![0; count * row_bytes];
        let at = self.start + (first * row_bytes) as u64;
        read_at(&self.file, &mut bytes, at).map_err(Error::io(&self.path))?;
        Ok(bytes.as_chunks().0.iter().map(|&entry| f32::from_le_bytes(entry)).collect())
    }
}

/// Fills `bytes` from an offset in the file without moving its cursor, so that threads can share it.
#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

/// Fills `bytes` from an offset in the file; each read names its offset.
#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[count..];
        at += count as u64;
    }
    Ok(())
}

/// Rows and columns from a header's dictionary, if it describes a matrix of f32 in C order.
fn shape(header: &str) -> std::result::Result<(usize, usize), String> {
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}'"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let unknown = || "not a header written by NumPy; write the file again with numpy.save".to_owned();
    let kind = value("descr").and_then(|v| v.strip_prefix('\'')?.split('\'').next()).ok_or_else(unknown)?;
    if kind != "<f4" {
        return Err(format!(
            "entries are `{kind}`, but only `<f4` is supported; convert with numpy.save(FILE, rows.astype('<f4'))"
        ));
    }
    if !value("fortran_order").ok_or_else(unknown)?.starts_with("False") {
        return Err("the matrix is in Fortran order; save numpy.ascontiguousarray(rows) instead".into());
    }
    let inner = value("shape").and_then(|v| v.strip_prefix('(')?.split(')').next()).ok_or_else(unknown)?;
    let sizes: Vec<&str> = inner.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let parsed: Option<Vec<usize>> = sizes.iter().map(|part| part.parse().ok()).collect();
    match parsed.ok_or_else(unknown)?[..] {
        [rows, columns] if columns > 0 => Ok((rows, columns)),
        _ => {
            Err(format!("the shape is ({inner}), but embeddings must be a matrix with one row per sentence"))
        }
    }
}

//! Writes NumPy files row by row; the number of rows is only known at the end.

use std::io::{self, Seek, SeekFrom, Write};

/// Bytes of the header: space for any number of rows, and a multiple of 64, as the format requires.
const HEADER_BYTES: usize = 128;

/// Writes a matrix of f32 row by row, as a NumPy file of format 1.0: little-endian, in C order.
///
/// The header is first written with 0 rows and rewritten by [`finish`](Self::finish). An unfinished file thus
/// declares 0 rows.
pub struct NpyWriter<W> {
    inner: W,
    columns: usize,
    rows: usize,
}

impl<W: Write + Seek> NpyWriter<W> {
    /// Starts a matrix with this many columns.
    ///
    /// # Errors
    /// The header cannot be written.
    pub fn new(mut inner: W, columns: usize) -> io::Result<Self> {
        inner.write_all(&header(0, columns))?;
        Ok(Self { inner, columns, rows: 0 })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// The row has a different number of entries than the matrix has columns, or cannot be written.
    pub fn push(&mut self, row: &[f32]) -> io::Result<()> {
        if row.len() != self.columns {
            let text = format!("a row of {} entries for {} columns", row.len(), self.columns);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.inner.write_all(&bytes)?;
        self.rows += 1;
        Ok(())
    }

    /// Number of rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes the number of rows into the header and returns the writer.
    ///
    /// # Errors
    /// The header cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.inner.seek(SeekFrom::Start(0))?;
        self.inner.write_all(&header(self.rows, self.columns))?;
        self.inner.seek(SeekFrom::End(0))?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

/// Magic, version, length of the text, and the text: a Python dictionary, padded with spaces, with a line feed.
fn header(rows: usize, columns: usize) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let length = HEADER_BYTES - bytes.len() - 2;
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(HEADER_BYTES - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_size_fits_the_header() {
        let bytes = header(usize::MAX, usize::MAX);
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert!(bytes.ends_with(b"\n"));
        assert!(String::from_utf8_lossy(&bytes[10..]).contains("), }"));
    }

    #[test]
    fn a_row_of_another_length_is_refused() {
        let mut writer = NpyWriter::new(io::Cursor::new(Vec::new()), 3).expect("a header");
        assert!(writer.push(&[1.0, 2.0]).is_err());
        writer.push(&[1.0, 2.0, 3.0]).expect("a row");
        assert_eq!(writer.rows(), 1);
    }
}

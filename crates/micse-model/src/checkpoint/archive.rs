//! The part of the ZIP format needed to find the files in a PyTorch archive, which are stored uncompressed:
//! where each begins and how long it is. (PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16,
//! 4.5.3.)

use std::collections::HashMap;
use std::path::Path;

use super::{damaged, length, read_range};
use crate::Result;

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Sizes of the records in bytes, without their variable parts.
const END_SIZE: usize = 22;
const END_64_SIZE: usize = 56;
const LOCATOR_64_SIZE: usize = 20;
const CENTRAL_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;
/// Maximum length of a comment after the end record.
const LONGEST_COMMENT: usize = 0xFFFF;
/// Marks a number that is in the ZIP64 field instead.
const ELSEWHERE: u64 = 0xFFFF_FFFF;
const ZIP_64_FIELD: u16 = 1;

/// A stored file: the offset of its first byte, and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) start: u64,
    pub(super) bytes: usize,
}

/// Reads a little-endian number of a record; 0 beyond its end, which the signature check rules out.
fn number(record: &[u8], at: usize, bytes: usize) -> u64 {
    record.iter().skip(at).take(bytes).rev().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// The archive's files by name.
pub(super) fn entries(path: &Path) -> Result<HashMap<String, Stored>> {
    let whole = length(path)?;
    let (directory, size) = directory(path, whole)?;
    if directory.checked_add(size).is_none_or(|end| end > whole) {
        return Err(damaged(path, "the archive's directory is outside the file"));
    }
    let records = read_range(path, directory, size as usize)?;
    let mut files = HashMap::new();
    let mut rest = &records[..];
    while rest.starts_with(&CENTRAL) && rest.len() >= CENTRAL_SIZE {
        let [name, extra, comment] = [28, 30, 32].map(|at| number(rest, at, 2) as usize);
        let Some((record, next)) = rest.split_at_checked(CENTRAL_SIZE + name + extra + comment) else {
            return Err(damaged(path, "the archive's directory is truncated"));
        };
        let (fields, name) = (&record[CENTRAL_SIZE + name..][..extra], &record[CENTRAL_SIZE..][..name]);
        let name = String::from_utf8_lossy(name).into_owned();
        if number(record, 10, 2) != 0 {
            return Err(damaged(path, format!("`{name}` is compressed, which PyTorch never does")));
        }
        // Length, stored length (equal), offset.
        let mut numbers = [(24, 4), (20, 4), (42, 4)].map(|(at, bytes)| number(record, at, bytes));
        zip_64(fields, &mut numbers);
        let [size, _, place] = numbers;
        let local = read_range(path, place, LOCAL_SIZE)?;
        if !local.starts_with(&LOCAL) {
            return Err(damaged(path, format!("`{name}` is not at the offset in the archive's directory")));
        }
        let start = place + LOCAL_SIZE as u64 + number(&local, 26, 2) + number(&local, 28, 2);
        if start.checked_add(size).is_none_or(|end| end > whole) {
            return Err(damaged(path, format!("`{name}` extends beyond the end of the file")));
        }
        files.insert(name, Stored { start, bytes: size as usize });
        rest = next;
    }
    Ok(files)
}

/// Offset and size of the directory.
fn directory(path: &Path, whole: u64) -> Result<(u64, u64)> {
    let tail_size = whole.min((END_SIZE + LONGEST_COMMENT + LOCATOR_64_SIZE) as u64);
    let tail_start = whole - tail_size;
    let tail = read_range(path, tail_start, tail_size as usize)?;
    let end = (0..tail.len().saturating_sub(END_SIZE - 1)).rev().find(|&at| tail[at..].starts_with(&END));
    let Some(end) = end else {
        return Err(damaged(path, "not a ZIP archive, as PyTorch files are"));
    };
    let (mut size, mut place) = (number(&tail[end..], 12, 4), number(&tail[end..], 16, 4));
    let locator = end.checked_sub(LOCATOR_64_SIZE).map(|at| &tail[at..end]);
    if let Some(locator) = locator.filter(|l| l.starts_with(&LOCATOR_64)) {
        let record = read_range(path, number(locator, 8, 8), END_64_SIZE)?;
        if !record.starts_with(&END_64) {
            return Err(damaged(path, "the archive's end record is not at the offset in its locator"));
        }
        (size, place) = (number(&record, 40, 8), number(&record, 48, 8));
    }
    Ok((place, size))
}

/// Replaces the numbers that are in the ZIP64 field, which contains them in this order.
fn zip_64(mut fields: &[u8], numbers: &mut [u64; 3]) {
    while fields.len() >= 4 {
        let (kind, size) = (number(fields, 0, 2) as u16, number(fields, 2, 2) as usize);
        let Some((field, next)) = fields[4..].split_at_checked(size) else { return };
        if kind == ZIP_64_FIELD {
            let elsewhere = numbers.iter_mut().filter(|n| **n == ELSEWHERE);
            elsewhere.zip(field.chunks_exact(8)).for_each(|(n, value)| *n = number(value, 0, 8));
            return;
        }
        fields = next;
    }
}

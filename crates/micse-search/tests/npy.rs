//! NumPy files: NumPy's own, ours, and damaged ones.

use std::io::{Cursor, Write};
use std::path::Path;

use micse_search::{Npy, NpyWriter};
use proptest::prelude::*;

/// Written by `numpy.save("numpy.npy", numpy.array([[0.5, -1.25, 3.0], [1e-7, 65504.0, -0.0]], "<f4"))`.
const NUMPY: &[u8] = include_bytes!("numpy.npy");

fn open(bytes: &[u8]) -> Result<Npy, String> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("bytes");
    Npy::open(file.path()).map_err(|e| e.to_string())
}

fn written(columns: usize, rows: &[Vec<f32>]) -> Vec<u8> {
    let mut writer = NpyWriter::new(Cursor::new(Vec::new()), columns).expect("a header");
    for row in rows {
        writer.push(row).expect("a row");
    }
    writer.finish().expect("the header").into_inner()
}

#[test]
fn a_file_of_numpy_is_read_and_ours_is_the_same() {
    let npy = open(NUMPY).expect("numpy.npy");
    assert_eq!((npy.rows(), npy.columns()), (2, 3));
    let rows = [vec![0.5, -1.25, 3.0], vec![1e-7, 65504.0, -0.0]];
    let bits = |rows: &[f32]| rows.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&npy.read(0, 2).expect("rows")), bits(&rows.concat()));
    assert_eq!(npy.read(1, 1).expect("a row")[1], 65504.0);
    assert_eq!(written(3, &rows), NUMPY);
}

#[test]
fn what_is_no_matrix_of_f32_is_refused_with_the_reason() {
    let with = |from: &str, to: &str| {
        let mut bytes = NUMPY.to_vec();
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect("in the header");
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        open(&bytes).expect_err("refused")
    };
    for (from, to, reason) in [
        ("<f4", "<f8", "astype"),
        (": False", ": True ", "ascontiguousarray"),
        ("(2, 3)", "(6,)  ", "(6,)"),
        ("(2, 3)", "(2, 0)", "(2, 0)"),
        ("(2, 3)", "(3, 3)", "152 bytes"),
        ("descr", "drscr", "header written by NumPy"),
        ("NUMPY", "Numpy", "not a NumPy file"),
    ] {
        let error = with(from, to);
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
    }
    for length in [0, 5, 9, 60, NUMPY.len() - 1] {
        open(&NUMPY[..length]).expect_err("cut off");
    }
    open(&[NUMPY, b"more"].concat()).expect_err("too long");
    let missing = Npy::open(Path::new("no-such.npy")).expect_err("missing").to_string();
    assert!(missing.contains("no-such.npy"), "{missing}");
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were_written(
        (columns, rows) in (1_usize..40).prop_flat_map(|columns| {
            (Just(columns), prop::collection::vec(prop::collection::vec(any::<f32>(), columns), 0..20))
        })
    ) {
        let npy = open(&written(columns, &rows)).expect("our own file");
        prop_assert_eq!((npy.rows(), npy.columns()), (rows.len(), columns));
        let found = npy.read(0, rows.len()).expect("rows");
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&found), bits(&rows.concat()));
    }

    #[test]
    fn damaged_files_are_refused_or_read_but_never_panic(
        changes in prop::collection::vec((0..NUMPY.len(), any::<u8>()), 1..8),
        length in 0..=NUMPY.len(),
    ) {
        let mut bytes = NUMPY.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(length);
        if let Ok(npy) = open(&bytes) {
            npy.read(0, npy.rows()).expect("as many rows as it says");
        }
    }
}

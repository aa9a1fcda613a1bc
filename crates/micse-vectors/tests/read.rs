//! Reading and writing the three formats, and rejected files.

use std::path::{Path, PathBuf};

use micse_vectors::{Error, WordVectors};
use proptest::prelude::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

/// Opens a file of these bytes.
fn open(bytes: &[u8]) -> Result<WordVectors, Error> {
    let folder = Folder::new();
    WordVectors::open(&folder.write("vectors", bytes))
}

/// The error message for a file of these bytes.
fn refusal(bytes: &[u8]) -> String {
    open(bytes).expect_err("a refusal").to_string()
}

fn assert_says(bytes: &[u8], parts: &[&str]) {
    let said = refusal(bytes);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

fn binary(header: &str, records: &[(&str, &[f32])], feed: &str) -> Vec<u8> {
    let mut bytes = format!("{header}\n").into_bytes();
    for (word, row) in records {
        bytes.extend(format!("{word} ").bytes());
        bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(feed.bytes());
    }
    bytes
}

fn assert_is(vectors: &WordVectors, expected: &[(&str, &[f32])]) {
    assert_eq!(vectors.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn glove_text_is_read() {
    let vectors =
        open(b"the 0.5 -1 2e-1\nof 1 2 3\r\n\nNew York 4 5 6 \n\xe2\x80\x9c -1 -2 -3").expect("vectors");
    assert_is(
        &vectors,
        &[
            ("the", &[0.5, -1.0, 0.2]),
            ("of", &[1.0, 2.0, 3.0]),
            ("New York", &[4.0, 5.0, 6.0]),
            ("\u{201c}", &[-1.0, -2.0, -3.0]),
        ],
    );
    assert_eq!((vectors.dimension(), vectors.duplicates()), (3, 0));
    assert_eq!(vectors.get("of"), Some(&[1.0, 2.0, 3.0][..]));
}

#[test]
fn numbers_and_nan_may_be_words() {
    assert_is(
        &open(b"12 1 2\nnan 3 4\ninf 5 6\n").expect("vectors"),
        &[("12", &[1.0, 2.0]), ("nan", &[3.0, 4.0]), ("inf", &[5.0, 6.0])],
    );
}

#[test]
fn word2vec_text_is_read() {
    let expected: &[(&str, &[f32])] = &[("</s>", &[1.0, 2.0, 3.0]), ("a b", &[4.0, 5.0, 6.0])];
    assert_is(&open(b"2 3\n</s> 1 2 3\na b 4 5 6\n").expect("vectors"), expected);
    assert_is(&open(b"\xEF\xBB\xBF2 3 \r\n</s> 1 2 3 \r\na b 4 5 6 ").expect("vectors"), expected);
}

#[test]
fn word2vec_binary_is_read() {
    let records: [(&str, &[f32]); 2] =
        [("caf\u{e9}", &[0.1, -2.0, 3.5, 1e-20]), ("b", &[4.0, 5.0, 10.0, 0.0])];
    for feed in ["", "\n"] {
        let vectors = open(&binary("2 4", &records, feed)).expect("vectors");
        assert_is(&vectors, &records);
    }
}

#[test]
fn zstandard_and_gzip_are_read() {
    for bytes in [b"a 1 2\nb 3 4\n".to_vec(), binary("2 2", &[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])], "\n")]
    {
        let packed = zstd::encode_all(&bytes[..], 3).expect("packed");
        assert_is(&open(&packed).expect("vectors"), &[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])]);
        open(&packed[..packed.len() - 6]).expect_err("a cut file");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &bytes).expect("packed");
        let packed = packed.finish().expect("packed");
        assert_is(&open(&packed).expect("vectors"), &[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])]);
        open(&packed[..packed.len() - 6]).expect_err("a cut file");
    }
}

#[test]
fn of_a_word_given_twice_the_first_vector_stays() {
    for bytes in [&b"a 1 2\nb 3 4\na 5 6\n"[..], b"3 2\na 1 2\nb 3 4\na 5 6\n"] {
        let vectors = open(bytes).expect("vectors");
        assert_is(&vectors, &[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])]);
        assert_eq!(vectors.duplicates(), 1);
    }
}

#[test]
fn text_at_fault_is_refused_with_its_line() {
    assert_says(b"a 1 2\nb 3\n", &["vectors:2", "expected 2 numbers", "found 1"]);
    assert_says(b"a 1 2\n\nb c 3\n", &["vectors:3", "'c'", "expected 2 numbers", "found 1"]);
    assert_says(b"a 1 2\nb 3 4 5\n", &["vectors:2", "more than 2 numbers", "3"]);
    assert_says(b"a 1 2\nb 3 x\n", &["vectors:2", "'x'"]);
    assert_says(b"a 1 2\nb NaN 3\n", &["vectors:2", "NaN"]);
    assert_says(b"a 1 2\nb 3 1e60\n", &["vectors:2", "1e60"]);
    assert_says(b"a 1 2\n 3 4\n", &["vectors:2", "no word"]);
    assert_says(b"a 1 2\n\xff 3 4\n", &["vectors:2", "UTF-8"]);
    assert_says(b"some plain text\n", &["vectors:1", "word: 0"]);
    assert_says(b"2 3\na 1 2 3\nb 4 5\n", &["vectors:3", "found 2"]);
    assert_says(b"3 2\na 1 2\nb 3 4\n", &["declares 3", "has 2"]);
    assert_says(b"1 2\na 1 2\nb 3 4\n", &["declares 1", "has 2"]);
    assert_says(b"2 0\na\nb\n", &["vectors:1", "0 dimensions"]);
}

#[test]
fn binary_at_fault_is_refused_with_its_word() {
    let records: [(&str, &[f32]); 2] = [("one", &[0.1, 0.2, 0.3]), ("two", &[0.4, 0.5, 0.6])];
    let whole = binary("2 3", &records, "\n");
    // The second record begins at byte 4 + 4 + 12, after the line feed: cut in its word, in its values, before it.
    for cut in [whole.len() - 3, whole.len() - 11, whole.len() - 15, whole.len() - 18] {
        assert_says(&whole[..cut], &["word 2", "at byte 20", "ends"]);
    }
    assert_says(&binary("1 3", &records, ""), &["after the 1 words"]);
    assert_says(&binary("2 4", &records, "\n"), &["vectors: word"]);
    assert_says(&binary("1 2", &[("x", &[f32::NAN, 0.0])], ""), &["word 1", "'x'", "NaN"]);
    let mut bytes = binary("1 2", &[("x", &[0.1, 0.2])], "");
    bytes[4] = 0xff;
    assert_says(&bytes, &["word 1", "UTF-8"]);
}

#[test]
fn empty_files_and_wrong_places_are_refused() {
    for bytes in [&b""[..], b"0 100\n"] {
        assert_says(bytes, &["contains no word vectors"]);
    }
    let said = |path: &Path| WordVectors::open(path).expect_err("a refusal").to_string();
    let folder = Folder::new();
    assert!(said(folder.0.path()).contains("folder"));
    assert!(said(&folder.0.path().join("none")).contains("not found"));
}

#[test]
fn large_files_are_read_in_order() {
    // Several blocks of text, so that lines cross block boundaries.
    let row = |i: usize| [i as f32, i as f32 / 7.0, -0.5];
    let vectors = WordVectors::new(3, (0..400_000).map(|i| (format!("word{i}"), row(i)))).expect("vectors");
    let mut text = Vec::new();
    vectors.write_text(&mut text).expect("text");
    assert!(text.len() > 2 << 22);
    let folder = Folder::new();
    let path = folder.write("large", &text);
    let mut told = Vec::new();
    let read = WordVectors::open_with(&path, &mut |done, all| told.push((done, all))).expect("vectors");
    assert!(read.iter().eq(vectors.iter()));
    assert_eq!(told.last(), Some(&(text.len() as u64, text.len() as u64)));
    text.extend(b"last 1 2\n");
    let said = WordVectors::open(&folder.write("large", &text)).expect_err("a refusal").to_string();
    assert!(said.contains("large:400001"), "{said}");
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let refused = |dimension, word: &str, row: &[f32]| {
        WordVectors::new(dimension, [(word, row)]).expect_err("a refusal").to_string()
    };
    assert!(refused(0, "a", &[]).contains("dimension 0"));
    assert!(refused(2, "a", &[1.0]).contains("expected 2 values, found 1"));
    assert!(refused(1, "", &[1.0]).contains("empty"));
    assert!(refused(1, "a\nb", &[1.0]).contains("line break"));
    assert!(refused(1, "a", &[f32::INFINITY]).contains("inf"));
    let spaced = WordVectors::new(1, [("New York", [1.0])]).expect("vectors");
    assert!(spaced.write_binary(&mut Vec::new()).expect_err("a refusal").to_string().contains("New York"));
}

proptest! {
    #[test]
    fn text_and_binary_give_the_same_bits_back(
        words in proptest::collection::btree_set("[a-z.'\u{e9}\u{4e2d}-]{1,6}", 1..40),
        dimension in 4_usize..20,
        seed: u64,
    ) {
        let mut draws = micse_random::Stream::new(seed).draws();
        let mut value = || loop {
            let value = f32::from_bits(draws.word() as u32);
            if value.is_finite() {
                return value;
            }
        };
        let rows: Vec<Vec<f32>> = words.iter().map(|_| (0..dimension).map(|_| value()).collect()).collect();
        let vectors = WordVectors::new(dimension, words.iter().zip(&rows)).expect("vectors");
        let (mut text, mut binary) = (Vec::new(), Vec::new());
        vectors.write_text(&mut text).expect("text");
        vectors.write_binary(&mut binary).expect("binary");
        for bytes in [text, binary] {
            let read = open(&bytes).expect("vectors");
            prop_assert_eq!(read.len(), vectors.len());
            for ((word, row), (read_word, read_row)) in vectors.iter().zip(read.iter()) {
                prop_assert_eq!(word, read_word);
                prop_assert!(row.iter().map(|v| v.to_bits()).eq(read_row.iter().map(|v| v.to_bits())));
            }
        }
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[0-9a-b .\n-]{0,40}") {
        let _ = open(&bytes);
        let _ = open(text.as_bytes());
        let _ = open(&[b"2 3\n", &bytes[..]].concat());
    }
}

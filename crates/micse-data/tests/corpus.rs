//! Corpora from files: what is read, what is rejected and how.

use std::io::Write;
use std::path::{Path, PathBuf};

use micse_data::{Corpus, CorpusInfo, Error};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).unwrap();
    path
}

#[test]
fn lines_are_trimmed_and_blank_ones_counted() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}  The first.  \r\n\r\n \t \nThe second.\nThe second.\nNo end mark";
    let one = write(folder.path(), "one.txt", text.as_bytes());
    let two = write(folder.path(), "two.txt", b"Another file.\n");
    let corpus = Corpus::open(&[one, two]).unwrap();
    let sentences: Vec<_> = corpus.iter().collect();
    assert_eq!(sentences, ["The first.", "The second.", "The second.", "No end mark", "Another file."]);
    assert_eq!(corpus.get(3), "No end mark");
    assert_eq!(corpus.info().sources, ["one.txt", "two.txt"]);
    assert_eq!((corpus.info().sentences, corpus.info().blank_lines), (5, 2));
}

#[test]
fn hash_is_that_of_the_sentences_with_line_feeds() {
    // printf 'abc\ndef\n' | sha256sum
    let expected = "924d391c158a46409fdff363063d718ea0bc00b14556f129984942af91233bbe";
    let corpus = Corpus::from_sentences("two", ["abc", " def ", ""]);
    assert_eq!(corpus.info().sha256, expected);
    let info: CorpusInfo = serde_json::from_str(&serde_json::to_string(corpus.info()).unwrap()).unwrap();
    assert_eq!(&info, corpus.info());
}

#[test]
fn zstandard_is_told_by_its_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let text = (0..20_000).map(|i| format!("Sentence number {i}.")).collect::<Vec<_>>().join("\n") + "\n";
    // Two concatenated frames, under a file name that does not reveal the format.
    let mut packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    packed.extend(zstd::encode_all("The last.\n".as_bytes(), 3).unwrap());
    let path = write(folder.path(), "packed.bin", &packed);
    let corpus = Corpus::open(&[path]).unwrap();
    assert_eq!(corpus.len(), 20_001);
    assert_eq!(corpus.get(12_345), "Sentence number 12345.");
    assert_eq!(corpus.get(20_000), "The last.");

    let cut = write(folder.path(), "cut.zst", &packed[..packed.len() / 2]);
    let error = Corpus::open(&[cut]).unwrap_err();
    assert!(matches!(error, Error::Truncated { .. }), "{error:?}");
    assert!(error.to_string().contains("cut.zst"), "{error}");
}

#[test]
fn bad_utf8_is_placed() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "latin1.txt", b"\xEF\xBB\xBFgood\ncaf\xE9\n");
    let error = Corpus::open(&[path]).unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 2, offset: 11, .. }), "{error:?}");
    assert!(error.to_string().contains("latin1.txt:2") && error.to_string().contains("iconv"), "{error}");
    // In the first line, the byte order mark counts.
    let path = write(folder.path(), "first.txt", b"\xEF\xBB\xBFa\xFF\n");
    let error = Corpus::open(&[path]).unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 1, offset: 4, .. }), "{error:?}");
}

#[test]
fn empty_missing_and_folder_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let blank = write(folder.path(), "blank.txt", b"\n \n\t\n");
    let error = Corpus::open(&[blank]).unwrap_err();
    assert!(matches!(error, Error::EmptyCorpus { blank_lines: 3, .. }), "{error:?}");
    let empty = write(folder.path(), "empty.txt", b"");
    assert!(matches!(Corpus::open(&[empty]).unwrap_err(), Error::EmptyCorpus { blank_lines: 0, .. }));
    assert!(matches!(Corpus::open(&[]).unwrap_err(), Error::EmptyCorpus { .. }));
    let error = Corpus::open(&[folder.path().join("none.txt")]).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }) && error.to_string().contains("none.txt"), "{error}");
    assert!(matches!(Corpus::open(&[folder.path().to_owned()]).unwrap_err(), Error::Folder { .. }));
}

#[test]
fn real_wikipedia_file() {
    let Some(data) = std::env::var_os("MICSE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        // Written directly to stderr, because the test harness hides the output of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: the real corpora (MICSE_DATA is not set)");
        return;
    };
    let corpus = Corpus::open(&[data.join("wiki/enwiki_sentences_00.txt.zst")]).unwrap();
    assert_eq!((corpus.len(), corpus.info().blank_lines), (100_000, 0));
    let corpus = Corpus::open(&[data.join("wiki/wiki1m_head.txt")]).unwrap();
    assert_eq!(corpus.len(), 11_914);
}

#[test]
fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Ten kilobytes that decompress to 64 MiB without a line feed.
    let packed = zstd::encode_all(std::io::Read::take(std::io::repeat(b'a'), 64 << 20), 3).unwrap();
    assert!(packed.len() < 20_000, "{} bytes", packed.len());
    let path = write(folder.path(), "bomb.zst", &packed);
    let error = Corpus::open(&[path]).map(|corpus| corpus.len()).unwrap_err().to_string();
    assert!(error.contains("bomb.zst:1") && error.contains("longer than"), "{error}");
}

//! Transfer tasks: SentEval's layout, the demo, and files that are rejected.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use micse_data::demo::{PARAPHRASES, POLARITY_SENTENCES, QUESTIONS, transfer_files};
use micse_data::transfer::{DEMO_TRANSFER_TASKS, Parts, TRANSFER_TASKS, is_transfer_task};
use micse_data::{Example, TransferSuite, TransferTask};
use tempfile::TempDir;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn load(folder: &Path, task: &str) -> micse_data::Result<TransferTask> {
    Ok(TransferSuite::load(folder, Some(&[task.to_owned()]))?.tasks.remove(0))
}

fn refused(files: &[(&str, &[u8])], task: &str, reasons: &[&str]) {
    let folder = folder(files);
    let error = load(folder.path(), task).expect_err("a bad file").to_string();
    for reason in reasons {
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
    }
}

fn single(sentence: &str, class: usize) -> Example {
    Example { first: sentence.to_owned(), second: None, class }
}

#[test]
fn latin1_white_space_and_empty_lines_are_read_as_senteval_reads_them() {
    // Python separates lines at 0x85 and words at 0xA0 in Latin-1.
    let folder = folder(&[
        ("CR/custrev.pos", b"a  fine\tcaf\xE9 .\n\nno\xA0break\r\nlast\x85line"),
        ("CR/custrev.neg", b"bad .\n"),
    ]);
    let task = load(folder.path(), "cr").unwrap();
    let expected = ["a fine café .", "", "no break", "last", "line"].map(|s| single(s, 1));
    assert_eq!(task.parts, Parts::Folds([&expected[..], &[single("bad .", 0)]].concat()));
    assert_eq!(task.classes, ["negative", "positive"]);
    assert!(!task.has_pairs() && task.sentences().count() == 6);
}

#[test]
fn objective_is_the_positive_class() {
    let folder = folder(&[("SUBJ/subj.objective", b"it rains\n"), ("SUBJ/subj.subjective", b"it is sad\n")]);
    let task = load(folder.path(), "SUBJ").unwrap();
    assert_eq!(task.parts, Parts::Folds(vec![single("it rains", 1), single("it is sad", 0)]));
    assert_eq!(task.classes, ["subjective", "objective"]);
}

#[test]
fn questions_pairs_and_sentiments() {
    let folder = folder(&[
        ("TREC/train_5500.label", b"DESC:manner How did it rain ?\nNUM:date When : at noon ?\n"),
        ("TREC/TREC_10.label", b"HUM:ind Who sang at the caf\xE9 ?\r\n"),
        (
            "MRPC/msr_paraphrase_train.txt",
            "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t1\t2\tA \"dog\" .\tA hound .\r\n"
                .as_bytes(),
        ),
        (
            "MRPC/msr_paraphrase_test.txt",
            b"Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\tA dog .\tA cat .\n",
        ),
        ("SST/binary/sentiment-train", "a charm\u{e9}d life\t1\n".as_bytes()),
        ("SST/binary/sentiment-dev", b"dull\t0\n"),
        ("SST/binary/sentiment-test", b"fine\t1\nworse\t0\n"),
    ]);
    let trec = load(folder.path(), "TREC").unwrap();
    let train = vec![single("How did it rain ?", 1), single("When : at noon ?", 5)];
    assert_eq!(trec.parts, Parts::TrainTest { train, test: vec![single("Who sang at the café ?", 3)] });
    let mrpc = load(folder.path(), "MRPC").unwrap();
    let pair = |first: &str, second: &str, class| Example {
        second: Some(second.to_owned()),
        ..single(first, class)
    };
    let (train, test) = (vec![pair("A \"dog\" .", "A hound .", 1)], vec![pair("A dog .", "A cat .", 0)]);
    assert_eq!(mrpc.parts, Parts::TrainTest { train, test });
    assert!(mrpc.has_pairs());
    assert_eq!(mrpc.sentences().collect::<Vec<_>>(), ["A \"dog\" .", "A hound .", "A dog .", "A cat ."]);
    let sst = load(folder.path(), "sst-2").unwrap();
    let (train, dev) = (vec![single("a charméd life", 1)], vec![single("dull", 0)]);
    assert_eq!(
        sst.parts,
        Parts::TrainDevTest { train, dev, test: vec![single("fine", 1), single("worse", 0)] }
    );
}

#[test]
fn bad_files_are_named_with_line_and_remedy() {
    let good: (&str, &[u8]) = ("MR/rt-polarity.pos", b"fine .\n");
    refused(&[good, ("MR/rt-polarity.neg", b"")], "MR", &["rt-polarity.neg", "no examples"]);
    refused(&[good], "MR", &["rt-polarity.neg not found", "complete the folder"]);
    refused(&[good, ("MR/rt-polarity.neg", b"a\nb\0\n")], "MR", &["rt-polarity.neg:2", "NUL"]);
    let trec = |train: &'static [u8]| {
        [("TREC/train_5500.label", train), ("TREC/TREC_10.label", &b"NUM:x How ?\n"[..])]
    };
    refused(&trec(b"NUM:x How ?\nWHY:x Why ?\n"), "TREC", &["train_5500.label:2", "WHY", "ABBR, DESC"]);
    refused(&trec(b"How many ?\n"), "TREC", &["train_5500.label:1", "no colon"]);
    refused(&trec(b"NUM:x\n"), "TREC", &["train_5500.label:1", "no space"]);
    refused(&trec(b""), "TREC", &["train_5500.label", "no examples"]);
    let sst = |train: &'static [u8]| {
        ["dev", "test"]
            .map(|part| (format!("SST/binary/sentiment-{part}"), &b"fine\t1\n"[..]))
            .into_iter()
            .chain([("SST/binary/sentiment-train".to_owned(), train)])
            .collect::<Vec<_>>()
    };
    for (bytes, reason) in [(&b"fine\t1\nfine\n"[..], "no tab"), (b"fine\t1\nbad\t2\n", "class \"2\"")] {
        let files = sst(bytes);
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        refused(&files, "SST2", &["sentiment-train:2", reason]);
    }
    let files = sst(b"caf\xE9\t1\n");
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    refused(&files, "SST2", &["sentiment-train:1", "UTF-8"]);
    let header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";
    for (text, reasons) in [
        ("1\t1\t2\ta\tb\n".to_owned(), ["train.txt:1", "header"]),
        (format!("{header}1\t1\t2\ta\n"), ["train.txt:2", "4 columns"]),
        (format!("{header}yes\t1\t2\ta\tb\n"), ["train.txt:2", "\"yes\""]),
        (header.to_owned(), ["train.txt", "no examples"]),
    ] {
        refused(&[("MRPC/msr_paraphrase_train.txt", text.as_bytes())], "MRPC", &reasons);
    }
}

#[test]
fn unknown_folders_and_tasks_are_rejected() {
    let empty = tempfile::tempdir().unwrap();
    let error = TransferSuite::load(empty.path(), None).unwrap_err().to_string();
    assert!(error.contains("MR/, CR/") && error.contains("micse data fetch senteval"), "{error}");
    let folder = folder(&[("CR/custrev.pos", b"a\n"), ("CR/custrev.neg", b"b\n")]);
    let error = load(folder.path(), "SST5").unwrap_err().to_string();
    assert!(error.contains("SST5") && error.contains("SST2"), "{error}");
    assert!(is_transfer_task("Demopolarity") && is_transfer_task("trec") && !is_transfer_task("DemoSTS"));
}

#[test]
fn the_demo_is_generated_and_its_parts_are_apart() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/transfer-demo");
    for (name, contents) in transfer_files() {
        assert!(
            std::fs::read_to_string(shipped.join(name)).unwrap() == contents,
            "{name} differs; run `cargo run --release -p micse-data --example write_demo_transfer -- data/transfer-demo`"
        );
        assert!(contents.is_ascii(), "{name}");
    }
    let suite = TransferSuite::load(&shipped, None).unwrap();
    assert_eq!(suite.name, "demo");
    assert_eq!(suite.tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), DEMO_TRANSFER_TASKS);
    for task in &suite.tasks {
        let mut counts = vec![0; task.classes.len()];
        for example in task.parts.examples() {
            counts[example.class] += 1;
        }
        assert!(counts.iter().all(|&count| count == counts[0]), "{}: {counts:?}", task.name);
        let distinct: HashSet<&str> = task.sentences().collect();
        assert_eq!(distinct.len(), task.sentences().count(), "{}: repeated sentences", task.name);
    }
    let sizes: Vec<usize> = suite.tasks.iter().map(|task| task.parts.examples().count()).collect();
    assert_eq!(sizes, [2 * POLARITY_SENTENCES, QUESTIONS.iter().sum(), PARAPHRASES.iter().sum()]);
}

#[test]
fn senteval_has_its_known_sizes() {
    let Some(data) = std::env::var_os("MICSE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        // Bypasses the test harness, which hides the output of passing tests.
        let _ = writeln!(std::io::stderr(), "skipped: the real transfer tasks (MICSE_DATA is not set)");
        return;
    };
    let suite = TransferSuite::load(&data.join("senteval"), None).unwrap();
    assert_eq!(suite.tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), TRANSFER_TASKS);
    // Examples of the training, development and test parts, and the share of the positive class that is known.
    let sizes = |task: &TransferTask| match &task.parts {
        Parts::Folds(all) => vec![all.len()],
        Parts::TrainTest { train, test } => vec![train.len(), test.len()],
        Parts::TrainDevTest { train, dev, test } => vec![train.len(), dev.len(), test.len()],
    };
    let expected: [&[usize]; 7] =
        [&[10662], &[3775], &[10000], &[10606], &[67349, 872, 1821], &[5452, 500], &[4076, 1725]];
    for (task, expected) in suite.tasks.iter().zip(expected) {
        assert_eq!(sizes(task), expected, "{}", task.name);
    }
    let empty = |name: &str| {
        let task = suite.tasks.iter().find(|task| task.name == name).unwrap();
        task.sentences().filter(|sentence| sentence.is_empty()).count()
    };
    assert_eq!((empty("CR"), empty("MPQA"), empty("MR"), empty("TREC")), (4, 3, 0, 0));
}

//! Transfer tasks in SentEval's formats.

use micse_data::TransferSuite;

use crate::{choosing, chosen, told};

const LINES: &str = "a kite flew over the mill .\n\nit rained in may .\r\nthe caf\u{e9} was closed .\n";
const QUESTIONS: &str = "DESC:manner How does bread rise ?\nNUM:date When : in May ?\nHUM:ind Who sang ?\n";
const SENTIMENTS: &str = "a fine film\t1\na dull one , 2 hours long\t0\n";
const PAIRS: &str = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t11\t12\tIt rained in May .\tMay was wet .\n\
                     0\t13\t14\tBread rises .\tThe shop closed at noon .\n";

/// Task, files, and the start of the file names.
const TASKS: [(&str, &[&str], &str); 4] = [
    ("CR", &["CR/custrev.pos", "CR/custrev.neg"], "custrev"),
    ("TREC", &["TREC/train_5500.label", "TREC/TREC_10.label"], ".label"),
    (
        "SST2",
        &["SST/binary/sentiment-train", "SST/binary/sentiment-dev", "SST/binary/sentiment-test"],
        "sentiment-",
    ),
    ("MRPC", &["MRPC/msr_paraphrase_train.txt", "MRPC/msr_paraphrase_test.txt"], "msr_paraphrase_"),
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [LINES, QUESTIONS, SENTIMENTS, PAIRS]
        .iter()
        .enumerate()
        .map(|(i, text)| choosing(i, text.as_bytes()))
        .collect()
}

/// Reads a task whose files all have this text.
pub(crate) fn read(bytes: &[u8]) -> Result<(), String> {
    let Some((index, text)) = chosen(bytes, TASKS.len()) else { return Err("no file".into()) };
    let (task, files, place) = TASKS[index];
    let folder = tempfile::tempdir().expect("a folder");
    for name in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let suite = told(TransferSuite::load(folder.path(), Some(&[task.into()])), place)?;
    let task = &suite.tasks[0];
    assert!(task.parts.examples().all(|example| example.class < task.classes.len()));
    assert!(task.sentences().count() > 0);
    Ok(())
}

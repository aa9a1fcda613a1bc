//! Transfer tasks: sentences, or pairs of sentences, with a class, which a classifier on fixed embeddings predicts.
//!
//! [`TransferSuite::load`] reads a folder in one of two layouts:
//!
//! * `SentEval`'s (Conneau & Kiela 2018), next to its STS sets: `MR/rt-polarity.{pos,neg}`, `CR/custrev.{pos,neg}`,
//!   `SUBJ/subj.{objective,subjective}`, `MPQA/mpqa.{pos,neg}`, `SST/binary/sentiment-{train,dev,test}`,
//!   `TREC/{train_5500,TREC_10}.label`, `MRPC/msr_paraphrase_{train,test}.txt`;
//! * the demo's: `demo-polarity.{pos,neg}`, `demo-questions-{train,test}.label`, `demo-paraphrase-{train,test}.txt`, in
//!   the formats of CR, TREC and MRPC.
//!
//! The text is what `SentEval`'s own readers make of these files: MR, CR, SUBJ, MPQA and TREC are Latin-1, SST2 and MRPC
//! are UTF-8, and runs of white space become one space. An empty line of MR, CR, SUBJ or MPQA is an example with an
//! empty sentence: `SentEval` counts it too.
mod read;

use std::path::Path;

use crate::error::{Error, Result};
use crate::sts::select;

/// The seven tasks of `SentEval`, in the order of published tables.
pub const TRANSFER_TASKS: [&str; 7] = ["MR", "CR", "SUBJ", "MPQA", "SST2", "TREC", "MRPC"];

/// The tasks of the demo layout. Their sentences are this project's own; no published score refers to them.
pub const DEMO_TRANSFER_TASKS: [&str; 3] = ["DemoPolarity", "DemoQuestions", "DemoParaphrase"];

/// A file of the demo layout, by which the layout is recognised.
const DEMO_FILE: &str = "demo-polarity.pos";

/// The question types of TREC, as its files write them.
const QUESTION_TYPES: [&str; 6] = ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"];

/// A labelled sentence or pair of sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The sentence, or the first of a pair. May be empty.
    pub first: String,
    /// The second sentence of a pair; `None` if the task has single sentences.
    pub second: Option<String>,
    /// The class, as an index into the task's classes.
    pub class: usize,
}

/// The examples of a task, by the parts that its files define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts {
    /// No fixed test part: scored by nested cross-validation.
    Folds(Vec<Example>),
    /// A training part, on which cross-validation chooses settings, and a test part.
    TrainTest {
        /// The training part.
        train: Vec<Example>,
        /// The test part.
        test: Vec<Example>,
    },
    /// A training part, a development part that chooses settings, and a test part.
    TrainDevTest {
        /// The training part.
        train: Vec<Example>,
        /// The development part.
        dev: Vec<Example>,
        /// The test part.
        test: Vec<Example>,
    },
}

impl Parts {
    /// All examples: the training part first, then the development part, then the test part.
    pub fn examples(&self) -> impl Iterator<Item = &Example> {
        let (train, dev, test): (&[Example], &[Example], &[Example]) = match self {
            Self::Folds(all) => (all, &[], &[]),
            Self::TrainTest { train, test } => (train, &[], test),
            Self::TrainDevTest { train, dev, test } => (train, dev, test),
        };
        train.iter().chain(dev).chain(test)
    }
}

/// One transfer task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferTask {
    /// The task's name, one of [`TRANSFER_TASKS`] or [`DEMO_TRANSFER_TASKS`].
    pub name: String,
    /// The names of the classes. In a task with two, the second is the positive one.
    pub classes: Vec<String>,
    /// The examples, in file order; the positive file first.
    pub parts: Parts,
}

impl TransferTask {
    /// Whether the examples are pairs of sentences.
    pub fn has_pairs(&self) -> bool {
        self.parts.examples().next().is_some_and(|example| example.second.is_some())
    }

    /// All sentences, in the order of [`Parts::examples`]; the two of a pair after each other.
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        self.parts.examples().flat_map(|example| {
            [Some(example.first.as_str()), example.second.as_deref()].into_iter().flatten()
        })
    }
}

/// The transfer tasks of one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferSuite {
    /// `SentEval` or `demo`.
    pub name: String,
    /// The requested tasks, in the order of [`TRANSFER_TASKS`].
    pub tasks: Vec<TransferTask>,
}

impl TransferSuite {
    /// Reads `folder`, in either layout. `tasks` selects tasks by name (case-insensitive; `SST` and `SST-2` are
    /// accepted); `None` selects all.
    ///
    /// # Errors
    /// A folder in neither layout, an unknown task, a missing file, and lines that cannot be parsed. Each error
    /// names the file and, where it applies, the line.
    pub fn load(folder: &Path, tasks: Option<&[String]>) -> Result<Self> {
        let is_demo = folder.join(DEMO_FILE).is_file();
        if !is_demo
            && !["MR", "CR", "SUBJ", "MPQA", "SST", "TREC", "MRPC"].iter().any(|n| folder.join(n).is_dir())
        {
            let remedy = "expected a folder with SentEval's transfer tasks (MR/, CR/, SUBJ/, MPQA/, SST/, TREC/, MRPC/), \
                          such as `micse data fetch senteval` downloads; or use `--sts demo`";
            return Err(Error::Missing { path: folder.join("MR"), remedy: remedy.to_owned() });
        }
        let known: &[&str] = if is_demo { &DEMO_TRANSFER_TASKS } else { &TRANSFER_TASKS };
        let names = select(known, tasks, canonical)?;
        let tasks = names.iter().map(|name| task(folder, name)).collect::<Result<_>>()?;
        Ok(Self { name: if is_demo { "demo" } else { "SentEval" }.to_owned(), tasks })
    }
}

/// Whether a name is a transfer task's, in any spelling that [`TransferSuite::load`] accepts.
///
/// ```
/// use micse_data::transfer::is_transfer_task;
/// assert!(is_transfer_task("sst-2") && !is_transfer_task("STSB"));
/// ```
pub fn is_transfer_task(name: &str) -> bool {
    let name = canonical(name);
    TRANSFER_TASKS.iter().chain(&DEMO_TRANSFER_TASKS).any(|known| known.eq_ignore_ascii_case(&name))
}

/// The full name for a short one; other names unchanged.
fn canonical(name: &str) -> String {
    match name.trim().to_ascii_lowercase().as_str() {
        "sst" | "sst-2" => "SST2".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads one task by its full name.
fn task(folder: &Path, name: &str) -> Result<TransferTask> {
    let at = |file: &str| folder.join(file);
    let polarity = ["negative", "positive"];
    let folds =
        |positive: &str, negative: &str| read::two_files(&at(positive), &at(negative)).map(Parts::Folds);
    let questions = |train: &str, test: &str| {
        let [train, test] = [train, test].map(|file| read::questions(&at(file), &QUESTION_TYPES));
        Ok(Parts::TrainTest { train: train?, test: test? })
    };
    let paraphrases = |train: &str, test: &str| {
        let [train, test] = [train, test].map(|file| read::paraphrases(&at(file)));
        Ok(Parts::TrainTest { train: train?, test: test? })
    };
    let (classes, parts): (&[&str], Result<Parts>) = match name {
        "MR" => (&polarity, folds("MR/rt-polarity.pos", "MR/rt-polarity.neg")),
        "CR" => (&polarity, folds("CR/custrev.pos", "CR/custrev.neg")),
        "MPQA" => (&polarity, folds("MPQA/mpqa.pos", "MPQA/mpqa.neg")),
        "SUBJ" => (&["subjective", "objective"], folds("SUBJ/subj.objective", "SUBJ/subj.subjective")),
        "DemoPolarity" => (&polarity, folds(DEMO_FILE, "demo-polarity.neg")),
        "SST2" => {
            let [train, dev, test] = ["train", "dev", "test"]
                .map(|part| read::sst(&at("SST/binary").join(format!("sentiment-{part}"))));
            (&polarity, Ok(Parts::TrainDevTest { train: train?, dev: dev?, test: test? }))
        }
        "TREC" => (&QUESTION_TYPES, questions("TREC/train_5500.label", "TREC/TREC_10.label")),
        "DemoQuestions" => {
            (&QUESTION_TYPES, questions("demo-questions-train.label", "demo-questions-test.label"))
        }
        "DemoParaphrase" => {
            (&PARAPHRASE, paraphrases("demo-paraphrase-train.txt", "demo-paraphrase-test.txt"))
        }
        // MRPC, the only name left.
        _ => (&PARAPHRASE, paraphrases("MRPC/msr_paraphrase_train.txt", "MRPC/msr_paraphrase_test.txt")),
    };
    let classes = classes.iter().map(|&class| class.to_owned()).collect();
    Ok(TransferTask { name: name.to_owned(), classes, parts: parts? })
}

const PARAPHRASE: [&str; 2] = ["other", "paraphrase"];

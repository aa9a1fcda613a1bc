//! Semantic textual similarity (STS) sets: pairs of sentences with a human score.
//!
//! [`Suite::load`] reads a folder in one of two layouts:
//!
//! * `SentEval`'s (Conneau & Kiela 2018): `STS/STS12-en-test/STS.input.X.txt` with `STS.gs.X.txt` for the years
//!   2012 to 2016, `STS/STSBenchmark/sts-{dev,test}.csv`, `SICK/SICK_{trial,test_annotated}.txt`;
//! * the demo's: `demo-dev.csv` and `demo-test.csv`, with the columns of `sts-dev.csv`.
//!
//! Runs of white space in a sentence become one space, as in the field's published evaluations. Nothing else is
//! changed. Pairs without a score (an empty line in a `gs` file) are skipped.
mod corpus;
mod read;
mod senteval;

use std::path::Path;

use crate::error::{Error, Result};
pub use corpus::StsCorpus;

/// The seven standard tasks, in the order of published tables.
pub const SENTEVAL_TASKS: [&str; 7] =
    ["STS12", "STS13", "STS14", "STS15", "STS16", "STSBenchmark", "SICKRelatedness"];

/// The one task of the demo layout.
pub const DEMO_TASK: &str = "DemoSTS";

/// File names of the demo layout: dev, then test.
pub const DEMO_FILES: [&str; 2] = ["demo-dev.csv", "demo-test.csv"];

/// Two sentences and a human score of their similarity in meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The first sentence.
    pub first: String,
    /// The second sentence.
    pub second: String,
    /// The human score: 0 to 5 (SICK: 1 to 5), higher is more similar.
    pub score: f64,
}

/// A part of a task from one source, such as `MSRpar` in STS12.
#[derive(Clone, Debug, PartialEq)]
pub struct Subset {
    /// The subset's name; the task's name if the task has only one set.
    pub name: String,
    /// Its scored pairs, in file order.
    pub pairs: Vec<Pair>,
}

/// A test set with one result in a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The task's name, one of [`SENTEVAL_TASKS`] or [`DEMO_TASK`].
    pub name: String,
    /// Its subsets, in the fixed order of the published evaluations.
    pub subsets: Vec<Subset>,
}

impl Task {
    /// All pairs of all subsets, in order.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.subsets.iter().flat_map(|subset| &subset.pairs)
    }

    /// Number of pairs in all subsets.
    pub fn len(&self) -> usize {
        self.subsets.iter().map(|subset| subset.pairs.len()).sum()
    }

    /// The score of all pairs, if they have the same: no rank correlation with them exists.
    pub fn only_score(&self) -> Option<f64> {
        let first = self.pairs().next()?.score;
        self.pairs().all(|pair| pair.score == first).then_some(first)
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The tasks of one folder and their development sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// `SentEval` or `demo`.
    pub name: String,
    /// The requested tasks, in the order of [`SENTEVAL_TASKS`].
    pub tasks: Vec<Task>,
    /// The development set (STS benchmark dev, or the demo's), for alignment, uniformity and selection. `None` if
    /// it is not in the folder and the STS benchmark was not requested.
    pub dev: Option<Task>,
    /// SICK's trial pairs, used by `SCD`'s code for selection; `None` if they are not in the folder.
    pub sick_dev: Option<Task>,
}

impl Suite {
    /// Reads `folder`, in either layout. `tasks` selects tasks by name (case-insensitive; `STSB`, `STS-B`, `SICKR`
    /// and `SICK-R` are accepted); `None` selects all.
    ///
    /// # Errors
    /// A folder in neither layout, an unknown task, a missing file, and lines that cannot be parsed. Each error
    /// names the file and, where it applies, the line.
    pub fn load(folder: &Path, tasks: Option<&[String]>) -> Result<Self> {
        if !folder.is_dir() {
            return Err(missing(folder));
        }
        if DEMO_FILES.iter().any(|name| folder.join(name).is_file()) {
            chosen(&[DEMO_TASK], tasks)?;
            let [dev, test] = DEMO_FILES.map(|name| read::benchmark_by_genre(&folder.join(name), DEMO_TASK));
            return Ok(Self { name: "demo".to_owned(), tasks: vec![test?], dev: Some(dev?), sick_dev: None });
        }
        if !folder.join("STS").is_dir() && !folder.join("SICK").is_dir() {
            return Err(missing(folder));
        }
        let names = chosen(&SENTEVAL_TASKS, tasks)?;
        let tasks = names.iter().map(|name| senteval::task(folder, name)).collect::<Result<_>>()?;
        let dev = senteval::dev(folder, names.contains(&"STSBenchmark"))?;
        let sick_dev = senteval::sick_dev(folder)?;
        Ok(Self { name: "SentEval".to_owned(), tasks, dev, sick_dev })
    }
}

/// The error for a folder in neither layout.
fn missing(folder: &Path) -> Error {
    Error::Missing {
        path: folder.join("STS"),
        remedy: format!(
            "expected SentEval's layout (STS/STS12-en-test/, ..., STS/STSBenchmark/, SICK/) or the demo layout \
             ({}) in {}; download SentEval's downstream data, or pass --sts demo",
            DEMO_FILES.join(", "),
            folder.display()
        ),
    }
}

/// The requested STS tasks that are known, in the known order.
fn chosen<'a>(known: &[&'a str], asked: Option<&[String]>) -> Result<Vec<&'a str>> {
    select(known, asked, canonical)
}

/// The requested names that are known, in the known order; `canonical` is the full name for a short one.
pub(crate) fn select<'a>(
    known: &[&'a str],
    asked: Option<&[String]>,
    canonical: fn(&str) -> String,
) -> Result<Vec<&'a str>> {
    let Some(asked) = asked else { return Ok(known.to_vec()) };
    let mut wanted = Vec::new();
    for name in asked {
        let canonical = canonical(name);
        let found = known.iter().find(|task| task.eq_ignore_ascii_case(&canonical));
        wanted
            .push(*found.ok_or_else(|| Error::UnknownTask { name: name.clone(), known: known.join(", ") })?);
    }
    let chosen: Vec<_> = known.iter().copied().filter(|task| wanted.contains(task)).collect();
    if chosen.is_empty() {
        return Err(Error::UnknownTask { name: String::new(), known: known.join(", ") });
    }
    Ok(chosen)
}

/// The full name for a short one; other names unchanged.
fn canonical(name: &str) -> String {
    match name.trim().to_ascii_lowercase().as_str() {
        "stsb" | "sts-b" | "stsbenchmark" => "STSBenchmark".to_owned(),
        "sickr" | "sick-r" | "sickrelatedness" => "SICKRelatedness".to_owned(),
        "demo" => DEMO_TASK.to_owned(),
        other => other.to_owned(),
    }
}

//! Locations of the tasks in `SentEval`'s layout.

use std::path::{Path, PathBuf};

use super::{Pair, Subset, Task, read};
use crate::error::Result;

/// Subsets of the yearly tasks, in the order in which published evaluations concatenate them. STS13 has no SMT,
/// which was never public.
const YEARS: [(&str, &[&str]); 5] = [
    ("STS12", &["MSRpar", "MSRvid", "SMTeuroparl", "surprise.OnWN", "surprise.SMTnews"]),
    ("STS13", &["FNWN", "headlines", "OnWN"]),
    ("STS14", &["deft-forum", "deft-news", "headlines", "images", "OnWN", "tweet-news"]),
    ("STS15", &["answers-forums", "answers-students", "belief", "headlines", "images"]),
    ("STS16", &["answer-answer", "headlines", "plagiarism", "postediting", "question-question"]),
];

/// Reads one task by its full name.
pub(super) fn task(folder: &Path, name: &str) -> Result<Task> {
    if let Some((_, subsets)) = YEARS.iter().find(|(year, _)| *year == name) {
        let folder = folder.join("STS").join(format!("{name}-en-test"));
        let subsets = subsets.iter().map(|subset| read::year(&folder, subset)).collect::<Result<_>>()?;
        return Ok(Task { name: name.to_owned(), subsets });
    }
    let pairs = if name == "SICKRelatedness" {
        read::sick(&folder.join("SICK/SICK_test_annotated.txt"))?
    } else {
        read::benchmark(&benchmark_file(folder, "test"))?
    };
    Ok(Task { name: name.to_owned(), subsets: vec![Subset { name: name.to_owned(), pairs }] })
}

/// Reads STS benchmark's dev set; `None` if the file does not exist and is not `required`.
pub(super) fn dev(folder: &Path, required: bool) -> Result<Option<Task>> {
    let file = benchmark_file(folder, "dev");
    if !required && !file.exists() {
        return Ok(None);
    }
    let name = "STSBenchmark".to_owned();
    let subset = Subset { name: name.clone(), pairs: read::benchmark(&file)? };
    Ok(Some(Task { name, subsets: vec![subset] }))
}

/// Reads SICK's trial pairs; `None` if the file does not exist.
pub(super) fn sick_dev(folder: &Path) -> Result<Option<Task>> {
    let file = folder.join("SICK/SICK_trial.txt");
    if !file.exists() {
        return Ok(None);
    }
    let name = "SICKRelatedness".to_owned();
    let subset = Subset { name: name.clone(), pairs: read::sick(&file)? };
    Ok(Some(Task { name, subsets: vec![subset] }))
}

/// All sentences of the yearly tasks.
pub(super) fn year_sentences(folder: &Path) -> Result<Vec<String>> {
    let mut sentences = Vec::new();
    for (year, subsets) in YEARS {
        let folder = folder.join("STS").join(format!("{year}-en-test"));
        for subset in subsets {
            sentences.extend(read::year_sentences(&folder, subset)?);
        }
    }
    Ok(sentences)
}

/// The pairs of STS benchmark's parts `train`, `dev` and `test`.
pub(super) fn benchmark_pairs(folder: &Path, parts: &[&str]) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for part in parts {
        pairs.extend(read::benchmark(&benchmark_file(folder, part))?);
    }
    Ok(pairs)
}

/// The pairs of all of SICK.
pub(super) fn sick_pairs(folder: &Path) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for part in ["train", "trial", "test_annotated"] {
        pairs.extend(read::sick(&folder.join(format!("SICK/SICK_{part}.txt")))?);
    }
    Ok(pairs)
}

fn benchmark_file(folder: &Path, part: &str) -> PathBuf {
    folder.join("STS/STSBenchmark").join(format!("sts-{part}.csv"))
}

//! The datasets of the standard protocol, by name.

/// A dataset that can be downloaded by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its name on the command line.
    pub name: &'static str,
    /// One-sentence description.
    pub what: &'static str,
    /// The Hub repository.
    pub id: &'static str,
    /// The commit that the files belong to.
    pub revision: &'static str,
    /// The files.
    pub files: &'static [DataFile],
    /// Known licence terms, in a sentence.
    pub licence: &'static str,
    /// The publication to cite.
    pub citation: &'static str,
}

/// A file of a [`Dataset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its path in the repository.
    pub path: &'static str,
    /// Its size in bytes, if stated on the Hub.
    pub size: Option<u64>,
    /// Its SHA-256, if stated on the Hub. Otherwise, show the [`crate::sha256`] of the downloaded file.
    pub sha256: Option<&'static str>,
}

impl DataFile {
    const fn unchecked(path: &'static str) -> Self {
        Self { path, size: None, sha256: None }
    }

    const fn checked(path: &'static str, size: Option<u64>, sha256: &'static str) -> Self {
        Self { path, size, sha256: Some(sha256) }
    }
}

const SIMCSE: &str = "Gao, Yao, Chen: SimCSE: Simple Contrastive Learning of Sentence Embeddings. EMNLP 2021, \
                      https://aclanthology.org/2021.emnlp-main.552";

/// All datasets that can be downloaded by name. Checksums and sizes are those of the Git LFS pointers shown
/// on the Hub for these commits.
pub fn catalogue() -> &'static [Dataset] {
    CATALOGUE
}

const CATALOGUE: &[Dataset] = &[
    Dataset {
        name: "wiki1m",
        what: "one million sentences from English Wikipedia, one per line: the corpus that unsupervised \
               SimCSE and its successors train on",
        id: "princeton-nlp/datasets-for-simcse",
        revision: "e145e8bb659b2aa2669f32ef79cb4cdef6c58fef",
        files: &[DataFile::checked(
            "wiki1m_for_simcse.txt",
            Some(120_038_621),
            "7b1825863a99aa76479b0456f7c210539dfaeeb69598b41fb4de4f524dd5a706",
        )],
        licence: "The repository states none; the text is from Wikipedia, under CC BY-SA (attribution, \
                  share alike).",
        citation: SIMCSE,
    },
    Dataset {
        name: "senteval",
        what: "the SentEval data that SimCSE evaluates on: STS 2012-2016, the STS benchmark, SICK and seven \
               transfer tasks, as one tar archive",
        id: "princeton-nlp/datasets-for-simcse",
        revision: "e145e8bb659b2aa2669f32ef79cb4cdef6c58fef",
        files: &[DataFile::checked(
            "senteval.tar",
            Some(89_825_280),
            "bc43c148f7be97471c78fc4255399d3158cb99dfe8f2221999c918338b138c38",
        )],
        licence: "The repository states none, and each set has its own terms: the STS benchmark's scores \
                  are CC BY-SA 4.0 and its sentences keep the terms of their sources, SICK is CC BY-NC-SA \
                  3.0; use the data for research and do not redistribute it.",
        citation: "Conneau, Kiela: SentEval: An Evaluation Toolkit for Universal Sentence Representations. LREC \
                       2018, https://aclanthology.org/L18-1269",
    },
    Dataset {
        name: "micse-subsets",
        what: "the low-shot subsets of wiki1m that miCSE was trained on: 0.0064 % to 10 % of the million \
               sentences, five samples of each size (seeds 48 to 52), one sentence per line",
        id: "sap-ai-research/datasets-for-micse",
        revision: "269a9f1cfd99c3255b9472ce7e2a384c08f4ece2",
        files: MICSE_SUBSETS,
        licence: "The repository states none; the text is from Wikipedia, under CC BY-SA (attribution, \
                  share alike).",
        citation: "Klein, Nabi: miCSE: Mutual Information Contrastive Learning for Low-shot Sentence Embeddings. \
                       ACL 2023, https://aclanthology.org/2023.acl-long.339",
    },
];

const MICSE_SUBSETS: &[DataFile] = &[
    DataFile::unchecked("wiki_subset_1M_000.0064percent_seed48.txt"),
    DataFile::unchecked("wiki_subset_1M_000.0064percent_seed49.txt"),
    DataFile::unchecked("wiki_subset_1M_000.0064percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_000.0064percent_seed51.txt"),
    DataFile::unchecked("wiki_subset_1M_000.0064percent_seed52.txt"),
    DataFile::unchecked("wiki_subset_1M_000.01percent_seed48.txt"),
    DataFile::unchecked("wiki_subset_1M_000.01percent_seed49.txt"),
    DataFile::unchecked("wiki_subset_1M_000.01percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_000.01percent_seed51.txt"),
    DataFile::unchecked("wiki_subset_1M_000.01percent_seed52.txt"),
    DataFile::unchecked("wiki_subset_1M_000.05percent_seed48.txt"),
    DataFile::unchecked("wiki_subset_1M_000.05percent_seed49.txt"),
    DataFile::unchecked("wiki_subset_1M_000.05percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_000.05percent_seed51.txt"),
    DataFile::unchecked("wiki_subset_1M_000.05percent_seed52.txt"),
    DataFile::unchecked("wiki_subset_1M_000.10percent_seed48.txt"),
    DataFile::unchecked("wiki_subset_1M_000.10percent_seed49.txt"),
    DataFile::unchecked("wiki_subset_1M_000.10percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_000.10percent_seed51.txt"),
    DataFile::unchecked("wiki_subset_1M_000.10percent_seed52.txt"),
    DataFile::unchecked("wiki_subset_1M_000.50percent_seed48.txt"),
    DataFile::unchecked("wiki_subset_1M_000.50percent_seed49.txt"),
    DataFile::unchecked("wiki_subset_1M_000.50percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_000.50percent_seed51.txt"),
    DataFile::unchecked("wiki_subset_1M_000.50percent_seed52.txt"),
    DataFile::unchecked("wiki_subset_1M_001.00percent_seed48.txt"),
    DataFile::unchecked("wiki_subset_1M_001.00percent_seed49.txt"),
    DataFile::unchecked("wiki_subset_1M_001.00percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_001.00percent_seed51.txt"),
    DataFile::unchecked("wiki_subset_1M_001.00percent_seed52.txt"),
    DataFile::unchecked("wiki_subset_1M_010.00percent_seed48.txt"),
    DataFile::checked(
        "wiki_subset_1M_010.00percent_seed49.txt",
        None,
        "80a451e9272c8400bc3d24eeac1b2bb2fe62f9f6fa0c7f25dc6c8e9a5cdf0f58",
    ),
    DataFile::unchecked("wiki_subset_1M_010.00percent_seed50.txt"),
    DataFile::unchecked("wiki_subset_1M_010.00percent_seed51.txt"),
    DataFile::checked(
        "wiki_subset_1M_010.00percent_seed52.txt",
        None,
        "607b0f401be7248e9394babbd009621743d569556af89785ee47126eb6fc168b",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::id::{Repository, is_commit, is_safe_path, is_sha256};

    #[test]
    fn every_entry_can_be_asked_for() {
        let mut names = BTreeSet::new();
        for dataset in catalogue() {
            assert!(names.insert(dataset.name), "duplicate name {}", dataset.name);
            assert!(Repository::dataset(dataset.id, dataset.revision).is_ok(), "{}", dataset.name);
            assert!(
                is_commit(dataset.revision),
                "{}: the revision must be a commit hash, whose files never change",
                dataset.name
            );
            let mut files = BTreeSet::new();
            for file in dataset.files {
                assert!(is_safe_path(file.path) && files.insert(file.path), "{}", file.path);
                assert!(file.sha256.is_none_or(is_sha256), "{}", file.path);
            }
            assert!(!files.is_empty(), "{}", dataset.name);
        }
    }
}

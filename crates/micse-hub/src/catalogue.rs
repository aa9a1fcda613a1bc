//! The data of the field's standard protocol, by name.

/// A dataset that can be fetched by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The name that commands take.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub what: &'static str,
    /// The repository on the Hub.
    pub id: &'static str,
    /// The commit whose files are meant.
    pub revision: &'static str,
    /// The files.
    pub files: &'static [DataFile],
    /// What is known of its licence, in a sentence.
    pub licence: &'static str,
    /// What to cite.
    pub citation: &'static str,
}

/// A file of a [`Dataset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its path in the repository.
    pub path: &'static str,
    /// Its size in bytes, if the Hub's pages state it.
    pub size: Option<u64>,
    /// Its SHA-256 as the Hub's pages state it. Without one, show [`crate::sha256`] of what came.
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

/// All datasets that can be fetched by name. Sums and sizes are those of the Git LFS pointers that the Hub's pages show
/// for the commits given here.
pub fn catalogue() -> &'static [Dataset] {
    CATALOGUE
}

const CATALOGUE: &[Dataset] = &[
    Dataset {
        name: "wiki1m",
        what: "one million sentences drawn from English Wikipedia, one a line: the text that unsupervised \
                   SimCSE and its successors train on",
        id: "princeton-nlp/datasets-for-simcse",
        revision: "e145e8bb659b2aa2669f32ef79cb4cdef6c58fef",
        files: &[DataFile::checked(
            "wiki1m_for_simcse.txt",
            Some(120_038_621),
            "7b1825863a99aa76479b0456f7c210539dfaeeb69598b41fb4de4f524dd5a706",
        )],
        licence: "The repository states none; the text is Wikipedia's, whose licence is CC BY-SA (attribution, \
                      share alike).",
        citation: SIMCSE,
    },
    Dataset {
        name: "senteval",
        what: "SentEval's data as SimCSE evaluates on it: STS 2012-2016, the STS benchmark, SICK and seven \
                   transfer tasks, as one tar archive",
        id: "princeton-nlp/datasets-for-simcse",
        revision: "e145e8bb659b2aa2669f32ef79cb4cdef6c58fef",
        files: &[DataFile::checked(
            "senteval.tar",
            Some(89_825_280),
            "bc43c148f7be97471c78fc4255399d3158cb99dfe8f2221999c918338b138c38",
        )],
        licence: "The repository states none, and each set has terms of its own: the STS benchmark's scores are \
                      CC BY-SA 4.0 and its sentences have those of their sources, SICK is CC BY-NC-SA 3.0; use it \
                      for research and do not pass it on.",
        citation: "Conneau, Kiela: SentEval: An Evaluation Toolkit for Universal Sentence Representations. LREC \
                       2018, https://aclanthology.org/L18-1269",
    },
    Dataset {
        name: "micse-subsets",
        what: "the low-shot subsets of wiki1m that miCSE was trained on: 0.0064 % to 10 % of the million, five \
                   drawings of each size (seeds 48 to 52), one sentence a line",
        id: "sap-ai-research/datasets-for-micse",
        revision: "269a9f1cfd99c3255b9472ce7e2a384c08f4ece2",
        files: MICSE_SUBSETS,
        licence: "The repository states none; the text is Wikipedia's, whose licence is CC BY-SA (attribution, \
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
            assert!(names.insert(dataset.name), "{} twice", dataset.name);
            assert!(Repository::dataset(dataset.id, dataset.revision).is_ok(), "{}", dataset.name);
            assert!(is_commit(dataset.revision), "{}: a commit's files do not change", dataset.name);
            let mut files = BTreeSet::new();
            for file in dataset.files {
                assert!(is_safe_path(file.path) && files.insert(file.path), "{}", file.path);
                assert!(file.sha256.is_none_or(is_sha256), "{}", file.path);
            }
            assert!(!files.is_empty(), "{}", dataset.name);
        }
    }
}

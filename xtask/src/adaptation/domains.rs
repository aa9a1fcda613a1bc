//! The texts of the adaptation experiments: for each domain, sentences to train on, to judge on, and to test on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use micse_data::{Corpus, Split, SplitSize, TransferSuite, TransferTask};

/// Sentences on which the judge decides, and unseen sentences that are halved for the search truth.
const JUDGED: usize = 400;
const UNSEEN: usize = 800;
/// The most sentences to train on.
const MOST: usize = 10_000;

/// Where the sentences of a domain come from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A file, in any order.
    File(&'static str),
    /// A file whose lines follow each other as in the text.
    Ordered(&'static str),
    /// The sentences of a transfer task.
    Task(&'static str),
}

/// A kind of text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    pub(super) name: &'static str,
    source: Source,
}

/// Six domains without order, and one whose sentences follow each other.
pub(super) const DOMAINS: [Domain; 7] = [
    Domain { name: "wikipedia", source: Source::File("wiki/enwiki_sentences_01.txt.zst") },
    Domain { name: "captions", source: Source::File("corpus/flickr30k_captions.txt.zst") },
    Domain { name: "headlines", source: Source::File("corpus/news_headlines_clickbait.txt.zst") },
    Domain { name: "questions", source: Source::Task("TREC") },
    Domain { name: "products", source: Source::Task("CR") },
    Domain { name: "films", source: Source::Task("MR") },
    Domain { name: "news", source: Source::Ordered("corpus/abc_news.txt.zst") },
];

/// The sentences of a domain; no sentence is in two parts.
pub(super) struct Texts {
    /// To train on, in random order.
    pub(super) train: Vec<String>,
    /// To judge on.
    pub(super) judged: Vec<String>,
    /// For the true search score.
    pub(super) unseen: Vec<String>,
}

impl Domain {
    /// Whether the sentences to judge on follow each other as in the text.
    pub(super) fn in_order(self) -> bool {
        matches!(self.source, Source::Ordered(_))
    }

    /// The domain of a name.
    pub(super) fn named(name: &str) -> Result<Self> {
        let names = DOMAINS.map(|domain| domain.name).join(", ");
        DOMAINS
            .into_iter()
            .find(|domain| domain.name == name)
            .with_context(|| format!("no domain {name}; use one of {names}"))
    }

    /// Reads the sentences from the data folder, in the order of a seed.
    pub(super) fn read(self, data: &Path, seed: u64) -> Result<Texts> {
        let mut seen = BTreeSet::new();
        let mut new = |sentence: &str| !sentence.is_empty() && seen.insert(sentence.to_owned());
        let file = |name: &str| Corpus::open(&[data.join(name)]);
        let sentences: Vec<String> = match self.source {
            Source::File(name) | Source::Ordered(name) => {
                file(name)?.iter().filter(|s| new(s)).map(str::to_owned).collect()
            }
            Source::Task(name) => {
                let suite = TransferSuite::load(&data.join("senteval"), Some(&[name.to_owned()]))?;
                let all = suite.tasks.iter().flat_map(TransferTask::sentences);
                all.filter(|s| new(s)).map(str::to_owned).collect()
            }
        };
        let held = JUDGED + UNSEEN;
        ensure!(sentences.len() >= 2 * held, "{}: only {} sentences", self.name, sentences.len());
        let order = |from: usize| -> Result<Vec<String>> {
            let split = Split::draw(sentences.len() - from, SplitSize::Fraction(1.0), seed)?;
            Ok(split.indices.iter().map(|&i| sentences[from + i as usize].clone()).collect())
        };
        // Sentences that follow each other stay together; the rest is drawn.
        let (mut judged, rest) = match self.source {
            Source::Ordered(_) => (sentences[..JUDGED].to_vec(), order(JUDGED)?),
            _ => (Vec::new(), order(0)?),
        };
        let mut rest = rest.into_iter();
        judged.extend(rest.by_ref().take(JUDGED - judged.len()));
        let unseen = rest.by_ref().take(UNSEEN).collect();
        Ok(Texts { judged, unseen, train: rest.take(MOST).collect() })
    }
}

/// The data folder.
pub(super) fn data_folder() -> Result<PathBuf> {
    match micse_data::Locator::from_env()?.micse_data {
        Some(folder) => Ok(folder),
        None => bail!("the experiments need real text; set MICSE_DATA to the data folder"),
    }
}

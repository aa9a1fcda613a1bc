//! The sentences of STS sets without their scores, as a training corpus.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{DEMO_FILES, Pair, read, senteval};
use crate::corpus::Corpus;
use crate::error::{Error, Result};

/// STS sets whose sentences, without scores, some published methods train on. Repeated sentences are kept.
///
/// Test sentences are among them, except in [`BenchmarkTrain`](Self::BenchmarkTrain).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StsCorpus {
    /// STS12 to 16, also the pairs without a score, and all parts of STS benchmark and SICK; in the demo layout,
    /// development and test pairs.
    #[serde(rename = "sts")]
    All,
    /// STS benchmark: train, dev and test.
    #[serde(rename = "sts-b")]
    Benchmark,
    /// STS benchmark: train.
    #[serde(rename = "sts-b-train")]
    BenchmarkTrain,
}

impl StsCorpus {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::All, Self::Benchmark, Self::BenchmarkTrain];

    /// The name in options: `sts`, `sts-b` or `sts-b-train`.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "sts",
            Self::Benchmark => "sts-b",
            Self::BenchmarkTrain => "sts-b-train",
        }
    }

    /// The choice of that [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|corpus| corpus.name() == name)
    }

    /// Whether sentences of the test sets are among them.
    pub fn has_test_sentences(self) -> bool {
        self != Self::BenchmarkTrain
    }

    /// Reads the sentences from a folder of STS sets, in either layout of [`Suite`](super::Suite).
    ///
    /// # Errors
    /// A missing file, STS-B in the demo layout, and lines that cannot be parsed.
    pub fn read(self, folder: &Path) -> Result<Corpus> {
        let [dev, test] = DEMO_FILES.map(|name| folder.join(name));
        let sentences = match self {
            Self::All if dev.is_file() => {
                let mut pairs = read::benchmark(&dev)?;
                pairs.extend(read::benchmark(&test)?);
                both(pairs)
            }
            _ if dev.is_file() => {
                let remedy = format!(
                    "the demo pairs are not STS-B; use `{}`, or pass SentEval's folder with --sts",
                    Self::All.name()
                );
                return Err(Error::Missing { path: folder.join("STS/STSBenchmark"), remedy });
            }
            Self::All => {
                let mut sentences = senteval::year_sentences(folder)?;
                sentences.extend(Self::Benchmark.of_benchmark(folder)?);
                sentences.extend(both(senteval::sick_pairs(folder)?));
                sentences
            }
            Self::Benchmark | Self::BenchmarkTrain => self.of_benchmark(folder)?,
        };
        Ok(Corpus::from_sentences(&self.to_string(), sentences))
    }

    fn of_benchmark(self, folder: &Path) -> Result<Vec<String>> {
        let parts: &[&str] =
            if self == Self::BenchmarkTrain { &["train"] } else { &["train", "dev", "test"] };
        Ok(both(senteval::benchmark_pairs(folder, parts)?))
    }
}

/// The name in tables.
impl fmt::Display for StsCorpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "STS and SICK-R",
            Self::Benchmark => "STS-B",
            Self::BenchmarkTrain => "STS-B train",
        })
    }
}

/// The first and the second sentence of each pair.
fn both(pairs: Vec<Pair>) -> Vec<String> {
    pairs.into_iter().flat_map(|pair| [pair.first, pair.second]).collect()
}

//! Locates data.
//!
//! An option comes first; then the environment variable `MICSE_DATA`, a folder with `wiki/`, `senteval/` and
//! `bert-base-uncased/`; otherwise, an error that lists the places searched. The option value `demo` means the
//! data shipped with the repository: the folder `data/`, found upward from the working directory or named by
//! `MICSE_SHIPPED_DATA` (which the Python package sets), and the generated corpus. There are no silent choices: every result has a one-line note on what is used and why.
use std::path::{Path, PathBuf};

use crate::corpus::Corpus;
use crate::error::{Error, Result};

/// The environment variable with the data folder.
pub const DATA_VARIABLE: &str = "MICSE_DATA";

/// The environment variable with the shipped folder `data/`, for programs outside the repository.
pub const SHIPPED_VARIABLE: &str = "MICSE_SHIPPED_DATA";

/// The option value for the data shipped with the repository.
pub const DEMO: &str = "demo";

/// Corpora in the data folder, of which the first that exists is used without an option. The second is `SimCSE`'s, as
/// `micse data fetch` places it.
const DEFAULT_CORPORA: [&str; 2] = ["wiki/enwiki_sentences_00.txt.zst", "wiki/wiki1m_for_simcse.txt"];

/// The treebank in the data folder that is used without an option.
const DEFAULT_TREEBANK: [&str; 2] = ["ud/en_ewt-ud-dev.conllu", "ud/en_ewt-ud-test.conllu"];

/// The shipped treebank.
const DEMO_TREEBANK: &str = "treebank-demo/demo.conllu";

/// A located item, and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The item.
    pub place: T,
    /// One line for the user: what is used and why.
    pub note: String,
}

/// Where a corpus comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorpusSource {
    /// The generated demo corpus.
    Demo,
    /// Files with one sentence per line.
    Files(Vec<PathBuf>),
}

impl CorpusSource {
    /// Reads or generates the corpus.
    ///
    /// # Errors
    /// The errors of [`Corpus::open`].
    pub fn open(&self) -> Result<Corpus> {
        match self {
            Self::Demo => Ok(Corpus::demo()),
            Self::Files(paths) => Corpus::open(paths),
        }
    }
}

/// Applies the rule in a given environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locator {
    /// The value of `MICSE_DATA`, if set.
    pub micse_data: Option<PathBuf>,
    /// The folder from which to search upward for `data/`.
    pub start: PathBuf,
    /// The value of `MICSE_SHIPPED_DATA`, if set: the shipped folder, where the search finds none.
    pub shipped: Option<PathBuf>,
}

impl Locator {
    /// The process's environment and working directory. An empty variable counts as unset.
    ///
    /// # Errors
    /// The working directory cannot be determined.
    pub fn from_env() -> Result<Self> {
        let start = std::env::current_dir().map_err(|source| Error::Read { path: ".".into(), source })?;
        let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Ok(Self { micse_data: folder(DATA_VARIABLE), start, shipped: folder(SHIPPED_VARIABLE) })
    }

    /// Locates the corpus. `flag` contains the values of `--corpus`: files, or the single word `demo`.
    ///
    /// # Errors
    /// A file that does not exist; `demo` together with files; no option and no data folder with a corpus.
    pub fn corpus(&self, flag: &[String]) -> Result<Located<CorpusSource>> {
        let refused = |value: &str, problem: &str| Error::Flag {
            flag: "--corpus",
            value: value.to_owned(),
            problem: problem.to_owned(),
        };
        if flag.iter().any(|value| value == DEMO) {
            if flag.len() > 1 {
                return Err(refused(
                    DEMO,
                    "cannot be combined with files; write ./demo for a file of that name",
                ));
            }
            let note = "corpus: the generated demo sentences (--corpus demo)".to_owned();
            return Ok(Located { place: CorpusSource::Demo, note });
        }
        for value in flag {
            let path = Path::new(value);
            if path.is_dir() {
                return Err(refused(value, "is a folder; pass the text files in it"));
            }
            if !path.exists() {
                return Err(refused(
                    value,
                    "no such file; pass a text file with one sentence per line, or `demo`",
                ));
            }
        }
        if !flag.is_empty() {
            let note = format!("corpus: {} (--corpus)", flag.join(", "));
            return Ok(Located {
                place: CorpusSource::Files(flag.iter().map(PathBuf::from).collect()),
                note,
            });
        }
        let there = |part: &&str| self.micse_data.as_ref().is_some_and(|data| data.join(part).exists());
        let part = DEFAULT_CORPORA.into_iter().find(there).unwrap_or(DEFAULT_CORPORA[0]);
        let path = self.under_data("corpus", "--corpus", "FILE", part)?;
        let note = format!("corpus: {} ({DATA_VARIABLE})", path.display());
        Ok(Located { place: CorpusSource::Files(vec![path]), note })
    }

    /// Locates the folder of STS sets. `flag` is the value of `--sts`: a folder or `demo`.
    ///
    /// # Errors
    /// A folder that does not exist; no option and no data folder with `senteval/`.
    pub fn sts(&self, flag: Option<&str>) -> Result<Located<PathBuf>> {
        self.folder("STS data", "--sts", flag, "sts-demo", "senteval")
    }

    /// Locates the folder of transfer tasks, which in `SentEval`'s layout is the folder of the STS sets. `flag` is the
    /// value of `--sts`: a folder or `demo`.
    ///
    /// # Errors
    /// A folder that does not exist; no option and no data folder with `senteval/`.
    pub fn transfer(&self, flag: Option<&str>) -> Result<Located<PathBuf>> {
        self.folder("transfer tasks", "--sts", flag, "transfer-demo", "senteval")
    }

    /// Locates the folder of the pre-trained encoder. `flag` is the value of `--model`: a folder or `demo`.
    ///
    /// # Errors
    /// A folder that does not exist (commands that download Hub models resolve their IDs to folders first); no
    /// option and no data folder with `bert-base-uncased/`.
    pub fn model(&self, flag: Option<&str>) -> Result<Located<PathBuf>> {
        self.folder("encoder", "--model", flag, "encoder", "bert-base-uncased")
    }

    /// Locates the files of a treebank. `flag` contains the values of `--treebank`: files, or the single word `demo`.
    ///
    /// # Errors
    /// A file that does not exist; `demo` together with files; no option and no data folder with a treebank.
    pub fn treebank(&self, flag: &[String]) -> Result<Located<Vec<PathBuf>>> {
        const FLAG: &str = "--treebank";
        let refused = |value: &str, problem: &str| Error::Flag {
            flag: FLAG,
            value: value.to_owned(),
            problem: problem.to_owned(),
        };
        let (place, why) = if flag == [DEMO] {
            (vec![self.shipped_folder()?.join(DEMO_TREEBANK)], format!("{FLAG} demo"))
        } else if flag.is_empty() {
            let file = |part| self.under_data("treebank", FLAG, "FILE", part);
            let files = DEFAULT_TREEBANK.into_iter().map(file).collect::<Result<_>>()?;
            (files, DATA_VARIABLE.to_owned())
        } else {
            if flag.iter().any(|value| value == DEMO) {
                let problem = "cannot be combined with files; write ./demo for a file of that name";
                return Err(refused(DEMO, problem));
            }
            if let Some(value) = flag.iter().find(|value| !Path::new(value).is_file()) {
                return Err(refused(value, "no such file; pass a treebank in CoNLL-U, or `demo`"));
            }
            (flag.iter().map(PathBuf::from).collect(), FLAG.to_owned())
        };
        let names: Vec<String> = place.iter().map(|path| path.display().to_string()).collect();
        Ok(Located { note: format!("treebank: {} ({why})", names.join(", ")), place })
    }

    /// The shipped folder `data/`, which contains `encoder/` and `sts-demo/`: the first match from the start
    /// folder upward, else the folder that `MICSE_SHIPPED_DATA` names.
    ///
    /// # Errors
    /// No such folder: the error names where the search began.
    pub fn shipped_folder(&self) -> Result<PathBuf> {
        let holds_all =
            |folder: &PathBuf| ["encoder", "sts-demo"].iter().all(|part| folder.join(part).is_dir());
        let above = self.start.ancestors().map(|folder| folder.join("data"));
        above.chain(self.shipped.clone()).find(holds_all).ok_or_else(|| {
            Error::Missing {
                path: self.start.join("data"),
                remedy: "the demo needs the repository's data/ (with encoder/ and sts-demo/) in the working directory or \
                         a folder above it; run the command inside the repository, or pass your own files"
                    .to_owned(),
            }
        })
    }

    fn folder(
        &self,
        what: &'static str,
        flag: &'static str,
        value: Option<&str>,
        shipped: &str,
        in_data: &str,
    ) -> Result<Located<PathBuf>> {
        let (place, why) = match value {
            Some(DEMO) => (self.shipped_folder()?.join(shipped), format!("{flag} demo")),
            Some(value) if Path::new(value).is_dir() => (PathBuf::from(value), flag.to_owned()),
            Some(value) => {
                let problem = if what == "encoder" && is_hub_id(value) {
                    "no such folder; download the Hub model first and pass its folder, or pass `demo`"
                } else {
                    "no such folder; pass an existing folder, or `demo`"
                };
                return Err(Error::Flag { flag, value: value.to_owned(), problem: problem.to_owned() });
            }
            None => (self.under_data(what, flag, "DIR", in_data)?, DATA_VARIABLE.to_owned()),
        };
        let note = format!("{what}: {} ({why})", place.display());
        Ok(Located { place, note })
    }

    /// A path in the data folder; it must exist.
    fn under_data(&self, what: &'static str, flag: &str, value: &str, part: &str) -> Result<PathBuf> {
        let Some(data) = &self.micse_data else {
            return Err(Error::NotGiven {
                what,
                looked: format!("{flag} and {DATA_VARIABLE} (neither is set)"),
                remedy: format!(
                    "pass {flag} {value}, set {DATA_VARIABLE} to a folder that contains {part}, or use the \
                     shipped data with `{flag} demo`"
                ),
            });
        };
        let path = data.join(part);
        if path.exists() {
            return Ok(path);
        }
        let remedy = format!(
            "{DATA_VARIABLE} is {}, which must contain {part}; fix it, or pass {flag} {value}",
            data.display()
        );
        Err(Error::Missing { path, remedy })
    }
}

/// Whether a value looks like a Hub model ID (`owner/name` or `name`, with an optional `@revision`) and not like a
/// path.
fn is_hub_id(value: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
    };
    let (id, revision) = value.split_once('@').unwrap_or((value, "main"));
    id.split('/').count() <= 2 && id.split('/').chain(revision.split('/')).all(plain)
}

//! The encoder and the corpus of each method: the sweep's, or its own.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use micse_cli::model::locate_model;
use micse_data::locate::{CorpusSource, DEMO};
use micse_data::{Locator, SplitSize, StsTexts};

use crate::cell::TextSpec;
use crate::options::GridOptions;
use crate::preset::{OfMethod, Preset};

/// `NAME=VALUE`, where NAME is a method, or a corpus that a preset names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct For {
    name: String,
    value: String,
}

impl FromStr for For {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.into(), value: value.into() })
            }
            _ => bail!("`{text}` is not valid; write NAME=VALUE, such as is-bert=nli.txt"),
        }
    }
}

/// The last value given for one of these names.
fn given<'a>(all: &'a [For], names: &[&str]) -> Option<&'a str> {
    all.iter().rev().find(|one| names.contains(&one.name.as_str())).map(|one| one.value.as_str())
}

/// The encoder of a method.
#[derive(Clone)]
pub(crate) struct OwnEncoder {
    pub(crate) place: PathBuf,
    /// Its name in tables, if it is not the sweep's.
    pub(crate) name: Option<String>,
}

/// The corpus of a method.
#[derive(Clone)]
pub(crate) struct OwnCorpus {
    pub(crate) text: Text,
    /// Its name in tables, if it is not the sweep's.
    pub(crate) name: Option<String>,
}

/// Encoder and corpus of each method.
pub(crate) struct Inputs<'a> {
    options: &'a GridOptions,
    preset: &'a Preset,
    locator: &'a Locator,
    /// The folder of STS sets.
    sts: PathBuf,
    encoder: OwnEncoder,
    corpus: OwnCorpus,
}

impl<'a> Inputs<'a> {
    /// The sweep's own encoder and corpus; notes on the methods that have others.
    pub(crate) fn new(
        options: &'a GridOptions,
        preset: &'a Preset,
        locator: &'a Locator,
        encoder: &Path,
        sts: &Path,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let sts = absolute(sts)?;
        let text = Text::of_sweep(options, preset, locator, notes)?;
        let encoder = OwnEncoder { place: absolute(encoder)?, name: None };
        Ok(Self { options, preset, locator, sts, encoder, corpus: OwnCorpus { text, name: None } })
    }

    /// The sweep's encoder.
    pub(crate) fn sweep_encoder(&self) -> &OwnEncoder {
        &self.encoder
    }

    /// Checks that `--model-for` and `--corpus-for` name what exists.
    pub(crate) fn check_names(&self, methods: &[String]) -> Result<()> {
        let corpora = || self.preset.method.values().filter_map(|own| own.corpus.as_deref());
        let is_method = |name: &str| methods.iter().any(|method| method == name);
        if let Some(wrong) = self.options.model_for.iter().find(|one| !is_method(&one.name)) {
            bail!(
                "--model-for {}=...: no such method in this sweep; use one of {}",
                wrong.name,
                methods.join(", ")
            );
        }
        let known = |name: &str| is_method(name) || corpora().any(|corpus| corpus == name);
        if let Some(wrong) = self.options.corpus_for.iter().find(|one| !known(&one.name)) {
            bail!(
                "--corpus-for {}=...: neither a method of this sweep nor a corpus that its preset names; use one of {}",
                wrong.name,
                methods.join(", ")
            );
        }
        Ok(())
    }

    fn own(&self, method: &str) -> OfMethod {
        self.preset.method.get(method).cloned().unwrap_or_default()
    }

    /// The encoder of a method.
    pub(crate) fn encoder(&self, method: &str, notes: &mut Vec<String>) -> Result<OwnEncoder> {
        let own = self.own(method);
        let asked = given(&self.options.model_for, &[method]);
        let Some(name) = asked.or(own.encoder.as_deref()) else { return Ok(self.encoder.clone()) };
        let located = locate_model(self.locator, Some(name)).with_context(|| {
            format!("{method} needs the encoder {name}; pass --model-for {method}=MODEL, or omit it with --without {method}")
        })?;
        notes.push(format!("{method}: encoder: {} ({name})", located.place.display()));
        let short = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
        Ok(OwnEncoder { place: absolute(&located.place)?, name: Some(short.to_owned()) })
    }

    /// The corpus of a method.
    pub(crate) fn corpus(&self, method: &str, notes: &mut Vec<String>) -> Result<OwnCorpus> {
        let own = self.own(method);
        let named: Vec<&str> = [method].into_iter().chain(own.corpus.as_deref()).collect();
        let asked = given(&self.options.corpus_for, &named);
        let Some(value) = asked.or(own.corpus.as_deref()) else { return Ok(self.corpus.clone()) };
        let (text, name) = if value == DEMO {
            (Text::Demo, value.to_owned())
        } else if let Some(part) = StsTexts::named(value) {
            if part.has_test_sentences() {
                notes.push(format!("{method}: its corpus has the sentences of test sets, without scores"));
            }
            (Text::Sts(self.sts.clone(), part), part.to_string())
        } else if Path::new(value).is_file() {
            (
                Text::Files(vec![absolute(Path::new(value))?]),
                own.corpus.clone().unwrap_or_else(|| value.to_owned()),
            )
        } else if asked.is_some() {
            bail!(
                "--corpus-for {method}: no file {value}; pass a text file, demo, sts, sts-b or sts-b-train"
            );
        } else {
            bail!(
                "{method} needs the corpus {value}; pass --corpus-for {value}=FILE, one sentence per line, or omit it with \
                 --without {method}"
            );
        };
        notes.push(format!("{method}: corpus: {value}"));
        Ok(OwnCorpus { text, name: Some(name) })
    }
}

/// Where a method's sentences come from.
#[derive(Clone, PartialEq)]
pub(crate) enum Text {
    Demo,
    Files(Vec<PathBuf>),
    SplitFiles(PathBuf),
    Sts(PathBuf, StsTexts),
}

impl Text {
    fn of_sweep(
        options: &GridOptions,
        preset: &Preset,
        locator: &Locator,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        if let Some(folder) = &options.split_files {
            notes.push(format!("corpus: split files in {}", folder.display()));
            return Ok(Self::SplitFiles(absolute(folder)?));
        }
        let corpus = locator.corpus(options.corpus.as_deref().unwrap_or(&preset.corpus))?;
        notes.push(corpus.note.clone());
        Ok(match corpus.place {
            CorpusSource::Demo => Self::Demo,
            CorpusSource::Files(files) => {
                Self::Files(files.iter().map(|file| absolute(file)).collect::<Result<_>>()?)
            }
        })
    }

    /// The sentences of a cell.
    pub(crate) fn of(&self, size: SplitSize, seed: u64) -> Result<TextSpec> {
        Ok(match self {
            Self::Demo => TextSpec::Demo,
            Self::Files(files) => TextSpec::Corpus(files.clone()),
            Self::Sts(folder, part) => TextSpec::Sts(folder.clone(), *part),
            Self::SplitFiles(folder) => {
                TextSpec::SplitFile(micse_data::SplitFiles::open(folder)?.find(size, seed)?)
            }
        })
    }
}

/// A path that does not depend on the working directory.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| anyhow!("{}: {error}", path.display()))
}

//! The encoder and the corpus of each method: the sweep's, or its own.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use micse_cli::model::locate_model;
use micse_data::locate::{CorpusSource, DEMO};
use micse_data::{Locator, SplitSize, StsCorpus};
use micse_report::Grid;
use micse_train::Recipe;

use crate::cell::TextSpec;
use crate::options::GridOptions;
use crate::preset::{MethodSettings, Preset, Scale};

/// `NAME=VALUE`, where NAME is a method, or a corpus that a preset names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedValue {
    name: String,
    value: String,
}

impl FromStr for NamedValue {
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

/// The value given for a name.
fn given<'a>(all: &'a [NamedValue], name: &str) -> Option<&'a str> {
    all.iter().find(|one| one.name == name).map(|one| one.value.as_str())
}

/// The encoder of a method.
#[derive(Clone)]
pub(crate) struct MethodEncoder {
    pub(crate) place: PathBuf,
    /// Its name in tables, if it is not the sweep's.
    pub(crate) name: Option<String>,
}

/// The corpus of a method.
#[derive(Clone)]
pub(crate) struct MethodCorpus {
    pub(crate) place: CorpusPlace,
    /// Its name in tables, if it is not the sweep's.
    pub(crate) name: Option<String>,
}

/// Names in tables: each for one place, whatever the user called it.
struct Names<P>(Vec<(String, P)>);

impl<P: Clone> Names<P> {
    /// The name that the place has already, else the first of these that no other place has.
    fn of(&mut self, place: &P, same: impl Fn(&P, &P) -> bool, names: &[&str]) -> Result<String> {
        if let Some((name, _)) = self.0.iter().find(|(_, known)| same(known, place)) {
            return Ok(name.clone());
        }
        let free = |name: &&&str| !name.is_empty() && self.0.iter().all(|(known, _)| known != **name);
        let Some(name) = names.iter().find(free) else {
            bail!("{}: two inputs of the sweep have this name; rename one of them", names.join(", "));
        };
        self.0.push(((*name).to_owned(), place.clone()));
        Ok((*name).to_owned())
    }
}

/// Encoder and corpus of each method.
pub(crate) struct Inputs<'a> {
    options: &'a GridOptions,
    preset: &'a Preset,
    locator: &'a Locator,
    /// The folder of STS sets.
    sts: PathBuf,
    encoder: MethodEncoder,
    corpus: MethodCorpus,
    encoders: Names<PathBuf>,
    corpora: Names<CorpusPlace>,
}

impl<'a> Inputs<'a> {
    /// Locates the corpus of the sweep. `notes` has the note on its encoder, and receives one on the corpus.
    pub(crate) fn new(
        options: &'a GridOptions,
        preset: &'a Preset,
        locator: &'a Locator,
        encoder: &Path,
        sts: &Path,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let sts = absolute(sts)?;
        let encoder = MethodEncoder { place: absolute(encoder)?, name: None };
        let name = Grid { notes: notes.clone(), ..Grid::default() }.encoder().map(str::to_owned);
        let encoders = Names(name.map(|name| (name, encoder.place.clone())).into_iter().collect());
        let place = CorpusPlace::of_sweep(options, preset, locator, notes)?;
        let corpora = Names(place.name().map(|name| (name, place.clone())).into_iter().collect());
        let corpus = MethodCorpus { place, name: None };
        Ok(Self { options, preset, locator, sts, encoder, corpus, encoders, corpora })
    }

    /// The sweep's encoder.
    pub(crate) fn sweep_encoder(&self) -> &MethodEncoder {
        &self.encoder
    }

    /// Checks that `--model-for` and `--corpus-for` have an effect: each names a method of the sweep, or a corpus of
    /// one, once. `recipes` are those of each method.
    pub(crate) fn check_names(&self, methods: &[String], recipes: &[Vec<Recipe>]) -> Result<()> {
        if self.options.scale == Scale::Tiny
            && (!self.options.model_for.is_empty() || !self.options.corpus_for.is_empty())
        {
            bail!(
                "--scale tiny gives every method the same encoder and corpus; remove --model-for and --corpus-for"
            );
        }
        let reading = || {
            methods
                .iter()
                .zip(recipes)
                .filter(|(_, recipes)| recipes.iter().any(reads_corpus))
                .map(|(m, _)| m.as_str())
        };
        let corpora = reading().filter_map(|method| self.preset.method.get(method)?.corpus.as_deref());
        let of_corpora: Vec<&str> = reading().chain(corpora).collect();
        let of_models: Vec<&str> = methods.iter().map(String::as_str).collect();
        for (option, values, known) in [
            ("--model-for", &self.options.model_for, of_models),
            ("--corpus-for", &self.options.corpus_for, of_corpora),
        ] {
            for (place, one) in values.iter().enumerate() {
                let name = &one.name;
                if !known.contains(&name.as_str()) {
                    bail!(
                        "{option} {name}=...: nothing of that name in this sweep; use one of {}",
                        known.join(", ")
                    );
                }
                if values[..place].iter().any(|earlier| earlier.name == *name) {
                    bail!("{option} {name}=...: given twice; keep one");
                }
            }
        }
        Ok(())
    }

    fn own(&self, method: &str) -> MethodSettings {
        self.preset.method.get(method).cloned().unwrap_or_default()
    }

    /// The encoder of a method.
    pub(crate) fn encoder(&mut self, method: &str, notes: &mut Vec<String>) -> Result<MethodEncoder> {
        let own = self.own(method);
        let asked = given(&self.options.model_for, method);
        let Some(value) = asked.or(own.model.as_deref()) else { return Ok(self.encoder.clone()) };
        let located = locate_model(self.locator, Some(value)).with_context(|| {
            format!(
                "{method} needs the encoder {value}; pass --model-for {method}=MODEL, or omit it with --without {method}"
            )
        })?;
        let place = absolute(&located.place)?;
        notes.push(format!("{method}: encoder: {} ({value})", located.place.display()));
        if same_place(&place, &self.encoder.place) {
            return Ok(self.encoder.clone());
        }
        let (called, full) = (value.trim_end_matches('/'), place.display().to_string());
        let last = called.rsplit('/').next().filter(|name| ![".", ".."].contains(name)).unwrap_or(called);
        let name = self.encoders.of(&place, |a, b| same_place(a, b), &[last, called, &full])?;
        Ok(MethodEncoder { name: Some(name), place })
    }

    /// The corpus of a method.
    pub(crate) fn corpus(&mut self, method: &str, notes: &mut Vec<String>) -> Result<MethodCorpus> {
        let (options, own) = (self.options, self.own(method));
        let of_method = given(&options.corpus_for, method);
        let of_name = own.corpus.as_deref().and_then(|name| given(&options.corpus_for, name));
        let Some(value) = of_method.or(of_name).or(own.corpus.as_deref()) else {
            return Ok(self.corpus.clone());
        };
        // A corpus that the preset names keeps that name, whichever file has it.
        let called = own.corpus.as_deref().filter(|_| of_method.is_none());
        let place = if value == DEMO {
            CorpusPlace::Demo
        } else if let Some(part) = StsCorpus::named(value) {
            if part.has_test_sentences() {
                notes.push(format!("{method}: its corpus has the sentences of test sets, without scores"));
            }
            CorpusPlace::Sts(self.sts.clone(), part)
        } else if Path::new(value).is_file() {
            CorpusPlace::Files(vec![absolute(Path::new(value))?])
        } else if of_method.is_some() || of_name.is_some() || looks_like_a_path(value) {
            let what = if Path::new(value).is_dir() { "is a folder" } else { "no such file" };
            bail!("{method}: its corpus {value}: {what}; pass a text file, demo, sts, sts-b or sts-b-train");
        } else {
            bail!(
                "{method} needs the corpus {value}; pass --corpus-for {value}=FILE, one sentence per line, or omit it \
                 with --without {method}"
            );
        };
        notes.push(format!("{method}: corpus: {value}"));
        if place.is_same(&self.corpus.place) {
            return Ok(self.corpus.clone());
        }
        if self.options.split_files.is_some() {
            notes.push(format!("{method}: its splits are drawn from its own corpus, not read from files"));
        }
        let (last, full) = (place.name().unwrap_or_default(), place.path().unwrap_or_default());
        let first = called.filter(|_| matches!(place, CorpusPlace::Files(_))).unwrap_or(&last);
        let name = self.corpora.of(&place, CorpusPlace::is_same, &[first, value, &full])?;
        Ok(MethodCorpus { place, name: Some(name) })
    }
}

/// Whether a method reads a corpus: whether it trains, or fits a transformation.
pub(crate) fn reads_corpus(recipe: &Recipe) -> bool {
    recipe.steps > 0 || recipe.post.is_some()
}

fn looks_like_a_path(value: &str) -> bool {
    value.contains('/') || Path::new(value).extension().is_some()
}

/// Whether two paths lead to the same file or folder.
fn same_place(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().is_some_and(|place| other.canonicalize().ok() == Some(place))
}

/// Where a method's sentences come from.
#[derive(Clone, PartialEq)]
pub(crate) enum CorpusPlace {
    Demo,
    Files(Vec<PathBuf>),
    SplitFiles(PathBuf),
    Sts(PathBuf, StsCorpus),
}

impl CorpusPlace {
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

    /// Its name in tables; split files have one each.
    fn name(&self) -> Option<String> {
        let last = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self {
            Self::Demo => Some(DEMO.into()),
            Self::Files(files) => Some(files.iter().map(last).collect::<Vec<_>>().join(" + ")),
            Self::Sts(_, part) => Some(part.to_string()),
            Self::SplitFiles(_) => None,
        }
    }

    /// The path of its only file.
    fn path(&self) -> Option<String> {
        match self {
            Self::Files(files) if files.len() == 1 => Some(files[0].display().to_string()),
            _ => None,
        }
    }

    /// Whether both are the same sentences by their place.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Files(ours), Self::Files(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same_place(a, b))
            }
            _ => self == other,
        }
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

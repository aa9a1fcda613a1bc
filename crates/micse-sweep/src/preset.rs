//! Presets: named grids with settings, built in or in a file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use micse_data::StsCorpus;
use micse_data::locate::DEMO;
use micse_report::Against;
use micse_train::Recipe;
use serde::Deserialize;

use crate::axis;

/// A preset file. Missing values come from the recipes or the command line.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    #[serde(default = "whole_corpus")]
    pub(crate) sizes: String,
    #[serde(default = "five_seeds")]
    pub(crate) seeds: String,
    pub(crate) steps: Option<usize>,
    #[serde(default)]
    pub(crate) corpus: Vec<String>,
    pub(crate) sts: Option<String>,
    #[serde(alias = "encoder")]
    pub(crate) model: Option<String>,
    /// Settings for every recipe that trains.
    #[serde(default)]
    pub(crate) set: Vec<String>,
    /// Additional settings for recipes with an AMI term.
    #[serde(default)]
    pub(crate) set_ami: Vec<String>,
    /// Settings of single methods.
    #[serde(default)]
    pub(crate) method: BTreeMap<String, MethodSettings>,
    /// The published results that the tables compare with.
    pub(crate) against: Option<Against>,
    /// Whether the grid has a row of averaged word vectors, for which the user passes the file.
    #[serde(default)]
    pub(crate) vectors: bool,
    /// Notes on the whole grid.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
}

/// Settings of a single method: `[method.NAME]` in a preset file.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodSettings {
    /// Its encoder, instead of the sweep's.
    #[serde(alias = "encoder")]
    pub(crate) model: Option<String>,
    /// Its corpus, instead of the sweep's: a file, `demo`, sentences of the STS sets (`sts`, `sts-b`, `sts-b-train`), or
    /// the name of a corpus that the user passes.
    pub(crate) corpus: Option<String>,
    /// The transformation of its finished embeddings, in place of the recipe's: a recipe's table `post`.
    pub(crate) post: Option<toml::Value>,
    /// Its settings.
    #[serde(default)]
    pub(crate) set: Vec<String>,
    /// What a reader of its row should know.
    pub(crate) note: Option<String>,
}

/// How large a preset is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// The preset unchanged
    #[default]
    Full,
    /// A few steps on shipped files, to see that every method runs
    Tiny,
}

macro_rules! presets {
    ($($name:literal),*) => { [$(($name, include_str!(concat!("../presets/", $name, ".toml")))),*] };
}

const PRESETS: [(&str, &str); 9] =
    presets!["demo", "quick", "methods", "low-shot", "table-1", "table-2", "table-3", "figure-2", "ablation"];

const TINY: &str = include_str!("../presets/tiny.toml");

fn whole_corpus() -> String {
    "100%".into()
}

fn five_seeds() -> String {
    "48..52".into()
}

impl Preset {
    /// The name of a sweep without a preset, in tables and as its default folder.
    pub(crate) const NONE: &str = "own";

    /// The built-in presets' names.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.into_iter().map(|(name, _)| name)
    }

    /// No preset: the requested methods with their own settings, on the whole corpus, with five seeds.
    pub(crate) fn none(methods: Option<&[String]>) -> Result<Self> {
        let Some(methods) = methods else {
            bail!(
                "no preset applies to your own model or corpus; pass --methods to use the recipes' own settings, or \
                 --preset"
            );
        };
        Ok(Self { methods: methods.to_vec(), sizes: whole_corpus(), seeds: five_seeds(), ..Self::default() })
    }

    /// The preset's settings for a recipe; settings for single recipes come last.
    pub(crate) fn settings(&self, method: &str, recipe: &Recipe) -> Vec<String> {
        let mut settings = Vec::new();
        if recipe.steps > 0 {
            settings.extend(self.set.iter().cloned());
            if recipe.ami().next().is_some() {
                settings.extend(self.set_ami.iter().cloned());
            }
        }
        if let Some(own) = self.method.get(method) {
            settings.extend(own.settings());
        }
        settings
    }

    /// A built-in preset by its name, or a preset file if the name ends in `.toml`.
    pub(crate) fn load(name: &str) -> Result<Self> {
        let known = || Self::names().collect::<Vec<_>>().join(", ");
        let preset: Self = if is_file(name) {
            let text = std::fs::read_to_string(name).with_context(|| {
                format!("cannot read the preset {name}; pass an existing FILE.toml, or one of {}", known())
            })?;
            let preset: Self =
                toml::from_str(&text).with_context(|| format!("{name} is not a valid preset"))?;
            preset.relative_to(Path::new(name).parent().unwrap_or(Path::new("")))
        } else {
            let Some((_, text)) = PRESETS.iter().find(|(known, _)| *known == name) else {
                bail!("no preset `{name}`; use one of {}, or FILE.toml", known());
            };
            toml::from_str(text).with_context(|| format!("preset {name}"))?
        };
        if preset.methods.is_empty() {
            bail!("preset {name}: `methods` is missing; list at least one recipe");
        }
        let empty = |value: &Option<String>| value.as_ref().is_some_and(String::is_empty);
        if let Some((method, _)) =
            preset.method.iter().find(|(_, own)| empty(&own.model) || empty(&own.corpus))
        {
            bail!("preset {name}: [method.{method}] has an empty model or corpus; remove the key");
        }
        if let Some(unknown) = preset.method.keys().find(|method| !preset.methods.contains(method)) {
            bail!(
                "preset {name}: [method.{unknown}] is not one of its methods; add it to `methods`, or remove it"
            );
        }
        Ok(preset)
    }

    /// Paths in a preset file are relative to its folder, if they exist there. `demo` and the names of STS corpora are
    /// no paths.
    fn relative_to(mut self, folder: &Path) -> Self {
        let own = self.method.values_mut().flat_map(|own| [&mut own.model, &mut own.corpus]);
        let all = own.chain([&mut self.model, &mut self.sts]).flatten().chain(&mut self.corpus);
        let is_name = |value: &str| value.is_empty() || value == DEMO || StsCorpus::named(value).is_some();
        for value in all.filter(|value| !is_name(value)) {
            let path = folder.join(&*value);
            if path.exists() {
                *value = path.to_string_lossy().into_owned();
            }
        }
        self
    }

    /// The preset at a scale.
    pub(crate) fn at(self, scale: Scale) -> Result<Self> {
        match scale {
            Scale::Full => Ok(self),
            Scale::Tiny => {
                let tiny: Self = toml::from_str(TINY).context("the scale tiny")?;
                Ok(self.shrunk(tiny))
            }
        }
    }

    /// The methods of this preset, and the rest of `tiny`.
    fn shrunk(self, tiny: Self) -> Self {
        // The few steps are for every method.
        let without_steps = |set: &mut Vec<String>| set.retain(|setting| axis::key(setting) != "steps");
        let (mut set, mut method) = (self.set, self.method);
        without_steps(&mut set);
        for own in method.values_mut() {
            without_steps(&mut own.set);
        }
        for (name, own) in tiny.method.into_iter().filter(|(name, _)| self.methods.contains(name)) {
            method.entry(name).or_default().set.extend(own.set);
        }
        for (name, own) in &mut method {
            (own.model, own.corpus, own.note) = (None, None, None);
            // A method's own settings come after those of all methods.
            let trains = Recipe::load(name, &[]).is_ok_and(|recipe| recipe.steps > 0);
            own.set.extend(tiny.set.iter().filter(|_| trains).cloned());
        }
        set.extend(tiny.set);
        let note =
            "scale tiny: a few steps, the same encoder and corpus for every method; the scores mean nothing"
                .to_owned();
        Self {
            methods: self.methods,
            set,
            set_ami: self.set_ami,
            method,
            against: self.against,
            notes: [vec![note], self.notes].concat(),
            ..tiny
        }
    }
}

impl MethodSettings {
    /// Its settings, and its transformation as a setting.
    pub(crate) fn settings(&self) -> Vec<String> {
        let post = self.post.as_ref().map(|post| format!("post={post}"));
        self.set.iter().cloned().chain(post).collect()
    }
}

/// Whether a preset's name is that of a file.
fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

/// The preset's name in tables and as its default folder.
pub(crate) fn short_name(name: &str, scale: Scale) -> String {
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str());
    let name = stem.filter(|_| is_file(name)).unwrap_or(name);
    if scale == Scale::Tiny { format!("{name}-tiny") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_name_recipes_and_sizes_that_exist() {
        for (name, _) in PRESETS {
            for scale in [Scale::Full, Scale::Tiny] {
                let preset = Preset::load(name).and_then(|preset| preset.at(scale)).expect(name);
                micse_data::parse_sizes(&preset.sizes).expect(name);
                micse_data::parse_seeds(&preset.seeds).expect(name);
                for method in &preset.methods {
                    let plain = Recipe::load(method, &[]).expect(method);
                    Recipe::load(method, &preset.settings(method, &plain)).expect(method);
                }
            }
        }
    }

    /// Table 2 has ten rows at four sizes; the paper draws five samples of each size.
    #[test]
    fn the_tables_have_the_paper_s_cells() {
        let cells = |name: &str| {
            let preset = Preset::load(name).expect(name);
            let sizes = micse_data::parse_sizes(&preset.sizes).expect(name).len();
            (preset.methods.len(), sizes, micse_data::parse_seeds(&preset.seeds).expect(name).len())
        };
        assert_eq!(cells("table-1"), (16, 1, 5), "17 systems with GloVe");
        assert_eq!(cells("table-2"), (10, 4, 5));
        assert_eq!(cells("table-3"), (4, 4, 5));
        assert_eq!(cells("figure-2"), (5, 5, 5));
        assert_eq!(cells("ablation"), (4, 5, 5));
    }

    #[test]
    fn a_file_of_ones_own_is_a_preset() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mine.toml");
        let load = |text: &str| {
            std::fs::write(&file, text).expect("the file");
            Preset::load(file.to_str().expect("UTF-8")).map_err(|error| format!("{error:#}"))
        };
        let text =
            "methods = [\"simcse\"]\n[method.simcse]\nencoder = \"mine\"\npost = { kind = \"whitening\" }\n";
        let preset = load(text).expect("a preset");
        let plain = Recipe::load("simcse", &[]).expect("a recipe");
        let recipe = Recipe::load("simcse", &preset.settings("simcse", &plain)).expect("a recipe with post");
        assert!(recipe.post.is_some());
        assert_eq!((preset.sizes.as_str(), preset.seeds.as_str()), ("100%", "48..52"));
        for (text, part) in [
            ("methods = []", "`methods` is missing"),
            ("methods = [\"simcse\"]\n[method.ct]\n", "[method.ct] is not one"),
            ("methods = [\"simcse\"]\nsize = \"1%\"", "size"),
            ("methods = [\"simcse\"]\n[method.simcse]\ncorpora = \"a\"", "corpora"),
            ("methods = [\"simcse\"]\nagainst = \"table-4\"", "table-4"),
            ("methods = [\"simcse\"]\n[method.simcse]\nmodel = \"\"", "empty model"),
        ] {
            let error = load(text).err().expect(text);
            assert!(error.contains(part) && error.contains("mine.toml"), "{error}");
        }
        std::fs::write(folder.path().join("own.txt"), "a sentence").expect("a corpus");
        let text = "methods = [\"simcse\"]\n[method.simcse]\ncorpus = \"own.txt\"\n";
        let corpus = load(text).expect("a preset").method["simcse"].corpus.clone();
        assert_eq!(corpus, Some(folder.path().join("own.txt").to_string_lossy().into_owned()));
        assert_eq!(short_name("a/mine.toml", Scale::Full), "mine");
        assert_eq!(short_name("table-1", Scale::Tiny), "table-1-tiny");
    }
}

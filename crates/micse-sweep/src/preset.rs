//! Presets: named grids with settings.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use micse_train::Recipe;
use serde::Deserialize;

/// A preset file. Missing values come from the recipes or the command line.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    pub(crate) methods: Vec<String>,
    pub(crate) sizes: String,
    pub(crate) seeds: String,
    pub(crate) steps: Option<usize>,
    #[serde(default)]
    pub(crate) corpus: Vec<String>,
    pub(crate) sts: Option<String>,
    pub(crate) model: Option<String>,
    /// Settings for every recipe that trains.
    #[serde(default)]
    pub(crate) set: Vec<String>,
    /// Additional settings for recipes with an AMI term.
    #[serde(default)]
    pub(crate) set_ami: Vec<String>,
    /// Settings for single recipes.
    #[serde(default)]
    pub(crate) set_method: BTreeMap<String, Vec<String>>,
}

const PRESETS: [(&str, &str); 5] = [
    ("demo", include_str!("../presets/demo.toml")),
    ("quick", include_str!("../presets/quick.toml")),
    ("methods", include_str!("../presets/methods.toml")),
    ("low-shot", include_str!("../presets/low-shot.toml")),
    ("paper", include_str!("../presets/paper.toml")),
];

impl Preset {
    /// The name of a sweep without a preset, in tables and as its default folder.
    pub(crate) const NONE: &str = "own";

    /// No preset: the requested methods with their own settings, on the whole corpus, with five seeds.
    pub(crate) fn none(methods: Option<&[String]>) -> Result<Self> {
        let Some(methods) = methods else {
            bail!(
                "no preset applies to your own model or corpus; pass --methods to use the recipes' own settings, or \
                 --preset"
            );
        };
        let (sizes, seeds) = ("100%".into(), "48..52".into());
        Ok(Self { methods: methods.to_vec(), sizes, seeds, ..Self::default() })
    }

    /// The preset's settings for a recipe; settings for single recipes come last.
    pub(crate) fn settings(&self, method: &str, recipe: &Recipe) -> Vec<String> {
        if recipe.steps == 0 {
            return self.set_method.get(method).cloned().unwrap_or_default();
        }
        let mut settings = self.set.clone();
        if recipe.ami().next().is_some() {
            settings.extend(self.set_ami.iter().cloned());
        }
        settings.extend(self.set_method.get(method).into_iter().flatten().cloned());
        settings
    }

    pub(crate) fn load(name: &str) -> Result<Self> {
        let (_, text) =
            PRESETS.iter().find(|(n, _)| *n == name).with_context(|| format!("unknown preset {name}"))?;
        toml::from_str(text).with_context(|| format!("preset {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_name_recipes_and_sizes_that_exist() {
        for (name, _) in PRESETS {
            let preset = Preset::load(name).expect(name);
            micse_data::parse_sizes(&preset.sizes).expect(name);
            micse_data::parse_seeds(&preset.seeds).expect(name);
            for method in &preset.methods {
                let plain = Recipe::load(method, &[]).expect(method);
                Recipe::load(method, &preset.settings(method, &plain)).expect(method);
            }
            for method in preset.set_method.keys() {
                assert!(
                    preset.methods.contains(method),
                    "{name} has settings for {method}, which it does not run"
                );
            }
        }
    }
}

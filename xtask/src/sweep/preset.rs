//! Presets: methods, sizes, seeds and settings under one name.

use anyhow::{Context, Result};
use serde::Deserialize;

/// A preset's file. What is absent is the recipes' or the command line's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preset {
    pub(super) methods: Vec<String>,
    pub(super) sizes: String,
    pub(super) seeds: String,
    pub(super) steps: Option<usize>,
    #[serde(default)]
    pub(super) corpus: Vec<String>,
    pub(super) sts: Option<String>,
    pub(super) encoder: Option<String>,
    /// Settings of every recipe.
    #[serde(default)]
    pub(super) set: Vec<String>,
    /// Settings of the recipes that have an AMI term.
    #[serde(default)]
    pub(super) set_ami: Vec<String>,
}

const PRESETS: [(&str, &str); 3] = [
    ("demo", include_str!("../../presets/demo.toml")),
    ("quick", include_str!("../../presets/quick.toml")),
    ("paper", include_str!("../../presets/paper.toml")),
];

impl Preset {
    pub(super) fn load(name: &str) -> Result<Self> {
        let (_, text) =
            PRESETS.iter().find(|(n, _)| *n == name).with_context(|| format!("there is no preset {name}"))?;
        toml::from_str(text).with_context(|| format!("preset {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use micse_train::Recipe;

    #[test]
    fn presets_name_recipes_and_sizes_that_exist() {
        for (name, _) in PRESETS {
            let preset = Preset::load(name).expect(name);
            micse_data::parse_sizes(&preset.sizes).expect(name);
            micse_data::parse_seeds(&preset.seeds).expect(name);
            for method in &preset.methods {
                let recipe = Recipe::load(method, &preset.set).expect(method);
                if recipe.ami().next().is_some() {
                    Recipe::load(method, &preset.set_ami).expect(method);
                }
            }
        }
    }
}

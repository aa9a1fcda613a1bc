//! From methods to recipes with the preset's and the user's settings.

use anyhow::{Result, bail};
use micse_train::Recipe;

use crate::axis::{self, Axis};
use crate::options::GridOptions;
use crate::preset::Preset;

impl GridOptions {
    /// The methods of the sweep.
    pub(crate) fn methods(&self, preset: &Preset) -> Result<Vec<String>> {
        let all = self.methods.as_ref().unwrap_or(&preset.methods);
        if let Some(unknown) = self.without.iter().find(|name| !all.contains(name)) {
            bail!("--without {unknown}: not a method of this sweep; use one of {}", all.join(", "));
        }
        let kept: Vec<String> = all.iter().filter(|method| !self.without.contains(method)).cloned().collect();
        if kept.is_empty() {
            bail!("--without omits every method; keep at least one");
        }
        Ok(kept)
    }

    /// The recipes of each method, at every point of the axes.
    pub(crate) fn recipes(
        &self,
        preset: &Preset,
        methods: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Vec<Vec<Recipe>>> {
        let mut recipes = Vec::new();
        let mut used = vec![false; self.axes.len()];
        for method in methods {
            let mut missing = Vec::new();
            let variants = axis::variants(
                &self.axes,
                &|further| self.recipe(method, preset, further),
                &mut |axis, _| missing.push(axis.clone()),
            )?;
            for (axis, used) in self.axes.iter().zip(&mut used) {
                *used |= !missing.contains(axis);
            }
            notes.extend(
                missing
                    .iter()
                    .map(|axis: &Axis| format!("{method}: --axis {axis} does not apply, so it runs once")),
            );
            for recipe in &variants {
                if self.chunk.is_some() {
                    recipe.check_chunks()?;
                }
            }
            recipes.push(variants);
        }
        axis::check_used(&self.axes, |axis| self.axes.iter().zip(&used).any(|(a, used)| a == axis && !used))?;
        Ok(recipes)
    }

    fn recipe(&self, method: &str, preset: &Preset, further: &[String]) -> Result<Recipe> {
        let plain = Recipe::load(method, &[])?;
        let with: &[String] = if plain.steps > 0 { &self.with } else { &[] };
        let mut settings = preset.settings(method, &Recipe::load_with(method, with, &[])?);
        if plain.steps > 0 {
            settings.extend(self.settings.iter().cloned());
        }
        settings.extend(further.iter().cloned());
        Ok(Recipe::load_for(method, with, &settings, self.steps.or(preset.steps))?)
    }

    /// Whether a method has other values than its recipe's own.
    pub(crate) fn changes(&self, preset: &Preset, method: &str) -> Result<bool> {
        let plain = Recipe::load(method, &[])?;
        let trains = plain.steps > 0;
        let everywhere =
            self.steps.or(preset.steps).is_some() || !self.with.is_empty() || !self.axes.is_empty();
        Ok(!preset.settings(method, &plain).is_empty() || trains && (everywhere || !self.settings.is_empty()))
    }

    /// One line that lists the differences from the recipes, for the tables.
    pub(crate) fn settings_line(&self, preset: &Preset, methods: &[String]) -> String {
        let steps = self.steps.or(preset.steps).map(|steps| format!("steps={steps}"));
        let mut parts: Vec<String> = steps.into_iter().chain(preset.set.iter().cloned()).collect();
        parts.extend(preset.set_ami.iter().map(|setting| format!("{setting} (methods with AMI)")));
        for (method, own) in preset.method.iter().filter(|(method, _)| methods.contains(method)) {
            parts.extend(own.settings().iter().map(|setting| format!("{setting} ({method})")));
        }
        parts.extend(self.settings.iter().cloned());
        parts.extend(self.with.iter().map(|term| format!("with {term}")));
        parts.extend(self.axes.iter().map(|axis| format!("axis {axis}")));
        if self.compute.engine.precision != micse_model::Precision::default() {
            parts.push(format!("precision={}", self.compute.engine.precision));
        }
        parts.extend(self.compute.engine.engine.map(|engine| format!("engine={engine}")));
        parts.extend(self.chunk.map(|sentences| format!("chunk={sentences}")));
        if parts.is_empty() {
            "settings: the recipes' own".into()
        } else {
            format!("settings: {}", parts.join(", "))
        }
    }
}

//! From methods to recipes with the preset's and the user's settings.

use anyhow::{Result, bail};
use micse_train::Recipe;
use micse_train::recipe::names;

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
        axis::check_distinct(&self.axes, &self.settings)?;
        if let (Some(steps), Some(setting)) = (self.steps, self.steps_setting()) {
            bail!("--steps {steps} and {setting} both give the number of steps; keep one of them");
        }
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
        let before = Recipe::load_with(method, with, &[])?;
        let of_preset = preset.settings(method, &before);
        let own = if plain.steps > 0 { self.settings.as_slice() } else { &[] };
        let own = [own, further].concat();
        let mut settings = [of_preset.as_slice(), &own].concat();
        settings.retain(|setting| !self.overrides(setting));
        let given = settings.iter().any(|setting| axis::key(setting) == "steps");
        let steps = self.steps.or(preset.steps.filter(|_| !given));
        if steps == Some(0) && plain.steps > 0 {
            bail!("{method}: the number of steps is 0; use --steps 1 or more");
        }
        let recipe = match (self.steps, preset.steps) {
            // The preset's schedule is one for the preset's steps.
            (Some(steps), preset_steps)
                if of_preset.iter().any(|setting| Recipe::is_of_schedule(setting)) =>
            {
                Recipe::load_for(method, with, &settings, preset_steps)
                    .map(|recipe| recipe.for_steps(steps, &own))
            }
            _ => Recipe::load_for(method, with, &settings, steps),
        };
        recipe.map_err(|error| {
            let error = anyhow::Error::new(error);
            match self.settings.iter().find(|setting| !before.has(axis::key(setting))) {
                Some(setting) => error.context(format!(
                    "--set {setting} changes every recipe that trains, and not all of them have this value; pass --axis \
                     {setting} to change those that have it"
                )),
                None => error,
            }
        })
    }

    /// Whether `--steps` overrides this setting of a preset.
    fn overrides(&self, setting: &str) -> bool {
        self.steps.is_some() && axis::key(setting) == "steps"
    }

    /// The option besides `--steps` that gives the number of steps.
    fn steps_setting(&self) -> Option<String> {
        let set = self.settings.iter().find(|setting| axis::key(setting) == "steps");
        let axis = self.axes.iter().find(|axis| axis.key() == "steps");
        set.map(|setting| format!("--set {setting}")).or(axis.map(|axis| format!("--axis {axis}")))
    }

    /// One line that lists the differences from the recipes, for the tables.
    pub(crate) fn settings_line(&self, preset: &Preset, methods: &[String]) -> String {
        let steps = self.steps.or(preset.steps.filter(|_| self.steps_setting().is_none()));
        let steps = steps.map(|steps| format!("steps={steps}"));
        let kept = |setting: &&String| !self.overrides(setting);
        let mut parts: Vec<String> =
            steps.into_iter().chain(preset.set.iter().filter(kept).cloned()).collect();
        parts.extend(preset.set_ami.iter().map(|setting| format!("{setting} (methods with AMI)")));
        for (method, own) in preset.method.iter().filter(|(method, _)| methods.contains(method)) {
            parts.extend(own.settings().iter().filter(kept).map(|setting| format!("{setting} ({method})")));
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

/// Whether a recipe of a method has other values than the built-in one of its name (`simcse@mine` is a `simcse`), or, if
/// there is none, than the method's file.
pub(crate) fn is_changed(method: &str, recipe: &Recipe) -> Result<bool> {
    // The point of the axes comes after the name.
    let name = recipe.name.split(' ').next().unwrap_or_default();
    let variant_of = name.split('@').next().unwrap_or_default();
    let built_in = [name, variant_of].into_iter().find(|name| names().contains(name));
    Ok(!recipe.has_values_of(&Recipe::load(built_in.unwrap_or(method), &[])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_compared_with_the_built_in_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let changed = |text: &str, settings: &[&str]| {
            let file = folder.path().join("mine.toml");
            std::fs::write(&file, text).unwrap();
            let (file, settings) = (file.to_str().unwrap(), settings.iter().map(|&s| s.to_owned()));
            let recipe = Recipe::load(file, &settings.collect::<Vec<_>>()).unwrap();
            is_changed(file, &recipe).unwrap()
        };
        let other = "extends = \"simcse\"\nsteps = 2\n[optimizer]\nlr = 1e-3\n";
        assert!(changed(other, &[]), "a file with the name of a built-in recipe");
        assert!(!changed("extends = \"simcse\"\nsource = \"mine\"\n", &[]));
        assert!(changed(&format!("name = \"simcse@mine\"\n{other}"), &[]));
        assert!(!changed(&format!("name = \"mine\"\n{other}"), &[]));
        assert!(changed(&format!("name = \"mine\"\n{other}"), &["steps=3"]));
        let untrained = Recipe::load("bert-cls", &["pooling.test=mean".to_owned()]).unwrap();
        assert!(is_changed("bert-cls", &untrained).unwrap());
        let plain = Recipe::load("ami-simcse@released-code", &[]).unwrap();
        assert!(!is_changed("ami-simcse@released-code", &plain).unwrap());
    }
}

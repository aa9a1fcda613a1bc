//! The recipe of `micse train`: what was chosen for the model and the corpus, and what the user asked for instead.

use anyhow::{Context, Result};
use micse_cli::note;

use super::settings::{choose, line, warmup};
use super::{KeepOption, Train};
use crate::model::ModelFolder;
use crate::train::Recipe;
use crate::train::recipe::Select;

/// Default number of development scores per run.
const DEVELOPMENT_SCORES: usize = 20;

impl Train {
    /// The recipe: the settings chosen for the corpus and the model, overridden by the user's.
    pub(super) fn recipe(&self, sentences: usize, base: &ModelFolder) -> Result<Recipe> {
        let last = matches!(self.keep, Some(KeepOption::Last));
        let named = |key: &str| {
            self.settings.iter().any(|s| s.trim_start().starts_with(key)) || (last && key == "select")
        };
        let pooling = match base.pooling() {
            Err(_) if named("pooling.train") && named("pooling.test") => None,
            other => other.context(
                "cannot choose settings; pass the pooling with --set pooling.train=mean --set pooling.test=mean",
            )?,
        };
        let chosen = choose(pooling);
        let name = self.recipe.as_deref().unwrap_or(chosen.recipe);
        let plain = Recipe::load_with(name, &self.with, &[])?;
        let published = self.published_settings || plain.steps == 0;
        let mut settings =
            if published { self.settings.clone() } else { chosen.for_recipe(&plain, &self.settings) };
        // Without development pairs, a recipe cannot select weights by them.
        let selects = !published && plain.select != Select::Last && !named("select");
        let unselected = selects && self.pairs.is_none() && self.sts.is_none();
        if unselected || last {
            settings.push("select=last".to_owned());
        }
        let steps = self.steps.or((!published && !named("steps")).then_some(chosen.steps));
        let load = |settings: &[String]| {
            Recipe::load_for(name, &self.with, settings, steps).map(|recipe| recipe.for_sentences(sentences))
        };
        let mut recipe = load(&settings).map_err(|error| {
            let remedy = "cannot combine your settings with those chosen for this model and corpus; fix them, or pass \
                          --published-settings to start from the recipe's";
            if published { anyhow::Error::from(error) } else { anyhow::Error::from(error).context(remedy) }
        })?;
        if !published && !named("optimizer.warmup_steps") {
            settings.push(warmup(recipe.steps));
            recipe = load(&settings)?;
        }
        let last = named("select") && recipe.select == Select::Last;
        if self.pairs.is_some() && recipe.steps > 0 && !last {
            let every = (recipe.steps / DEVELOPMENT_SCORES).max(1);
            let own = [("select", "stsb-dev".to_owned()), ("eval_every", every.to_string())];
            let more = own.iter().filter(|(key, _)| !named(key)).map(|(key, value)| format!("{key}={value}"));
            recipe = load(&settings.iter().cloned().chain(more).collect::<Vec<_>>())?;
        }
        note(line(&recipe, sentences));
        if published {
            note("  the recipe's published settings, with your changes");
        } else {
            let mut given: Vec<String> =
                self.settings.iter().filter_map(|s| Some(s.split_once('=')?.0.trim().to_owned())).collect();
            given.extend((name != chosen.recipe).then(|| "recipe".to_owned()));
            given.extend(self.steps.map(|_| "steps".to_owned()));
            chosen.reasons_without(&given).for_each(|reason| note(format_args!("  {reason}")));
            note(
                "  --recipe, --steps and --set KEY=VALUE override these; --published-settings uses the recipe's",
            );
        }
        Ok(recipe)
    }
}

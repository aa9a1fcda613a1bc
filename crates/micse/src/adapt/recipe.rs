//! The recipe of an adaptation: what was chosen for the model and the corpus, and what the user asked for instead.

use super::settings::{self, line, warmup};
use super::{Error, Kept, Note, Request, Result};
use crate::model::ModelFolder;
use crate::train::Recipe;
use crate::train::recipe::Select;

/// Default number of development scores per run.
const DEVELOPMENT_SCORES: usize = 20;

/// The recipe: the settings chosen for the corpus and the model, overridden by the user's.
pub(super) fn choose(
    request: &Request,
    sentences: usize,
    base: &ModelFolder,
    notes: &mut Vec<Note>,
) -> Result<Recipe> {
    let last = request.keep == Kept::Last;
    let named = |key: &str| {
        request.settings.iter().any(|s| s.trim_start().starts_with(key)) || (last && key == "select")
    };
    let pooling = match base.pooling() {
        Err(_) if named("pooling.train") && named("pooling.test") => None,
        other => other.map_err(Error::Pooling)?,
    };
    let chosen = settings::choose(pooling);
    let name = request.recipe.as_deref().unwrap_or(chosen.recipe);
    let plain = Recipe::load_with(name, &request.with, &[])?;
    let published = request.published_settings || plain.steps == 0;
    let mut settings =
        if published { request.settings.clone() } else { chosen.for_recipe(&plain, &request.settings) };
    // Only --pairs select weights. STS sets are test sets, so their development pairs must not.
    let selects = !published && plain.select != Select::Last && !named("select");
    let unselected = selects && request.pairs.is_none();
    if unselected || last {
        settings.push("select=last".to_owned());
    }
    let steps = request.steps.or((!published && !named("steps")).then_some(chosen.steps));
    let load = |settings: &[String]| {
        Recipe::load_for(name, &request.with, settings, steps).map(|recipe| recipe.for_sentences(sentences))
    };
    let mut recipe = load(&settings).map_err(|error| {
        match Recipe::load_with(name, &request.with, &request.settings) {
            Ok(_) if !published => {
                let chosen = settings.iter().filter(|s| !request.settings.contains(s));
                let chosen = chosen.map(String::as_str).collect::<Vec<_>>().join(", ");
                Error::Settings { chosen, source: Box::new(error) }
            }
            Ok(_) => Error::Train(error),
            // Without the chosen settings, it would be wrong too.
            Err(own) => Error::Train(own),
        }
    })?;
    if !published && !named("optimizer.warmup_steps") {
        settings.push(warmup(recipe.steps));
        recipe = load(&settings)?;
    }
    let last = named("select") && recipe.select == Select::Last;
    if request.pairs.is_some() && recipe.steps > 0 && !last {
        let every = (recipe.steps / DEVELOPMENT_SCORES).max(1);
        let own = [("select", "stsb-dev".to_owned()), ("eval_every", every.to_string())];
        let more = own.iter().filter(|(key, _)| !named(key)).map(|(key, value)| format!("{key}={value}"));
        recipe = load(&settings.iter().cloned().chain(more).collect::<Vec<_>>())?;
    }
    let mut note = |line: String| notes.push(Note::Plain(line));
    note(line(&recipe, sentences));
    if published {
        note("  the recipe's published settings, with your changes".to_owned());
    } else {
        let mut given: Vec<String> =
            request.settings.iter().filter_map(|s| Some(s.split_once('=')?.0.trim().to_owned())).collect();
        given.extend((name != chosen.recipe).then(|| "recipe".to_owned()));
        given.extend(request.steps.map(|_| "steps".to_owned()));
        chosen.reasons_without(&given).for_each(|reason| note(format!("  {reason}")));
        if plain.needs_head() && recipe.head == plain.head {
            note("  head: the recipe's own, which its loss needs".to_owned());
        }
        note(
            "  --recipe, --steps and --set KEY=VALUE override these; --published-settings uses the recipe's"
                .to_owned(),
        );
    }
    Ok(recipe)
}

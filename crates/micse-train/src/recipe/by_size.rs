//! Values of a recipe that depend on the number of training sentences.
//!
//! ```toml
//! [[by_size]]
//! up_to = 1000
//! epochs = 500
//! set = ["objectives.ami.weight=1e-3"]
//! ```
//!
//! A training set gets the first entry whose `up_to` it does not exceed, else the recipe's own values.

use serde::Deserialize;
use toml::Table;

use super::steps::Asked;
use super::{Recipe, set};

/// One entry as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The largest number of sentences.
    up_to: usize,
    /// Passes over the sentences, instead of `steps`.
    epochs: Option<usize>,
    /// Further settings, `key.path=value`.
    #[serde(default)]
    set: Vec<String>,
}

/// The recipe for training sets of at most `up_to` sentences.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BySize {
    up_to: usize,
    pub(super) epochs: Option<usize>,
    pub(super) recipe: Recipe,
    /// What the entry or the user gives: it does not change with the steps that `epochs` makes.
    pub(super) asked: Asked,
}

impl BySize {
    /// The entry without names and sources.
    pub(super) fn values(&self) -> Self {
        Self { recipe: self.recipe.values(), ..self.clone() }
    }
}

/// Takes the entries out of a recipe, and reads the recipe of each with `read`.
pub(super) fn take(
    table: &mut Table,
    read: impl Fn(Table) -> Result<Recipe, String>,
) -> Result<Vec<BySize>, String> {
    let Some(entries) = table.remove("by_size") else { return Ok(Vec::new()) };
    let entries: Vec<Entry> = entries.try_into().map_err(|e| format!("by_size: {e}"))?;
    if entries.is_empty() || entries.windows(2).any(|pair| pair[0].up_to >= pair[1].up_to) {
        return Err("by_size needs entries sorted by up_to".into());
    }
    let recipe = |entry: Entry| {
        let invalid = |reason: String| format!("by_size, up_to = {}: {reason}", entry.up_to);
        let mut table = table.clone();
        entry.set.iter().try_for_each(|setting| set::apply(&mut table, setting)).map_err(invalid)?;
        let recipe = read(table).map_err(invalid)?;
        if entry.epochs.is_some() && recipe.optimizer.is_none() {
            return Err(invalid("epochs needs a recipe that trains".into()));
        }
        Ok(BySize { up_to: entry.up_to, epochs: entry.epochs, recipe, asked: Asked::of(&entry.set) })
    };
    entries.into_iter().map(recipe).collect()
}

impl Recipe {
    /// The recipe for a training set of this many sentences: with the values of its `[[by_size]]` entry, if one
    /// applies. The result no longer depends on the number.
    #[must_use]
    pub fn for_sentences(self, sentences: usize) -> Self {
        let Some(entry) = self.by_size.iter().find(|entry| sentences <= entry.up_to) else {
            return Self { by_size: Vec::new(), ..self };
        };
        let recipe = Self { name: self.name.clone(), ..entry.recipe.clone() };
        let batch = recipe.optimizer.as_ref().map(|o| o.batch_size);
        let steps = entry.epochs.zip(batch).map(|(epochs, batch)| epochs * sentences.div_ceil(batch));
        if steps.is_some() { recipe.with_steps(steps, entry.asked) } else { recipe }
    }

    /// Whether the recipe has other values for small training sets.
    pub fn depends_on_size(&self) -> bool {
        !self.by_size.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRIES: &str = "extends = \"simcse\"\nname = \"sized\"\n\
        [[by_size]]\nup_to = 100\nepochs = 3\nset = [\"optimizer.lr=0.1\"]\n\
        [[by_size]]\nup_to = 1000\nepochs = 2\n";

    #[test]
    fn the_first_entry_that_is_large_enough_applies() {
        let own = Recipe::parse("sized", ENTRIES).expect("a recipe");
        let at = |recipe: &Recipe, sentences: usize| {
            let found = recipe.clone().for_sentences(sentences);
            assert!(!found.depends_on_size() && found.name == "sized");
            (found.steps, found.optimizer().expect("an optimizer").lr)
        };
        let rate = own.optimizer().expect("an optimizer").lr;
        assert_eq!(own.steps, 15_625);
        for (sentences, expected) in [
            (65, (3 * 2, 0.1)),
            (100, (3 * 2, 0.1)),
            (101, (2 * 2, rate)),
            (1000, (2 * 16, rate)),
            (1001, (15_625, rate)),
        ] {
            assert_eq!(at(&own, sentences), expected, "{sentences}");
        }
        // What is asked for comes first.
        let asked = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
            Recipe::parse_with("sized", ENTRIES, &[], &settings).expect("a recipe")
        };
        assert_eq!(at(&asked(&["optimizer.lr=0.5", "optimizer.batch_size=10"]), 65), (3 * 7, 0.5));
        assert_eq!(at(&asked(&["steps=9"]), 65), (9, 0.1));
        assert_eq!(at(&own.with_steps(Some(50), Asked::default()), 65), (50, 0.1));
    }

    #[test]
    fn invalid_entries_are_refused_even_if_another_one_applies() {
        for (entries, word) in [
            ("[[by_size]]\nup_to = 10\nset = [\"gone.x=1\"]\n", "up_to = 10"),
            ("[[by_size]]\nup_to = 10\nset = [\"optimizer.lr=-1.0\"]\n", "optimizer.lr"),
            ("[[by_size]]\nup_to = 10\n[[by_size]]\nup_to = 10\n", "sorted"),
            ("[[by_size]]\nup_to = 10\nsteps = 3\n", "steps"),
        ] {
            let text = format!("extends = \"simcse\"\nname = \"sized\"\n{entries}");
            let error = Recipe::parse("sized", &text).expect_err(entries).to_string();
            assert!(error.contains(word), "{error}");
        }
        let untrained = "extends = \"bert-cls\"\nname = \"sized\"\n[[by_size]]\nup_to = 10\nepochs = 3\n";
        assert!(Recipe::parse("sized", untrained).expect_err("epochs").to_string().contains("trains"));
    }
}

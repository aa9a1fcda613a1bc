//! `--axis KEY=V1,V2,...`: any recipe value as another axis of the grid.

use anyhow::{Result, anyhow, bail};
use micse_train::Recipe;

/// A recipe key and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    key: String,
    values: Vec<String>,
}

impl std::str::FromStr for Axis {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            anyhow!("`{text}` is not a valid axis; write KEY=VALUE,VALUE,... such as optimizer.lr=1e-5,3e-5")
        };
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values = split(values);
        if key.is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        if let Some(twice) = values.iter().enumerate().find(|(i, v)| values[..*i].contains(v)) {
            bail!("--axis `{text}`: {} appears twice; remove one", twice.1);
        }
        Ok(Self { key: key.to_owned(), values })
    }
}

/// Splits at commas, except inside lists and quotes.
fn split(text: &str) -> Vec<String> {
    let (mut values, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(value) = values.last_mut() {
            value.push(c);
        }
    }
    values.into_iter().map(|value| value.trim().to_owned()).collect()
}

impl Axis {
    /// The key without its section name, for tables.
    fn short(&self) -> &str {
        let parts = ["objectives.", "optimizer."];
        parts.iter().find_map(|part| self.key.strip_prefix(part)).unwrap_or(&self.key)
    }
}

/// The recipe at every point of the axes, named after the point. `load` loads it with additional settings. An axis
/// whose key the recipe does not have is skipped and passed to `missing`.
pub(crate) fn variants(
    axes: &[Axis],
    load: &dyn Fn(&[String]) -> Result<Recipe>,
    missing: &mut dyn FnMut(&Axis, &Recipe),
) -> Result<Vec<Recipe>> {
    let plain = load(&[])?;
    let mut points: Vec<(String, Vec<String>)> = vec![(String::new(), Vec::new())];
    for axis in axes {
        if plain.steps == 0 || !has(&plain, &axis.key) {
            missing(axis, &plain);
            continue;
        }
        points = points
            .iter()
            .flat_map(|(name, settings)| {
                axis.values.iter().map(move |value| {
                    let mut settings = settings.clone();
                    settings.push(format!("{}={value}", axis.key));
                    (format!("{name} {}={value}", axis.short()), settings)
                })
            })
            .collect();
    }
    points
        .into_iter()
        .map(|(name, settings)| {
            let mut recipe = load(&settings)?;
            recipe.name.push_str(&name);
            Ok(recipe)
        })
        .collect()
}

/// Whether a recipe has the table that a key is in: an objective, by its kind, or an optional table.
fn has(recipe: &Recipe, key: &str) -> bool {
    let mut parts = key.split('.');
    match (parts.next(), parts.next()) {
        (Some("objectives"), Some(kind)) => recipe.objectives.iter().any(|o| o.name() == kind),
        (Some("momentum"), _) => recipe.momentum.is_some(),
        (Some("second"), _) => recipe.second.is_some(),
        (Some("post"), _) => recipe.post.is_some(),
        _ => true,
    }
}

/// Rejects axes that no recipe has.
pub(crate) fn check_used(axes: &[Axis], unused: impl Fn(&Axis) -> bool) -> Result<()> {
    if let Some(axis) = axes.iter().find(|axis| unused(axis)) {
        bail!("--axis {}: no method has this key; use a key of their recipes", axis.key);
    }
    Ok(())
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.values.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_read() {
        let axis: Axis = "objectives.ami.layers=[1, 2],[3],\"a,b\"".parse().unwrap();
        assert_eq!(axis.values, ["[1, 2]", "[3]", "\"a,b\""]);
        assert_eq!(axis.short(), "ami.layers");
        for wrong in ["lr", "=1", "lr=", "lr=1,,2", "lr=1,1"] {
            wrong.parse::<Axis>().unwrap_err();
        }
    }

    #[test]
    fn every_point_is_a_recipe_of_its_own() {
        let axes: Vec<Axis> = ["objectives.ami.weight=0.1,1.0", "optimizer.lr=1e-5,2e-5,3e-5"]
            .map(|a| a.parse().unwrap())
            .into();
        let load = |name: &'static str| move |s: &[String]| Ok(Recipe::load(name, s)?);
        let names = |name| {
            let mut missed = Vec::new();
            let all = variants(&axes, &load(name), &mut |axis, _| missed.push(axis.key.clone())).unwrap();
            (all.into_iter().map(|r| r.name).collect::<Vec<_>>(), missed)
        };
        let (micse, missed) = names("micse");
        assert_eq!(micse.len(), 6);
        assert_eq!(micse[0], "micse ami.weight=0.1 lr=1e-5");
        assert!(missed.is_empty());
        let (simcse, missed) = names("simcse");
        assert_eq!(simcse, ["simcse lr=1e-5", "simcse lr=2e-5", "simcse lr=3e-5"]);
        assert_eq!(missed, ["objectives.ami.weight"]);
        let wrong: Axis = "objectives.ami.weight=1,minus".parse().unwrap();
        variants(&[wrong], &load("micse"), &mut |_, _| {}).unwrap_err();
    }
}

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
        let (key, values) = (key.trim(), split(values));
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

/// The key of a setting `key.path=value`.
pub(crate) fn key(setting: &str) -> &str {
    setting.split('=').next().unwrap_or_default().trim()
}

/// Whether a key is this one, or in its table.
fn is_within(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Axis {
    /// The recipe key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the axis replaces what is set before it under this key.
    fn replaces(&self, key: &str) -> bool {
        is_within(key, &self.key)
    }

    /// Whether a recipe has the key.
    fn applies(&self, plain: &Recipe, load: &dyn Fn(&[String]) -> Result<Recipe>) -> bool {
        // What has an effect without training.
        let untrained = ["post", "pooling.test", "max_length"];
        let has_effect = plain.steps > 0 || untrained.into_iter().any(|known| is_within(&self.key, known));
        if !plain.has(&self.key) || !has_effect {
            return false;
        }
        // A table of another kind has other keys; every other error concerns the value.
        let loaded = load(&[format!("{}={}", self.key, self.values[0])]);
        !loaded.is_err_and(|error| format!("{error:#}").contains("unknown field"))
    }

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
        if !axis.applies(&plain, load) {
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

/// Rejects axes that replace the values of another axis or of `--set`: rows would be named after values that no cell has.
pub(crate) fn check_distinct(axes: &[Axis], settings: &[String]) -> Result<()> {
    for (place, axis) in axes.iter().enumerate() {
        if let Some(other) = axes[..place].iter().find(|other| axis.replaces(&other.key)) {
            bail!("--axis {axis} replaces the values of --axis {other}; keep one of them");
        }
        if let Some(setting) = settings.iter().find(|setting| axis.replaces(key(setting))) {
            bail!("--axis {axis} replaces the value of --set {setting}; keep one of them");
        }
    }
    Ok(())
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
        for wrong in ["lr", "=1", " =1", "lr=", "lr=1,,2", "lr=1,1"] {
            wrong.parse::<Axis>().unwrap_err();
        }
    }

    #[test]
    fn no_axis_replaces_another_value() {
        let check = |axes: &[&str], settings: &[&str]| {
            let axes: Vec<Axis> = axes.iter().map(|a| a.parse().unwrap()).collect();
            let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
            check_distinct(&axes, &settings).map_err(|error| error.to_string())
        };
        check(&["optimizer.lr=1,2", "optimizer.clip=1,2"], &["optimizer.eps=1"]).unwrap();
        check(&["momentum={ queue = 8 }", "momentum.decay=0.1"], &["optimizer={}"]).unwrap();
        let twice = check(&["optimizer.lr=1,2", "optimizer.lr=3"], &[]).unwrap_err();
        assert!(twice.contains("--axis optimizer.lr=3 replaces"), "{twice}");
        check(&["momentum.decay=0.1", "momentum={ queue = 8 }"], &[]).unwrap_err();
        let set = check(&["optimizer.lr=1,2"], &["optimizer.lr = 3"]).unwrap_err();
        assert!(set.contains("--set optimizer.lr = 3"), "{set}");
    }

    #[test]
    fn an_axis_reaches_whatever_a_recipe_has() {
        let of = |name: &'static str, axis: &str| {
            let axis: Axis = axis.parse().unwrap();
            let load = |settings: &[String]| Ok(Recipe::load(name, settings)?);
            variants(&[axis], &load, &mut |_, _| {}).unwrap().len()
        };
        assert_eq!(of("bert-whitening", "post.components=16,32"), 2);
        assert_eq!(of("bert-flow", "post.lr=1e-3,1e-4"), 2);
        assert_eq!(of("bert-whitening", "optimizer.lr=1,2"), 1);
        assert_eq!(of("bert-whitening", "steps=1,2"), 1);
        assert_eq!(of("simcse", "objectives.0.weight=1.0,2.0"), 2);
        assert_eq!(of("simcse", "views.1.cut_off.token=0.1,0.2"), 1);
        // Of another kind, or without an effect: the other methods of the sweep have these.
        assert_eq!(of("bert-flow", "post.components=16,32"), 1);
        assert_eq!(of("bert-cls", "pooling.train=cls,mean"), 1);
        assert_eq!(of("bert-cls", "pooling.test=cls,mean"), 2);
        assert_eq!(of("pcl", "views.1.tokens.rate=0.1,0.2"), 1);
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

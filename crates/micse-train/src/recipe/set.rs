//! Changing one value of a recipe by its path.

use toml::{Table, Value};

use super::Recipe;

impl Recipe {
    /// Whether a setting can change the value at this path: whether the recipe has the table that the value is in. One
    /// without training only has the values that it was written with, and no number of steps.
    pub fn has(&self, path: &str) -> bool {
        let Ok(mut table) = Table::try_from(self) else { return false };
        match path.split_once('.') {
            None => self.steps > 0 || path != "steps" && table.contains_key(path),
            Some(_) => parent(&mut table, path).is_ok(),
        }
    }
}

/// Applies `key.path=value`. The last key may be new (unknown keys are rejected when the recipe is read); the keys
/// before it must exist. Without a value, the key is removed.
pub(crate) fn apply(table: &mut Table, setting: &str) -> Result<(), String> {
    let (path, text) = setting.split_once('=').ok_or_else(|| {
        format!("`{setting}` is not a valid setting; write key.path=value, as in optimizer.lr=2e-4")
    })?;
    let (path, text) = (path.trim(), text.trim());
    // A bare word is a string, everything else is TOML.
    let value = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = value.unwrap_or_else(|| Value::String(text.into()));
    if path.is_empty() {
        return Err(format!("`{setting}` has no key"));
    }
    let (place, key) = parent(table, path)?;
    change(place, key, (!text.is_empty()).then_some(value));
    Ok(())
}

/// The table of a path's last key, and this key.
fn parent<'a, 'p>(table: &'a mut Table, path: &'p str) -> Result<(&'a mut Table, &'p str), String> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().unwrap_or_default();
    if last.is_empty() {
        return Err(format!("`{path}` ends without a key"));
    }
    let Some((first, inner)) = keys.split_first() else { return Ok((table, last)) };
    let mut place = table.get_mut(*first).ok_or_else(|| format!("`{path}`: the recipe has no `{first}`"))?;
    for key in inner {
        place = enter(place, key).map_err(|reason| format!("`{path}`: {reason}"))?;
    }
    match place {
        Value::Table(table) => Ok((table, last)),
        _ => Err(format!("`{path}`: the value before `{last}` is not a table")),
    }
}

/// Sets or removes a key. One that is absent already needs no removal: a preset's setting is for many recipes.
fn change(table: &mut Table, key: &str, value: Option<Value>) {
    match value {
        Some(value) => table.insert(key.into(), value),
        None => table.remove(key),
    };
}

/// The member `key` of a table, or of a list of tables: by its `kind`, or by its index.
fn enter<'a>(place: &'a mut Value, key: &str) -> Result<&'a mut Value, String> {
    match place {
        Value::Table(table) => table.get_mut(key).ok_or_else(|| format!("the recipe has no `{key}` there")),
        Value::Array(entries) => {
            let kind = |entry: &Value| entry.get("kind").and_then(Value::as_str).map(str::to_owned);
            let known: Vec<String> = entries.iter().filter_map(kind).collect();
            let found = entries.iter().position(|entry| kind(entry).as_deref() == Some(key));
            let index = found.or_else(|| key.parse().ok());
            index
                .and_then(|index| entries.get_mut(index))
                .ok_or_else(|| format!("no entry `{key}`; existing entries: {}", known.join(", ")))
        }
        _ => Err(format!("`{key}` is inside a value that is not a table")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        "a = 1\n[o]\nlr = 0.1\n[[terms]]\nkind = \"ami\"\nw = 1.0\n[[terms]]\nkind = \"nce\"\nw = 2.0\n"
            .parse()
            .expect("valid TOML")
    }

    #[test]
    fn values_are_changed_by_path() {
        let mut table = sample();
        for setting in ["a=2", "o.lr=1e-3", "terms.ami.w=3.0", "terms.1.w=4.0", "o.name=linear"] {
            apply(&mut table, setting).expect(setting);
        }
        assert_eq!(table["a"].as_integer(), Some(2));
        assert_eq!(table["o"]["lr"].as_float(), Some(1e-3));
        assert_eq!(table["o"]["name"].as_str(), Some("linear"));
        apply(&mut table, "o.name=").expect("a removal");
        assert!(table["o"].get("name").is_none());
        assert_eq!(table["terms"][0]["w"].as_float(), Some(3.0));
        assert_eq!(table["terms"][1]["w"].as_float(), Some(4.0));
    }

    #[test]
    fn a_recipe_has_what_a_setting_can_change() {
        let has = |name: &str, path: &str| Recipe::load(name, &[]).expect(name).has(path);
        for path in ["steps", "eval_every", "optimizer.lr", "views.1.cut_off", "objectives.infonce.weight"] {
            assert!(has("simcse", path) && !has("bert-cls", path), "{path}");
        }
        assert!(has("micse", "objectives.1.weight") && !has("simcse", "objectives.1.weight"));
        assert!(has("micse", "momentum.decay") && !has("simcse", "momentum.decay"));
        assert!(has("bert-whitening", "post.components") && has("bert-flow", "post.lr"));
        assert!(has("bert-mean", "pooling.test") && !has("bert-mean", "post.lr"));
        assert!(!has("simcse", "views.1.cut_off.token") && !has("simcse", "optimizer."));
    }

    #[test]
    fn wrong_paths_are_rejected() {
        for setting in ["a", "=1", "b.c=1", "terms.gone.w=1", "a.b=1", "o.=1"] {
            assert!(apply(&mut sample(), setting).is_err(), "{setting}");
        }
    }
}

//! The difference between two descriptions of a run.

use serde::Serialize;
use serde_json::Value;

/// The first value in which two descriptions of a run differ, in words: by the order of the old one's keys, then of
/// those that only the new one has.
///
/// # Errors
/// One of them cannot be serialized.
pub fn first_difference(old: &impl Serialize, new: &impl Serialize) -> serde_json::Result<Option<String>> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    flatten("", &serde_json::to_value(old)?, &mut a);
    flatten("", &serde_json::to_value(new)?, &mut b);
    let changed = a.iter().find_map(|(key, old)| match b.iter().find(|(other, _)| other == key) {
        Some((_, new)) if new == old => None,
        Some((_, new)) => Some(format!("it has {key} = {old}, this run {key} = {new}")),
        None => Some(format!("it has {key} = {old}, this run has none")),
    });
    let added = || {
        let (key, new) = b.iter().find(|(key, _)| a.iter().all(|(other, _)| other != key))?;
        Some(format!("it has no {key}, this run {key} = {new}"))
    };
    Ok(changed.or_else(added))
}

fn flatten(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(entries) => entries.iter().for_each(|(key, v)| flatten(&below(key), v, into)),
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(i, v)| flatten(&below(&i.to_string()), v, into));
        }
        other => into.push((path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let old = serde_json::json!({"recipe": {"optimizer": {"lr": 1e-4, "steps": 5}, "views": [1, 2]}});
        let mut new = old.clone();
        let told = |new: &Value| first_difference(&old, new).unwrap();
        assert_eq!(told(&new), None);
        new["recipe"]["views"][1] = 3.into();
        assert_eq!(told(&new).unwrap(), "it has recipe.views.1 = 2, this run recipe.views.1 = 3");
        new["recipe"]["views"] = serde_json::json!([1]);
        assert_eq!(told(&new).unwrap(), "it has recipe.views.1 = 2, this run has none");
        new["recipe"]["optimizer"]["lr"] = 2e-4.into();
        assert!(told(&new).unwrap().starts_with("it has recipe.optimizer.lr = 0.0001"), "{new}");
        // A key that only one has does not shift the others.
        let mut more = old.clone();
        more["choice"] = "judged".into();
        assert_eq!(told(&more).unwrap(), "it has no choice, this run choice = \"judged\"");
    }
}

//! Recipes derived from another recipe.
//!
//! `extends = "NAME"` starts from a built-in recipe; the file's own keys replace its keys, table by table; a list
//! replaces the whole list. `with = ["ami"]` adds terms that attach to any method.

use toml::{Table, Value};

use super::built_in;

/// The terms that `with` and `--with` accept.
pub(super) fn term(name: &str) -> Result<Value, String> {
    let text = match name {
        "ami" => include_str!("../../recipes/terms/ami.toml"),
        other => return Err(format!("`{other}` is not a term that attaches to a method; use `ami`")),
    };
    text.parse::<Table>().map(Value::Table).map_err(|e| format!("the term `{name}`: {e}"))
}

/// Merges the table with the recipe that it extends, and adds the terms of its `with`.
pub(super) fn resolve(mut table: Table) -> Result<Table, String> {
    let base = match table.remove("extends") {
        None => None,
        Some(Value::String(name)) => {
            let text = built_in::text(&name).ok_or_else(|| {
                format!("extends = \"{name}\": no such recipe; use one of {}", built_in::names().join(", "))
            })?;
            let base = text.parse::<Table>().map_err(|e| format!("{name}: {e}"))?;
            Some(resolve(base)?)
        }
        Some(_) => {
            return Err("extends must be the name of a built-in recipe, as in extends = \"simcse\"".into());
        }
    };
    let with = table.remove("with");
    let mut merged = match base {
        Some(base) => merge(base, table),
        None => table,
    };
    match with {
        None => {}
        Some(Value::Array(names)) => {
            for name in &names {
                add(&mut merged, name.as_str().unwrap_or_default())?;
            }
        }
        Some(_) => return Err("with must be a list of terms, as in with = [\"ami\"]".into()),
    }
    Ok(merged)
}

/// Appends a term to the objectives.
pub(super) fn add(table: &mut Table, name: &str) -> Result<(), String> {
    let term = term(name)?;
    match table.entry("objectives").or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(objectives) => {
            let kind = |value: &Value| value.get("kind").and_then(Value::as_str).map(str::to_owned);
            if objectives.iter().any(|o| kind(o) == kind(&term)) {
                return Err(format!(
                    "the recipe already has `{name}`; change its values with --set objectives.{name}.KEY=VALUE"
                ));
            }
            objectives.push(term);
            Ok(())
        }
        _ => Err("objectives must be a list of tables".into()),
    }
}

fn merge(mut base: Table, own: Table) -> Table {
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(own)) => *inner = merge(std::mem::take(inner), own),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_values_replace_values_of_the_base() {
        let base = "a = 1\nl = [1, 2]\n[o]\nx = 1\ny = 2\n".parse().expect("TOML");
        let own = "l = [3]\n[o]\ny = 5\n".parse().expect("TOML");
        let merged = merge(base, own);
        let want: Table = "a = 1\nl = [3]\n[o]\nx = 1\ny = 5\n".parse().expect("TOML");
        assert_eq!(merged, want);
    }

    #[test]
    fn unknown_names_are_rejected_by_name() {
        for (text, word) in
            [("extends = \"nothing\"", "nothing"), ("extends = 1", "name"), ("with = [\"x\"]", "`x`")]
        {
            let error = resolve(text.parse().expect("TOML")).expect_err(text);
            assert!(error.contains(word), "{error}");
        }
        let twice = "extends = \"micse\"\nwith = [\"ami\"]".parse().expect("TOML");
        assert!(resolve(twice).expect_err("twice").contains("already"));
    }
}

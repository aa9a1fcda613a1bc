//! The effect of AMI: methods that were run with and without it, and what else differs between their recipes.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::{headline, of_seeds, signed};
use crate::Result;
use crate::axes::{base, counterpart};
use crate::comparison::{Comparison, Setup, over_seeds};
use crate::provenance::description;
use crate::results::Results;
use crate::tables::Sheet;

/// The effect of AMI on methods that were run with and without it: the paper's Table 2 in pairs; `None` without such a
/// pair.
pub(super) fn effect_of_ami(results: &Results) -> Result<Option<Sheet>> {
    let (task, what) = headline(results);
    let scores = &results.scores;
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (plain, with) in pairs(results) {
        for name in [plain, with] {
            let mut row = vec![name.to_owned()];
            row.extend(results.sizes.iter().map(|size| scores.cell(name, size, task)));
            rows.push(row);
        }
        notes.extend(differences(results, plain, with)?);
        let mut row = vec!["  difference".to_owned()];
        let differences = results.sizes.iter().map(|size| {
            Ok(match over_seeds(results, with, plain, size, task)? {
                None => "-".into(),
                Some(Comparison { difference, n, .. })
                    if n < results.runs(plain, size).max(results.runs(with, size)) =>
                {
                    format!("{} (n={n})", signed(difference))
                }
                Some(Comparison { difference, .. }) => signed(difference),
            })
        });
        row.extend(differences.collect::<Result<Vec<_>>>()?);
        rows.push(row);
    }
    let mut header = vec!["method".to_owned()];
    header.extend(results.sizes.iter().cloned());
    let title = format!("What AMI adds: Spearman x 100, {what}{}", of_seeds(&scores.runs(None)));
    Ok((!rows.is_empty()).then_some(Sheet { title, header, rows, notes }))
}

/// Methods without and with AMI, in the order of the first.
fn pairs(results: &Results) -> Vec<(&str, &str)> {
    let names = || results.methods.iter().map(|method| method.name.as_str());
    let plain_of = |with: &str| {
        let plain = base(with).strip_prefix("ami-")?;
        // `ami-simcse` has the settings of miCSE, as `simcse-baseline` does.
        let same = (plain == "simcse").then(|| counterpart(names(), "simcse-baseline", with)).flatten();
        same.or_else(|| counterpart(names(), plain, with))
    };
    names()
        .flat_map(|plain| {
            names().filter(move |with| plain_of(with) == Some(plain)).map(move |with| (plain, with))
        })
        .collect()
}

/// A note on what differs between two methods besides AMI; `None` if nothing is known to.
fn differences(results: &Results, plain: &str, with: &str) -> Result<Option<String>> {
    let setup = Setup::between(results, plain, with);
    let mut all = Vec::new();
    if !setup.is_same() {
        all.push(setup.to_string());
    }
    for size in &results.sizes {
        let (Some(one), Some(other)) = (values(results, plain, size)?, values(results, with, size)?) else {
            continue;
        };
        let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
        for key in keys.filter(|key| one.get(*key) != other.get(*key)) {
            let show = |values: &BTreeMap<String, String>| {
                values.get(key).cloned().unwrap_or_else(|| "unset".to_owned())
            };
            let difference = format!("{key} ({}, not {})", show(&other), show(&one));
            if !all.contains(&difference) {
                all.push(difference);
            }
        }
    }
    Ok((!all.is_empty()).then(|| {
        format!(
            "{with} also differs from {plain} in {}, so their difference is not that of AMI alone",
            all.join(", ")
        )
    }))
}

/// The values of a method's recipe at a size by their paths, without AMI; `None` without a result there, or if its run
/// was not described.
fn values(results: &Results, method: &str, size: &str) -> Result<Option<BTreeMap<String, String>>> {
    let of =
        |result: &micse_train::RunResult| result.method == method && result.size.as_deref() == Some(size);
    let Some(cell) = results.cells.iter().find(|cell| of(&cell.result)) else { return Ok(None) };
    let recipe = description(&cell.run)?.and_then(|mut table| table.remove("recipe"));
    let Some(Value::Table(mut recipe)) = recipe else { return Ok(None) };
    for about in ["name", "source", "published"] {
        recipe.remove(about);
    }
    let mut values = BTreeMap::new();
    collect("", &Value::Table(recipe), &mut values);
    Ok(Some(values))
}

/// Adds the values in `value` by the paths that `--set` takes.
fn collect(path: &str, value: &Value, values: &mut BTreeMap<String, String>) {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| collect(&inner(key), value, values)),
        Value::Array(entries) if entries.iter().any(Value::is_table) => {
            for (index, entry) in entries.iter().enumerate() {
                let kind =
                    entry.as_table().and_then(|table: &Table| table.get("kind")).and_then(Value::as_str);
                if kind != Some("ami") {
                    collect(&inner(kind.unwrap_or(&index.to_string())), entry, values);
                }
            }
        }
        Value::String(text) => {
            values.insert(path.to_owned(), text.clone());
        }
        Value::Float(number) => {
            values.insert(path.to_owned(), short(*number));
        }
        other => {
            values.insert(path.to_owned(), other.to_string());
        }
    }
}

/// Learning rates and other small numbers with an exponent.
fn short(number: f64) -> String {
    if number != 0.0 && number.abs() < 1e-3 { format!("{number:e}") } else { number.to_string() }
}

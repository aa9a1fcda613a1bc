//! A sweep's folder: one sweep at a time works in it, on the cells that it was begun with.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use micse_model::ModelFolder;
use micse_report::Grid;
use micse_train::run::Lock;
use serde_json::Value;

use super::cell::{CellSpec, Work};
use super::memory::{checkpoint, parameters};
use super::models;
use super::plan::Plan;
use super::slurm;

/// Bytes of a cell's small files.
const SMALL_FILES: u64 = 1 << 20;

/// Takes the folder for this sweep: no other works there, what was begun there was the same, and there is room for
/// what will be written. Then `sweep.json` says which cells there are.
pub(super) fn take(plan: &Plan) -> Result<(Lock, Grid)> {
    let out = &plan.out;
    std::fs::create_dir_all(out)
        .with_context(|| format!("{}: cannot make the sweep's folder; give another --out", out.display()))?;
    let lock = Lock::take(out, Duration::from_secs(2))?;
    slurm::refuse_if_queued(out)?;
    micse_model::files::remove_leftovers(out)?;
    let grid = plan.grid()?;
    if out.join(Grid::FILE).is_file() {
        check_same(out, &Grid::load(out)?, &grid)?;
    }
    models::note_missing(&plan.cells)?;
    check_room(plan)?;
    grid.save(out)?;
    Ok((lock, grid))
}

/// Refuses a grid whose cells are not those that were begun in the folder.
fn check_same(out: &Path, old: &Grid, new: &Grid) -> Result<()> {
    let mut left = 0;
    for cell in &old.cells {
        let begun = out.join(&cell.folder).join("run.toml").is_file();
        let Some(now) = new.cells.iter().find(|c| c.folder == cell.folder) else {
            left += usize::from(begun);
            continue;
        };
        if let (true, Some(difference)) = (begun, difference(&decisive(&cell.spec), &decisive(&now.spec))) {
            bail!(
                "{}: {cell} belongs to another run ({difference}); give another --out, or delete {}",
                out.display(),
                cell.folder.display()
            );
        }
    }
    if left > 0 {
        eprintln!("{left} cells of an earlier command stay in the folder, but not in the tables");
    }
    Ok(())
}

/// What decides a cell's bits, of its description; its data are compared by their hashes, by the cell itself.
fn decisive(spec: &Value) -> Value {
    let train = &spec["work"]["Train"];
    serde_json::json!({"recipe": train["recipe"], "chunk": spec["chunk"]})
}

/// The first value in which two descriptions differ.
fn difference(old: &Value, new: &Value) -> Option<String> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    flatten("", old, &mut a);
    flatten("", new, &mut b);
    let nothing = (String::new(), "nothing".to_owned());
    (0..a.len().max(b.len())).map(|i| (a.get(i).unwrap_or(&nothing), b.get(i).unwrap_or(&nothing))).find_map(
        |(old, new)| {
            let key = if old.0.is_empty() { &new.0 } else { &old.0 };
            (old != new).then(|| format!("{key} was {}, now {} = {}", old.1, new.0, new.1))
        },
    )
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

/// Refuses a sweep for which the disk has no room.
fn check_room(plan: &Plan) -> Result<()> {
    let open: Vec<&CellSpec> = plan.cells.iter().filter(|cell| !cell.result().is_file()).collect();
    let need = needed(&open, plan)?;
    let free = fs4::available_space(&plan.out).with_context(|| format!("{}", plan.out.display()))?;
    if need > free {
        bail!(
            "{}: the sweep needs some {} MB on this disk, and {} MB are free; make room, give another --out, or use \
             fewer --jobs or --keep-models none",
            plan.out.display(),
            need >> 20,
            free >> 20
        );
    }
    Ok(())
}

fn needed(open: &[&CellSpec], plan: &Plan) -> Result<u64> {
    let Some(first) = open.iter().find(|cell| matches!(cell.work, Work::Train { .. })) else {
        return Ok(open.len() as u64 * SMALL_FILES);
    };
    let config = ModelFolder::open(&first.encoder)?.config()?;
    // The largest checkpoints of as many cells as run at a time; an old one stands until the new one is whole.
    let mut checkpoints: Vec<u64> =
        open.iter().filter_map(|cell| Some(2 * checkpoint(cell.recipe()?, &config))).collect();
    checkpoints.sort_unstable_by(|a, b| b.cmp(a));
    Ok(open.len() as u64 * SMALL_FILES
        + checkpoints.iter().take(plan.at_once).sum::<u64>()
        + models::bytes(open, 4 * parameters(&config), plan.at_once))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let old = serde_json::json!({"recipe": {"optimizer": {"lr": 1e-4, "steps": 5}, "views": [1, 2]}});
        let mut new = old.clone();
        assert_eq!(difference(&old, &new), None);
        new["recipe"]["views"][1] = 3.into();
        assert_eq!(difference(&old, &new).unwrap(), "recipe.views.1 was 2, now recipe.views.1 = 3");
        new["recipe"]["optimizer"]["lr"] = 2e-4.into();
        assert!(difference(&old, &new).unwrap().contains("recipe.optimizer.lr was 0.0001"), "{new}");
    }
}

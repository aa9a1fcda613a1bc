//! A sweep's folder: one sweep at a time works in it, on the cells that it was begun with.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use micse_model::ModelFolder;
use micse_report::Grid;
use micse_train::run::{Lock, first_difference};
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
    micse_files::remove_leftovers(out)?;
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
        if let (true, Some(difference)) =
            (begun, first_difference(&decisive(&cell.spec), &decisive(&now.spec))?)
        {
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

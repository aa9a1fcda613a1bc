//! Which finished encoders stay on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use micse_report::{Grid, GridCell};
use micse_train::RunResult;

use super::cell::{CellSpec, Keep, Work};

/// Where a cell's model lies.
fn model(cell: &Path) -> PathBuf {
    cell.join("model")
}

/// After a cell: takes away the models of its method and size that are not the best so far. The order in which cells
/// finish does not matter: the best of all is never taken away.
pub(super) fn prune(sweep: &Path, cell: &GridCell, keep: Keep) -> Result<()> {
    if keep != Keep::Best {
        return Ok(());
    }
    let grid = Grid::load(sweep)?;
    prune_group(sweep, grid.cells.iter().filter(|c| c.method == cell.method && c.size == cell.size))
}

fn prune_group<'a>(sweep: &Path, cells: impl Iterator<Item = &'a GridCell>) -> Result<()> {
    let mut finished = Vec::new();
    for cell in cells {
        let folder = sweep.join(&cell.folder);
        if folder.join("result.json").is_file() && model(&folder).is_dir() {
            let score = RunResult::load(&folder.join("result.json"))?.scores.dev_spearman;
            finished.push((score.unwrap_or(f64::NEG_INFINITY), cell.seed, folder));
        }
    }
    // The best first; of equals the lowest seed.
    finished.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, _, folder) in finished.iter().skip(1) {
        let model = model(folder);
        match std::fs::remove_dir_all(&model) {
            // Another cell's process was faster.
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("{}: cannot be removed", model.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Says when finished runs have no model that is to be kept: an earlier command did not keep it.
pub(super) fn note_missing(cells: &[CellSpec]) -> Result<()> {
    let mut missing = 0;
    let mut best: BTreeMap<String, (f64, bool)> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.recipe().is_some() && cell.result().is_file()) {
        let kept = model(&cell.folder).is_dir();
        match cell.keep {
            Keep::None => {}
            Keep::All => missing += usize::from(!kept),
            Keep::Best => {
                let score = RunResult::load(&cell.result())?.scores.dev_spearman.unwrap_or(f64::NEG_INFINITY);
                let first = best.entry(group(cell)).or_insert((f64::NEG_INFINITY, true));
                if score > first.0 {
                    *first = (score, kept);
                }
            }
        }
    }
    missing += best.values().filter(|(_, kept)| !kept).count();
    if missing > 0 {
        eprintln!(
            "{missing} finished runs have no model, because an earlier command did not keep it; delete their folders to \
             train them again"
        );
    }
    Ok(())
}

/// Bytes that the models of the open cells will take.
pub(super) fn bytes(open: &[&CellSpec], model: u64, jobs: usize) -> u64 {
    let trained = open.iter().filter(|cell| matches!(cell.work, Work::Train { .. }));
    let all = trained.clone().filter(|cell| cell.keep == Keep::All).count();
    let mut groups: Vec<String> =
        trained.filter(|cell| cell.keep == Keep::Best).map(|cell| group(cell)).collect();
    groups.sort();
    groups.dedup();
    // Those that are finished stand beside the best until they are compared with it.
    let best = if groups.is_empty() { 0 } else { groups.len() + jobs };
    (all + best) as u64 * model
}

fn group(cell: &CellSpec) -> String {
    let name = cell.to_string();
    name.rsplit_once(" seed ").map_or(name.clone(), |(group, _)| group.to_owned())
}

//! Which finished models are kept on disk.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use micse_cli::note;
use micse_files::RunFolder;
use micse_report::{Grid, GridCell};
use micse_train::RunResult;

use crate::cell::{CellSpec, Keep, Work};

/// After a cell: removes the models of its method and size that are not the best so far. The best model overall is
/// never removed, in whatever order the cells finish.
pub(crate) fn prune(sweep: &Path, cell: &GridCell, keep: Keep) -> Result<()> {
    if keep != Keep::Best {
        return Ok(());
    }
    let grid = Grid::load(sweep)?;
    prune_group(sweep, grid.cells.iter().filter(|c| c.method == cell.method && c.size == cell.size))
}

fn prune_group<'a>(sweep: &Path, cells: impl Iterator<Item = &'a GridCell>) -> Result<()> {
    let mut finished = Vec::new();
    for cell in cells {
        let run = RunFolder::new(sweep.join(&cell.folder));
        if run.is_finished() && run.model().is_dir() {
            let score = RunResult::load(&run)?.scores.dev_spearman;
            finished.push((score.unwrap_or(f64::NEG_INFINITY), cell.seed, run));
        }
    }
    // The best score first; for equal scores, the lowest seed.
    finished.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, _, run) in finished.iter().skip(1) {
        let model = run.model();
        match std::fs::remove_dir_all(&model) {
            // The process of another cell has already removed it.
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", model.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Prints how many finished runs lack a model that this command would keep but an earlier one did not.
pub(crate) fn note_missing(cells: &[CellSpec]) -> Result<()> {
    let mut missing = 0;
    let mut best: BTreeMap<String, (f64, bool)> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.recipe().is_some() && cell.run_folder().is_finished()) {
        let run = cell.run_folder();
        let kept = run.model().is_dir();
        match cell.keep {
            Keep::None => {}
            Keep::All => missing += usize::from(!kept),
            Keep::Best => {
                let score = RunResult::load(&run)?.scores.dev_spearman.unwrap_or(f64::NEG_INFINITY);
                let first = best.entry(group(cell)).or_insert((f64::NEG_INFINITY, true));
                if score > first.0 {
                    *first = (score, kept);
                }
            }
        }
    }
    missing += best.values().filter(|(_, kept)| !kept).count();
    if missing > 0 {
        note(format_args!(
            "{missing} finished runs have no model, because an earlier command did not keep it; delete their folders \
             to train them again"
        ));
    }
    Ok(())
}

/// Bytes that the models of the unfinished cells will need.
pub(crate) fn bytes(open: &[&CellSpec], model: u64, jobs: usize) -> u64 {
    let trained = open.iter().filter(|cell| matches!(cell.work, Work::Train { .. }));
    let all = trained.clone().filter(|cell| cell.keep == Keep::All).count();
    let mut groups: Vec<String> =
        trained.filter(|cell| cell.keep == Keep::Best).map(|cell| group(cell)).collect();
    groups.sort();
    groups.dedup();
    // Finished models exist next to the best one until they are compared with it.
    let best = if groups.is_empty() { 0 } else { groups.len() + jobs };
    (all + best) as u64 * model
}

fn group(cell: &CellSpec) -> String {
    let name = cell.to_string();
    name.rsplit_once(" seed ").map_or(name.clone(), |(group, _)| group.to_owned())
}
